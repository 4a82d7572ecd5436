"""The one place for what differs between Databricks and open-source Spark.

| | Databricks | open-source Spark 4.1 |
| --- | --- | --- |
| new objects | `cloudFiles` (Auto Loader) | file source: lists, remembers what it took |
| schema | inferred and followed by Auto Loader (`addNewColumns`) | learned from footers before a run (`schemas.py`) |
| values that do not fit | `_rescued_data`, value by value | the whole object is set aside |
| expectations | `dp.expect_all`: counted in the event log | a filter, and a quarantine table |
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from lake.bronze import base_schema
from lake.sources import Settings, Source

ON_DATABRICKS = "DATABRICKS_RUNTIME_VERSION" in os.environ

# The file source forgets, and skips, files that are older than the newest one by this. An object may be late by weeks.
_NEVER = "36500d"


def read_objects(spark: SparkSession, source: Source, schema: StructType | None) -> DataFrame:
    """A stream of the rows of a source's objects, each object once. `schema` is null where Auto Loader finds it."""
    if ON_DATABRICKS:
        return _auto_loader_rows(spark, source, schema)
    assert schema is not None, "the file source needs a schema"
    return (
        spark.readStream.format("parquet")
        .schema(schema)
        # Not ignoreCorruptFiles, which takes a network that is down for the end of an object (damage.py).
        .option("ignoreMissingFiles", True)
        .option("maxFileAge", _NEVER)
        .load(source.glob)
    )


def _auto_loader_rows(spark: SparkSession, source: Source, schema: StructType | None) -> DataFrame:
    reader = spark.readStream.format("cloudFiles")
    if schema is not None:
        # Nothing lies there yet, from which a schema could be inferred.
        return reader.schema(schema).options(**auto_loader_options(None)).load(source.folder)
    return reader.options(**auto_loader_options(base_schema(source))).load(source.folder)


def auto_loader_options(hints: StructType | None) -> dict[str, str]:
    """The options of `cloudFiles` for Parquet whose columns are those of `hints`, and new ones; null: no new ones.

    A new column ends the stream once, and is a column when it starts again. A value of another type is kept in
    `_rescued_data`; what the uploader found unfit for its column is in `_rescued`, a column as any other.
    https://docs.databricks.com/ingestion/cloud-object-storage/auto-loader/options
    """
    options = {
        "cloudFiles.format": "parquet",
        "cloudFiles.schemaEvolutionMode": "rescue" if hints is None else "addNewColumns",
        "cloudFiles.rescuedDataColumn": "_rescued_data",
        # Bronze takes ingest_date from the key.
        "cloudFiles.partitionColumns": "",
        # New objects are told by S3's events, and not found by listing; needs file events on the external location.
        "cloudFiles.useManagedFileEvents": "true",
        # Nothing else is ours. The ownership markers lie below _owner/, outside of every source's folder.
        "pathGlobFilter": "*.parquet",
    }
    if hints is not None:
        columns = (f"`{column.name}` {column.dataType.simpleString()}" for column in hints)
        options["cloudFiles.schemaHints"] = ", ".join(columns)
    return options


def list_files(spark: SparkSession, settings: Settings) -> DataFrame:
    """A stream of the files in all buckets, each once: path, modificationTime, length. Contents are not read.

    Hidden files and folders, such as `_owner/`, are not listed.
    """
    streams = [_files(spark, bucket) for bucket in dict.fromkeys(settings.buckets.values())]
    files = streams[0]
    for stream in streams[1:]:
        files = files.unionByName(stream)
    return files


def _files(spark: SparkSession, bucket: str) -> DataFrame:
    reader = spark.readStream
    if ON_DATABRICKS:
        reader = (
            reader.format("cloudFiles")
            .option("cloudFiles.format", "binaryFile")
            .option("cloudFiles.useManagedFileEvents", "true")
        )
    else:
        reader = (
            reader.format("binaryFile")
            .schema("path string, modificationTime timestamp, length bigint, content binary")
            .option("recursiveFileLookup", True)
            .option("ignoreMissingFiles", True)
            .option("maxFileAge", _NEVER)
        )
    return reader.load(files_glob(bucket)).select("path", "modificationTime", "length")


def files_glob(bucket: str) -> str:
    """All that lies in a bucket but for what is hidden from Spark."""
    return f"{bucket}/[^_.]*"


def expect_all(dp: Any, expected: dict[str, str]) -> Callable[[Callable[[], DataFrame]], Callable[[], DataFrame]]:
    """`dp.expect_all(expected)`, or nothing where pipelines do not know it: see `enforces_by_filter`."""
    return dp.expect_all(expected) if hasattr(dp, "expect_all") else lambda query: query


def enforces_by_filter(dp: Any) -> bool:
    """Whether expectations must be a filter and a quarantine table."""
    return not hasattr(dp, "expect_all")
