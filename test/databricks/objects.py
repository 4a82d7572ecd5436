"""Inventories for tests of the audit: keys in words, as the uploader would make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame, SparkSession

from lake.bronze import inventory

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def key(
    sequence: int,
    part: int = 1,
    parts: int = 1,
    rows: int = 10,
    node: str = "edge-1",
    generation: int = 1,
    folder: str = "raw",
    day: str = "2026-11-21",
) -> str:
    """Extractions of ten rowids each."""
    first, last = sequence * 10 - 9, sequence * 10
    name = f"{node}-{generation:04}-{sequence:010}-{part}of{parts}-{first:019}-{last:019}-{rows}"
    return f"{folder}/readings/ingest_date={day}/{name}.parquet"


def list_objects(
    spark: SparkSession,
    *keys: str,
    hours_ago: float | dict[str, float] = 1,
    set_aside: dict[str, str] | None = None,
) -> DataFrame:
    """The inventory of a bucket with these keys, which came so long before NOW."""

    def age(name: str) -> timedelta:
        return timedelta(hours=hours_ago.get(name, 1) if isinstance(hours_ago, dict) else hours_ago)

    files = [(f"s3://bucket/{name}", NOW - age(name), 1000) for name in keys]
    return inventory(spark.createDataFrame(files, "path string, modificationTime timestamp, length bigint"), set_aside)
