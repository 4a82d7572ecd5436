"""Names of tables, expectations, and schemas that grow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from lake.bronze import expectations, failing, meeting
from lake.schemas import Learned, merge_schemas
from lake.sources import Settings, Source, read_settings, sources
from lake.tables import declare
from objects import key

NAMED = {"lake.bucket_prefix": "acme", "lake.region": "eu-west-1"}


def settings(**values: str) -> Settings:
    given = {**NAMED, **{name.replace("__", "."): value for name, value in values.items()}}
    return read_settings(lambda name, default: given.get(name, default))


def source(type_: str, rejected: bool = False) -> Source:
    (found,) = [s for s in sources(settings()) if s.type == type_ and s.rejected == rejected]
    return found


def test_each_type_has_a_table_and_schematized_one_for_what_was_rejected() -> None:
    assert {s.name: s.folder for s in sources(settings())} == {
        "raw_sensor_readings": "s3://acme-databricks-raw-eu-west-1/raw/sensor_readings",
        "schematized_sensor_readings": "s3://acme-databricks-schematized-eu-west-1/schematized/sensor_readings",
        "schematized_sensor_readings_rejected": (
            "s3://acme-databricks-schematized-eu-west-1/rejected/schematized/sensor_readings"
        ),
        "aggregated_sensor_readings": "s3://acme-databricks-aggregated-eu-west-1/aggregated/sensor_readings",
        "emergency_sensor_readings": "s3://acme-databricks-emergency-eu-west-1/emergency/sensor_readings",
    }


def test_a_bucket_may_be_named_and_a_table_have_any_safe_name() -> None:
    found = sources(settings(lake__bucket__raw="mine", lake__tables="Line-7.readings, x"))
    assert [(s.name, s.folder) for s in found if s.type == "raw"] == [
        ("raw_line_7_readings", "s3://mine/raw/Line-7.readings"),
        ("raw_x", "s3://mine/raw/x"),
    ]


def test_settings_that_do_not_name_buckets_or_tables_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lake\.bucket_prefix"):
        settings(**{"lake.region": ""})
    with pytest.raises(ValueError, match="raw_a_b"):
        settings(lake__tables="a-b,a.b")


class Pipelines:
    """What a pipelines module is told: each table's expectations, where it knows them as Databricks' does."""

    def __init__(self) -> None:
        self.declared: dict[str, dict[str, str]] = {}

    def table(self, name: str, comment: str) -> Callable[[Callable], None]:
        return lambda query: self.declared.update({name: getattr(query, "expected", {})})

    materialized_view = table


class PipelinesThatExpect(Pipelines):
    def expect_all(self, expected: dict[str, str]) -> Callable[[Callable], Callable]:
        def decorate(query: Callable) -> Callable:
            query.expected = expected
            return query

        return decorate


def test_expectations_are_the_pipelines_where_it_knows_them_and_else_a_filter_and_a_quarantine(
    spark: SparkSession,
) -> None:
    databricks, spark_alone = PipelinesThatExpect(), Pipelines()
    for pipelines in (databricks, spark_alone):
        declare(pipelines, spark, settings(), Learned())
    of_audit = {"object_inventory", "ingest_audit", "ingest_nodes"}
    expected = {s.name: expectations(s) for s in sources(settings())}
    assert databricks.declared == {**expected, **{name: {} for name in of_audit}}
    assert set(spark_alone.declared) == {*expected, *(f"{name}_quarantine" for name in expected), *of_audit}


GOOD = ("edge-1", 1, 5, key(1), "2026-11-21", "[]")
BAD = {
    "node_is_known": (None, 1, 5, key(1), "2026-11-21", "[]"),
    "time_is_known": ("edge-1", 1, 5, key(1), None, "[]"),
    "generation_is_that_of_its_key": ("edge-1", 2, 5, key(1), "2026-11-21", "[]"),
    "rowid_is_in_the_range_of_its_key": ("edge-1", 1, 11, key(1), "2026-11-21", "[]"),
    "reason_is_given": ("edge-1", 1, 5, key(1), "2026-11-21", None),
}


def test_each_expectation_keeps_out_what_fails_it_and_says_so(spark: SparkSession) -> None:
    expected = expectations(source("schematized", rejected=True))
    assert set(expected) == set(BAD)
    columns = "_node_id string, _generation bigint, _rowid bigint, _object_key string, time string, _errors string"
    rows = spark.createDataFrame([GOOD, *BAD.values()], columns).selectExpr("*", "CAST(time AS DATE) AS _extracted_at")
    assert [tuple(row)[:6] for row in meeting(rows, expected).collect()] == [GOOD]
    failed = [(tuple(row)[:6], row["_failed"]) for row in failing(rows, expected).collect()]
    assert failed == [(row, [name]) for name, row in BAD.items()]


def test_a_rowid_that_is_negative_is_in_its_range(spark: SparkSession) -> None:
    expected = expectations(source("raw"))
    name = key(1).replace("0000000000000000001-", "n0000000000000000007-")
    rows = spark.createDataFrame([(rowid, name) for rowid in (-8, -7, 10)], "_rowid bigint, _object_key string")
    condition = {"range": expected["rowid_is_in_the_range_of_its_key"]}
    assert [row["_rowid"] for row in meeting(rows, condition).collect()] == [-7, 10]


def test_a_window_has_both_ends_or_none(spark: SparkSession) -> None:
    condition = {"window": expectations(source("aggregated"))["window_has_both_ends"]}
    rows = spark.createDataFrame([(1, 2), (None, None), (1, None), (2, 1)], "window_start int, window_end int")
    assert [tuple(row) for row in meeting(rows, condition).collect()] == [(1, 2), (None, None)]


def test_a_schema_takes_new_columns_and_names_other_types() -> None:
    known = StructType.fromDDL("a bigint, b string")
    assert merge_schemas(known, StructType.fromDDL("c double, A bigint")) == StructType.fromDDL(
        "a bigint, b string, c double"
    )
    assert merge_schemas(known, StructType.fromDDL("B binary")) == "B is BINARY, and STRING in the table"
