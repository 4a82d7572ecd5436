"""dbt builds silver and gold on what the bronze pipeline made of objects of the real uploader."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from bronze_run import prepare_bronze, run_bronze_pipeline, spark_environment
from pyspark.sql import DataFrame, Row, SparkSession

from edge import ROOT, Edge

PROJECT = ROOT / "databricks" / "dbt"


def dbt(work: Path, *command: str, target: str = "local", env: dict[str, str] | None = None) -> None:
    environment = {
        **spark_environment(work),
        "DBT_ENV_PREFIX": "local",
        "DBT_TARGET_PATH": str(work / "dbt-target"),
        "DBT_LOG_PATH": str(work / "dbt-logs"),
        **(env or {}),
    }
    arguments = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", target]
    done = subprocess.run(["dbt", *command, *arguments], cwd=work, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dbt")
    subprocess.run([ROOT / "databricks/local/setup.sh", "--work", folder], check=True)
    return folder


def test_builds_are_complete_and_a_late_reading_changes_its_day(spark: SparkSession, work: Path) -> None:
    def table(name: str) -> DataFrame:
        # By its folder: the catalog of that warehouse belongs to dbt's process.
        return spark.read.format("delta").load(str(work / "warehouse" / f"local_{name}"))

    def days() -> dict[tuple, Row]:
        rows = table("gold.db/agg_daily_device_metrics").drop("loaded_at").collect()
        return {(row["device_id"], row["event_date"]): row for row in rows}

    edge = Edge("edge-1", work / "edge", work / "lake")
    edge.ship("raw", 100, "2026-11-20T12:00:00Z")
    edge.ship("emergency", 100, "2026-11-21T12:00:00Z")
    edge.ship("aggregated", 100, "2026-11-21T13:00:00Z")
    prepare_bronze(work, f"file://{work}/lake/")
    run_bronze_pipeline(work, "first")
    dbt(work, "build")
    assert table("gold.db/fct_iot_events").count() == 200
    assert table("silver.db/stg_aggregates").groupBy().sum("reading_count").first()[0] == 100
    before = days()
    assert sum(row["reading_count"] for row in before.values()) == 200

    edge.sql(
        "INSERT INTO sensor_readings (timestamp, sensor_id, temperature) "
        "SELECT '2026-11-20T11:59:00Z', sensor_id, -40 FROM sensor_readings WHERE id = 1"
    )
    edge.set_type("raw")
    edge.upload()
    run_bronze_pipeline(work, "second")
    dbt(work, "run")
    late = table("gold.db/fct_iot_events").where("_rowid = 301").first()
    assert table("gold.db/fct_iot_events").count() == 201
    after = days()
    own_day = (late["device_id"], late["event_date"])
    assert after[own_day]["reading_count"] == before[own_day]["reading_count"] + 1
    assert after[own_day]["temperature_min"] == -40
    assert {day for day in after if after[day] != before.get(day)} == {own_day}

    names = ["silver.db/stg_iot_events", "gold.db/fct_iot_events", "gold.db/fct_alerts"]
    names += ["gold.db/agg_daily_device_metrics", "gold.db/dim_devices"]
    rows = {name: sorted(map(str, table(name).collect())) for name in names}
    dbt(work, "run")
    assert {name: sorted(map(str, table(name).collect())) for name in names} == rows


def test_the_project_parses_for_databricks_and_describes_every_column(tmp_path: Path) -> None:
    credentials = {"DATABRICKS_HOST": "example.cloud.databricks.com", "DATABRICKS_TOKEN": "none"}
    path = {"DATABRICKS_HTTP_PATH": "/sql/1.0/warehouses/none", "DBT_TARGET_PATH": str(tmp_path / "target")}
    dbt(tmp_path, "parse", target="databricks", env={**credentials, **path, "DBT_ENV_PREFIX": "dev"})
    manifest = json.loads((tmp_path / "target" / "manifest.json").read_text())
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert models and {node["schema"] for node in models} == {"dev_silver", "dev_gold"}
    undescribed = [
        f"{node['name']}.{column['name']}"
        for node in models
        for column in [{"name": "", **node}, *node["columns"].values()]
        if not column["description"]
    ]
    assert undescribed == []
