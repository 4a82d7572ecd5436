"""What the tests of the lake share: one Spark session with Delta, and edges that ship with the real uploader."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "databricks"), str(ROOT / "databricks" / "local")]

from pyspark.sql import SparkSession  # noqa: E402


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    work = tmp_path_factory.mktemp("spark")
    subprocess.run([ROOT / "databricks/local/setup.sh", "--work", work], check=True)
    os.environ["SPARK_CONF_DIR"] = str(work / "conf")
    session = SparkSession.builder.master("local[2]").appName("lake").getOrCreate()
    session.sparkContext.setLogLevel("FATAL")
    yield session
    session.stop()
