"""What rows tell: objects of which not all have arrived, and rows that are there twice."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lake.findings import SOURCE, finding, hours_before
from lake.object_keys import key_columns

_TABLE_OF_KEY = "regexp_extract(_object_key, '([^/]+)/ingest_date=', 1)"


def count_rows(tables: Sequence[DataFrame]) -> DataFrame:
    """Rows that have arrived, by object: object_key, node_id, rows_found, rows_quarantined, rows_misfit.

    Takes bronze and quarantine tables; of those that have the columns `_failed` (quarantine) and `_rescued_data`
    (Auto Loader), call :func:`countable` first.
    """
    united = tables[0]
    for table in tables[1:]:
        united = united.unionByName(table)
    return united.groupBy(F.col("_object_key").alias("object_key")).agg(
        F.max("_node_id").alias("node_id"),
        F.count("*").alias("rows_found"),
        F.count_if("quarantined").alias("rows_quarantined"),
        F.count_if("misfit").alias("rows_misfit"),
    )


def countable(rows: DataFrame, quarantined: bool = False, rescued_data: bool = False) -> DataFrame:
    """The columns that :func:`count_rows` needs of a table, without looking at its schema."""
    misfit = F.col("_rescued_data").isNotNull() if rescued_data else F.lit(False)
    return rows.select("_object_key", "_node_id", F.lit(quarantined).alias("quarantined"), misfit.alias("misfit"))


def wrong_rows(
    objects: DataFrame, rows_by_object: DataFrame, now: Column, pending_hours: float, tables: Sequence[str]
) -> DataFrame:
    """One finding for each object of which not all rows have arrived, and for each that was set aside.

    Quarantined rows have arrived. An object without rows needs none to be complete. One of which no row has come is
    pending at first: the streams of a run list at different moments, and S3 dates an upload by its beginning.
    """
    # Two files with one key are a finding of their own; the rows of both carry the key.
    files = objects.groupBy("object_key").agg(
        *[F.first(name).alias(name) for name in (*SOURCE, "sequence", "part", "first_rowid", "last_rowid")],
        F.sum("rows").alias("expected"),
        F.max("modification_time").alias("arrived"),
        F.max(F.when(F.col("table").isin(list(tables)), F.col("set_aside")).otherwise(_not_taken())).alias("reason"),
    )
    # Not fillna, which looks at the schema: a pipeline's queries must not, before the tables are there.
    judged = files.join(rows_by_object, "object_key", "left").withColumns(
        {name: F.coalesce(name, F.lit(0)) for name in ("rows_found", "rows_quarantined", "rows_misfit")}
    )
    found, expected = F.col("rows_found"), F.col("expected")
    aside = F.col("reason").isNotNull() | ((found == 0) & (expected > 0)) | (F.col("rows_misfit") > 0)
    quarantined = F.col("rows_quarantined") > 0
    unread = (found == 0) & (hours_before(now, "arrived") < pending_hours)
    to_come = ((F.col("arrived") >= now) | unread) & F.col("reason").isNull()
    wrong = judged.where(aside | (found != expected) | quarantined)
    return finding(
        wrong,
        kind=F.when(to_come, "pending_object")
        .when(aside | (found == expected), "set_aside_object")
        .otherwise("row_count"),
        severity=F.when(to_come, "info").otherwise("error"),
        sequence=F.col("sequence"),
        part=F.col("part"),
        first_rowid=F.col("first_rowid"),
        last_rowid=F.col("last_rowid"),
        object_key=F.col("object_key"),
        expected=expected,
        found=found,
        detail=F.when(to_come, "it came too late for the run, or while it was under way")
        .when(F.col("reason").isNotNull(), F.col("reason"))
        .when(
            F.col("rows_misfit") > 0,
            F.format_string("%d of its rows have values of other types in _rescued_data", F.col("rows_misfit")),
        )
        .when(aside, "it could not be read, or its types are not those of its table")
        .when(
            quarantined & (found == expected),
            F.format_string("%d of its rows failed an expectation", F.col("rows_quarantined")),
        )
        .otherwise(F.format_string("its key says %d rows, %d have come", expected, found)),
        since=F.col("arrived"),
    )


def _not_taken() -> Column:
    return F.format_string("the table %s is not among lake.tables", F.col("table"))


def duplicate_rows(rowwise: Sequence[DataFrame]) -> DataFrame:
    """One finding for each set of objects that share rows: `found` rows of the `expected` different ones."""
    united = None
    for table in rowwise:
        rows = table.select("_node_id", "_generation", "_rowid", "_object_key", F.expr(_TABLE_OF_KEY).alias("table"))
        united = rows if united is None else united.unionByName(rows)
    assert united is not None, "no row-wise table"
    shared = (
        united.groupBy("_node_id", "table", "_generation", "_rowid")
        .agg(F.count("*").alias("times"), F.array_sort(F.collect_set("_object_key")).alias("keys"))
        .where("times > 1")
        .groupBy("keys")
        .agg(
            F.min("_rowid").alias("lowest"),
            F.max("_rowid").alias("highest"),
            F.count("*").alias("expected"),
            F.sum("times").alias("found"),
        )
    )
    named = shared.select(*key_columns(F.col("keys")[0]), "keys", "lowest", "highest", "expected", "found")
    return finding(
        named,
        kind=F.lit("duplicate_rows"),
        severity=F.lit("error"),
        sequence=F.col("sequence"),
        part=F.col("part"),
        first_rowid=F.col("lowest"),
        last_rowid=F.col("highest"),
        object_key=F.col("object_key"),
        expected=F.col("expected"),
        found=F.col("found"),
        detail=F.concat(F.lit("the same rows are in "), F.array_join("keys", " and ")),
    )
