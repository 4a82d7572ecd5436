"""What bronze makes of objects: rows with their origin, the expectations they must meet, and the list of objects."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from lake.object_keys import ingest_date, key_columns, object_key
from lake.sources import Source

# Columns that bronze adds to those of the objects.
ADDED = ("ingest_date", "_source_file", "_object_key", "_ingested_at", "_ingestion_date")

_RANGE_OF_KEY = "_object_key, '-(n?[0-9]{19})-(n?[0-9]{19})-[0-9]+[.]parquet$'"


def base_schema(source: Source) -> StructType:
    """The columns that every object of a table has, whatever its source (docs/OBJECTS.md, "Columns")."""
    text, long, time = StringType(), LongType(), TimestampType()
    columns: list[tuple[str, StringType | LongType | TimestampType]] = []
    if source.rowwise:
        columns += [("_rowid", long), ("_rescued", text)]
        columns += [("_errors", text)] if source.rejected else []
        columns += [("_schema_version", text)] if source.type == "schematized" and not source.rejected else []
    else:
        columns += [("window_start", time), ("window_end", time), ("reading_count", long)]
    columns += [("_node_id", text), ("_generation", long), ("_extracted_at", time)]
    return StructType([StructField(name, type_) for name, type_ in columns])


def bronze_rows(objects: DataFrame, set_aside: Mapping[str, str] | None = None) -> DataFrame:
    """Rows of objects with where they are from: `ingest_date` and :data:`ADDED`'s others.

    `objects` comes from a file source (it has `_metadata`). Rows of files that are no objects of ours, and of the
    keys in `set_aside`, are left out.
    """
    path = F.col("_metadata.file_path")
    key = object_key(path)
    # Conditions on the path alone, and before all else, keep Spark from opening these files at all.
    wanted = objects.where(key.isNotNull())
    if set_aside:
        wanted = wanted.where(~key.isin(list(set_aside)))
    return wanted.select(
        "*",
        ingest_date(path),
        path.alias("_source_file"),
        key.alias("_object_key"),
        F.current_timestamp().alias("_ingested_at"),
        F.current_date().alias("_ingestion_date"),
    )


def expectations(source: Source) -> dict[str, str]:
    """What holds for every row of a table if the contract is kept: conditions in SQL by name."""
    expected = {
        "node_is_known": "_node_id IS NOT NULL",
        "time_is_known": "_extracted_at IS NOT NULL",
        "generation_is_that_of_its_key": (
            "_generation = try_cast(regexp_extract(_object_key, "
            "'-([0-9]+)-[0-9]+-[0-9]+of[0-9]+-n?[0-9]+-n?[0-9]+-[0-9]+[.]parquet$', 1) AS BIGINT)"
        ),
    }
    if source.rowwise:
        first, last = (
            f"try_cast(replace(regexp_extract({_RANGE_OF_KEY}, {group}), 'n', '-') AS BIGINT)" for group in (1, 2)
        )
        expected["rowid_is_in_the_range_of_its_key"] = f"_rowid BETWEEN {first} AND {last}"
    else:
        expected["readings_are_counted"] = "reading_count > 0"
        expected["window_has_both_ends"] = "window_start < window_end OR (window_start IS NULL AND window_end IS NULL)"
    if source.rejected:
        expected["reason_is_given"] = "_errors IS NOT NULL"
    return expected


def meeting(rows: DataFrame, expected: Mapping[str, str]) -> DataFrame:
    """The rows that meet all expectations."""
    return rows.where(_all(expected))


def failing(rows: DataFrame, expected: Mapping[str, str]) -> DataFrame:
    """The other rows, with the names of what they fail in `_failed` (array of strings)."""
    names = [F.when(~_holds(condition), F.lit(name)) for name, condition in expected.items()]
    return rows.where(~_all(expected)).withColumn("_failed", F.array_compact(F.array(*names)))


def inventory(files: DataFrame, set_aside: Mapping[str, str] | None = None) -> DataFrame:
    """One row for each file of the buckets, from the columns path, modificationTime and length of `binaryFile`.

    What its key says (docs/OBJECTS.md), `bytes`, `modification_time`, `_source_file`, `_ingested_at`, and in
    `set_aside` why its rows were left out. A file that is no object of ours has null in the columns of its key.
    """
    key = object_key(F.col("path"))
    reasons = [item for pair in (set_aside or {}).items() for item in map(F.lit, pair)]
    return files.select(
        *key_columns(F.col("path")),
        F.col("length").alias("bytes"),
        F.col("modificationTime").alias("modification_time"),
        F.col("path").alias("_source_file"),
        F.current_timestamp().alias("_ingested_at"),
        (F.create_map(*reasons)[key] if reasons else F.lit(None).cast("string")).alias("set_aside"),
    )


def _all(expected: Mapping[str, str]) -> Column:
    whole = F.lit(True)
    for condition in expected.values():
        whole = whole & _holds(condition)
    return whole


def _holds(condition: str) -> Column:
    # A condition that is null does not hold.
    return F.coalesce(F.expr(condition), F.lit(False))
