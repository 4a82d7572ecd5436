"""Runs the bronze pipeline with `spark-pipelines`, in a work folder that `setup.sh --work` prepared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from edge import PREFIX, REGION, ROOT

DATABASE = "local_bronze"
CODE = ROOT / "databricks"
_TEMPLATE = CODE / "local" / "spark-pipeline.yml.template"


def spark_environment(work: Path) -> dict[str, str]:
    """What a process needs to find this Spark, its settings and its warehouse."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "SPARK_CONF_DIR": str(work / "conf"), "PATH": programs}


def prepare_bronze(work: Path, url: str) -> None:
    """Writes the pipeline's definition for the buckets behind `url`, and makes its database."""
    values = {"WORK": work, "CODE": CODE, "DATABASE": DATABASE, "URL": url, "PREFIX": PREFIX, "REGION": REGION}
    definition = _TEMPLATE.read_text()
    for name, value in values.items():
        definition = definition.replace(f"@{name}@", str(value))
    folder = work / "pipeline"
    shutil.copytree(CODE / "pipeline", folder, dirs_exist_ok=True)
    (folder / "spark-pipeline.yml").write_text(definition)
    make = (
        "from pyspark.sql import SparkSession\n"
        f"SparkSession.builder.master('local[2]').getOrCreate().sql('CREATE DATABASE IF NOT EXISTS {DATABASE}')\n"
    )
    _run([sys.executable, "-c", make], spark_environment(work), work / "database.log")


def run_bronze_pipeline(work: Path, log: str) -> None:
    """One run: all that is new since the last. Raises RuntimeError with the end of `{log}.log` where it fails.

    With SPARK_TESTING the Spark Connect server that `spark-pipelines` starts takes a free port, and its client finds
    it, so that two runs on one machine do not meet (SPARK-42272); else both are bound to 15002.
    """
    command = ["spark-pipelines", "--remote", "local[2]", "run"]
    environment = {**spark_environment(work), "SPARK_TESTING": "1"}
    _run(command, environment, work / f"{log}.log", work / "pipeline")


def _run(command: list[str], environment: dict[str, str], log: Path, folder: Path | None = None) -> None:
    with log.open("w") as output:
        done = subprocess.run(command, cwd=folder, stdout=output, stderr=output, env=environment)
    if done.returncode != 0:
        end = "\n".join(log.read_text().splitlines()[-40:])
        raise RuntimeError(f"{command[0]} ended with {done.returncode} ({log}):\n{end}")
