"""dbt builds silver and gold on bronze tables of objects that the real uploader wrote.

dbt is called in this process, where its method `session` finds the session of the tests: neither dbt nor bronze starts
a Spark of its own. As processes, dbt is run by test_dbt_run.py and run-local.sh, bronze by test_pipeline.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.testing import assertDataFrameEqual

from edge import PREFIX, REGION, ROOT, Edge
from lake.aggregates import merge_aggregates
from lake.sources import read_settings
from lake.streams import run_bronze

PROJECT = ROOT / "databricks" / "dbt"


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_ENV_PREFIX", "local")
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))


def dbt(*command: str, target: str = "local") -> None:
    done = dbtRunner().invoke(
        [*command, "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", target]
    )
    failed = [
        f"{result.node.name}: {result.message}" for result in getattr(done.result, "results", []) if result.failures
    ]
    assert done.success, (done.exception, failed)


def test_builds_are_complete_and_a_late_reading_changes_its_day(spark: SparkSession, tmp_path: Path) -> None:
    def table(name: str) -> DataFrame:
        return spark.read.table(f"local_{name}")

    def days() -> dict[tuple, Row]:
        rows = table("gold.agg_daily_device_metrics").drop("loaded_at").collect()
        return {(row["device_id"], row["event_date"]): row for row in rows}

    def bronze() -> None:
        given = {"lake.url": f"file://{tmp_path}/lake/", "lake.bucket_prefix": PREFIX, "lake.region": REGION}
        settings = read_settings(lambda name, default: given.get(name, default))
        run_bronze(spark, settings, "local_bronze", str(tmp_path / "checkpoints"))

    edge = Edge("edge-1", tmp_path / "edge", tmp_path / "lake")
    edge.ship("raw", 100, "2026-11-20T12:00:00Z")
    edge.ship("emergency", 100, "2026-11-21T12:00:00Z")
    # Three windows of two extractions; the one in the middle has readings of both.
    edge.ship("aggregated", 100, "2026-11-21T13:00:02Z")
    edge.ship("aggregated", 1300, "2026-11-21T13:01:10Z")
    spark.sql("CREATE DATABASE local_bronze")
    bronze()
    dbt("build")
    assert table("gold.fct_iot_events").count() == 200
    silver, partial = table("silver.stg_aggregates"), table("bronze.aggregated_sensor_readings")
    assert silver.groupBy().sum("reading_count").first()[0] == 1400
    merged = merge_aggregates(partial, ["_node_id"])
    assert merged.count() < partial.count()
    figures = [name for name in silver.columns if name in merged.columns]
    assert {"_node_id", "window_start", "sensor_id", "anomaly_count", "voltage_sum_sq", "temperature_avg"} <= {*figures}
    assertDataFrameEqual(silver.select(figures), merged.select(figures))
    before = days()
    assert sum(row["reading_count"] for row in before.values()) == 200

    edge.sql(
        "INSERT INTO sensor_readings (timestamp, sensor_id, temperature) "
        "SELECT '2026-11-20T11:59:00Z', sensor_id, -40 FROM sensor_readings WHERE id = 1"
    )
    edge.set_type("raw")
    edge.upload()
    bronze()
    dbt("run")
    late = table("gold.fct_iot_events").where("_rowid = 1601").first()
    assert table("gold.fct_iot_events").count() == 201
    after = days()
    own_day = (late["device_id"], late["event_date"])
    assert after[own_day]["reading_count"] == before[own_day]["reading_count"] + 1
    assert after[own_day]["temperature_min"] == -40
    assert {day for day in after if after[day] != before.get(day)} == {own_day}

    names = ["silver.stg_iot_events", "gold.fct_iot_events", "gold.fct_alerts"]
    names += ["gold.agg_daily_device_metrics", "gold.dim_devices"]
    rows = {name: sorted(map(str, table(name).collect())) for name in names}
    dbt("run")
    assert {name: sorted(map(str, table(name).collect())) for name in names} == rows

    dbt("source", "freshness")
    dbt("docs", "generate")
    catalog, manifest = (
        json.loads((tmp_path / "target" / f"{name}.json").read_text())["nodes"] for name in ("catalog", "manifest")
    )
    assert {f"model.iot_streaming.{name.split('.')[1]}" for name in names} <= set(catalog)
    for name, built in catalog.items():
        assert set(built["columns"]) == set(manifest[name]["columns"]), f"{name}: columns that are not described"


def test_the_project_parses_for_databricks_and_describes_every_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "example.cloud.databricks.com")
    monkeypatch.setenv("DATABRICKS_TOKEN", "none")
    monkeypatch.setenv("DATABRICKS_HTTP_PATH", "/sql/1.0/warehouses/none")
    monkeypatch.setenv("DBT_ENV_PREFIX", "dev")
    dbt("parse", target="databricks")
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
