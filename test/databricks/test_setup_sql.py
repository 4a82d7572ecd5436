"""Statements of setup/*.sql: what they are once names are filled in, and that teardown drops its own alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lake.setup_sql import LAYERS, Names, find_schemas, schema_name, statements, teardown

SETUP = Path(__file__).resolve().parents[2] / "databricks" / "setup"
NAMES = Names("iot_streaming_dev", "dev", "your-company", "us-west-2", "0a1b-2c3d", "iot operators", "iot's analysts")


def all_statements(names: Names = NAMES) -> list[str]:
    return [found for file in sorted(SETUP.glob("*.sql")) for found in statements(file.read_text(), names.values())]


def test_makes_everything_in_the_order_of_need() -> None:
    made = [" ".join(statement.split()[:3]) for statement in all_statements()]
    kinds = list(dict.fromkeys(kind if not kind.startswith("GRANT") else "GRANT" for kind in made))
    assert kinds == [
        "DESCRIBE STORAGE CREDENTIAL", "CREATE EXTERNAL LOCATION", "CREATE CATALOG IF", "CREATE SCHEMA IF",
        "CREATE VOLUME IF", "GRANT",
    ]  # fmt: skip
    assert made.count("CREATE EXTERNAL LOCATION") == 4
    assert made.count("CREATE SCHEMA IF") == 3


def test_names_are_quoted_and_texts_escaped() -> None:
    everything = "\n".join(all_statements())
    assert "`your-company-databricks-raw-us-west-2`\n  URL 's3://your-company-databricks-raw-us-west-2/'" in everything
    assert "STORAGE CREDENTIAL `s3_sensor_data`" in everything
    assert "CREATE VOLUME IF NOT EXISTS `iot_streaming_dev`.`dev_bronze`.`autoloader`" in everything
    assert "ON SCHEMA `iot_streaming_dev`.`dev_gold` TO `iot's analysts`" in everything
    assert "IDENTIFIER" not in everything
    assert "--" not in everything


def test_nobody_but_the_pipeline_may_read_the_buckets_and_analysts_read_gold_alone() -> None:
    grants = [statement for statement in all_statements() if statement.startswith("GRANT")]
    assert {grant.split(" TO ")[1] for grant in grants if "EXTERNAL LOCATION" in grant} == {"`0a1b-2c3d`"}
    of_analysts = [grant.split(" TO ")[0] for grant in grants if grant.endswith("`iot's analysts`")]
    assert of_analysts == [
        "GRANT USE CATALOG ON CATALOG `iot_streaming_dev`",
        "GRANT USE SCHEMA, SELECT ON SCHEMA `iot_streaming_dev`.`dev_gold`",
    ]


def test_only_parameters_are_filled_in() -> None:
    values = {"a": "x; DROP", "b": "it's\\"}
    sql = "-- :a;\nSELECT ':a', 1::int, `:a;`, :b, IDENTIFIER(:a); -- end\n;;SELECT 2"
    assert statements(sql, values) == ["SELECT ':a', 1::int, `:a;`, 'it\\'s\\\\', `x; DROP`", "SELECT 2"]
    with pytest.raises(KeyError, match="missing"):
        statements("SELECT :missing", values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("catalog", ""), ("catalog", "a.b"), ("catalog", "a`b"), ("schema_prefix", "dev; DROP"),
        ("bucket_prefix", "A"), ("bucket_prefix", "-a"), ("region", " "), ("analysts", "a`b"),
        ("service_principal", ""),
    ],
)  # fmt: skip
def test_refuses_what_is_no_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(NAMES, **{name: value})


# Schemas are what open-source Spark has too: the statements run, in its catalog.


@pytest.fixture
def schemas(spark: SparkSession) -> Iterator[list[str]]:
    names = replace(NAMES, catalog="spark_catalog", schema_prefix="setup_test")
    for statement in statements((SETUP / "04_schemas.sql").read_text(), names.values()):
        spark.sql(statement)
    yield [names.schema(layer) for layer in LAYERS]
    for layer in LAYERS:
        spark.sql(f"DROP SCHEMA IF EXISTS {names.schema(layer)} CASCADE")


def test_teardown_drops_what_the_setup_made_and_nothing_else(spark: SparkSession, schemas: list[str]) -> None:
    spark.sql(f"CREATE TABLE {schemas[0]}.readings AS SELECT 1 AS id")
    spark.sql("CREATE SCHEMA IF NOT EXISTS spark_catalog.other_bronze")
    found = find_schemas(spark, "spark_catalog", "setup_test")
    assert found == dict.fromkeys(schemas, True)
    for statement in teardown("spark_catalog", "setup_test", "spark_catalog.setup_test", found):
        spark.sql(statement)
    assert find_schemas(spark, "spark_catalog", "setup_test") == {}
    assert spark.catalog.databaseExists("spark_catalog.other_bronze")
    spark.sql("DROP SCHEMA spark_catalog.other_bronze")


@pytest.mark.parametrize("confirmation", ["", "yes", "spark_catalog", "setup_test", "spark_catalog.setup"])
def test_teardown_drops_nothing_without_confirmation(confirmation: str) -> None:
    with pytest.raises(ValueError, match="Nothing was dropped"):
        teardown("spark_catalog", "setup_test", confirmation, {"spark_catalog.setup_test_gold": True})


def test_teardown_drops_nothing_where_a_schema_is_somebody_elses(spark: SparkSession, schemas: list[str]) -> None:
    spark.sql(f"DROP SCHEMA {schemas[2]}")
    spark.sql(f"CREATE SCHEMA {schemas[2]}")
    found = find_schemas(spark, "spark_catalog", "setup_test")
    with pytest.raises(ValueError, match=r"the setup has not made spark_catalog\.setup_test_gold"):
        teardown("spark_catalog", "setup_test", "spark_catalog.setup_test", found)


def test_teardown_of_no_name_is_refused() -> None:
    with pytest.raises(ValueError, match="Nothing was dropped"):
        teardown("", "", ".", {schema_name("", "", "gold"): True})
