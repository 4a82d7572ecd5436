"""The declarative pipeline, run by `spark-pipelines` in processes of its own, on objects of the real uploader."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bronze_run import DATABASE, prepare_bronze, run_bronze_pipeline
from pyspark.sql import DataFrame, SparkSession

from edge import ROOT, Edge


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    subprocess.run([ROOT / "databricks/local/setup.sh", "--work", folder], check=True)
    return folder


@pytest.fixture
def taken_port() -> Iterator[None]:
    """The port that Spark Connect takes by default: another run has it."""
    with socket.socket() as other:
        with contextlib.suppress(OSError):
            other.bind(("127.0.0.1", 15002))
        yield


@pytest.mark.usefixtures("taken_port")
def test_two_runs_take_each_object_once_and_the_second_a_new_column(spark: SparkSession, work: Path) -> None:
    def table(name: str) -> DataFrame:
        # By its folder: the catalog of that warehouse belongs to the pipeline's process.
        return spark.read.format("delta").load(str(work / "warehouse" / f"{DATABASE}.db" / name))

    edge = Edge("edge-1", work / "edge", work / "lake")
    edge.ship("raw", 100, "2026-11-20T00:00:00Z")
    edge.ship("aggregated", 100, "2026-11-20T01:00:00Z")
    prepare_bronze(work, f"file://{work}/lake/")
    run_bronze_pipeline(work, "first")
    assert table("raw_sensor_readings").count() == 100
    assert table("aggregated_sensor_readings").groupBy().sum("reading_count").first()[0] == 100
    assert table("object_inventory").count() == 2

    edge.sql("ALTER TABLE sensor_readings ADD COLUMN battery REAL")
    edge.sense(50, "2026-11-20T02:00:00Z")
    edge.sql("UPDATE sensor_readings SET battery = 3.5 WHERE id > 200")
    edge.set_type("emergency")
    edge.upload()
    run_bronze_pipeline(work, "second")
    rows = table("raw_sensor_readings").unionByName(table("emergency_sensor_readings"))
    assert sorted(row["_rowid"] for row in rows.select("_rowid").collect()) == [*range(1, 101), *range(201, 251)]
    assert rows.where("battery = 3.5").count() == 50
    assert table("ingest_audit").count() == 0
    (node,) = table("ingest_nodes").collect()
    assert (node["highest_sequence"], node["highest_rowid"]) == (3, 250)
