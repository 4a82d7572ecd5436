"""Proves from keys and columns that no object is missing and no row is there twice; names what is.

Everything follows from docs/OBJECTS.md: sequences of a node, table and generation have no gap over all types, an
extraction has `parts` objects, a key says how many rows its object has, and rows of one node, table and generation
never share a `_rowid`. Words: an object is *pending* while others of its node overtake it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lake.object_keys import key_columns

SOURCE = ("node", "table", "generation")

# The columns of a finding, and their types.
FINDING = {
    "kind": "string",
    "severity": "string",
    "node": "string",
    "table": "string",
    "generation": "bigint",
    "sequence": "bigint",
    "part": "bigint",
    "first_rowid": "bigint",
    "last_rowid": "bigint",
    "object_key": "string",
    "expected": "bigint",
    "found": "bigint",
    "detail": "string",
    "since": "timestamp",
}

# No extraction has more parts than routes; a stray key with a million must not make a million findings.
_MOST_PARTS = 100


def ingest_audit(
    inventory: DataFrame,
    rows_by_object: DataFrame,
    rowwise: Sequence[DataFrame],
    now: datetime,
    pending_hours: float,
    quiet_hours: float,
    tables: Sequence[str],
) -> DataFrame:
    """All findings, as rows of :data:`FINDING`; none of severity `error` proves that everything seen is complete.

    `inventory` is bronze's list of objects, `rows_by_object` that of :func:`count_rows`, `rowwise` the bronze tables
    of raw, schematized, rejected and emergency rows; `now` is when the run began: objects that came later may have
    been listed after the rows were read, and are not judged before the next run. `tables` are the sources that bronze
    takes, as keys name them.
    """
    objects = inventory.where(F.col("object_key").isNotNull())
    moment = F.lit(now)
    findings = [
        missing_sequences(objects, moment, pending_hours),
        missing_parts(objects, moment, pending_hours),
        duplicate_objects(objects),
        overlapping_ranges(objects),
        wrong_rows(objects, rows_by_object, moment, pending_hours, tables),
        duplicate_rows(rowwise),
        quiet_nodes(objects, moment, quiet_hours),
        foreign_files(inventory),
    ]
    united = findings[0]
    for finding in findings[1:]:
        united = united.unionByName(finding)
    return united


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


def missing_sequences(objects: DataFrame, now: Column, pending_hours: float) -> DataFrame:
    """One finding for each gap, with the first sequence that is missing and, in `expected`, how many are.

    The rowids lie between those of the extractions before and after it; the range is a bound. A gap is as old as the
    oldest of the objects behind it.
    """
    extractions = objects.groupBy(*SOURCE, "sequence").agg(
        F.min("first_rowid").alias("next_first"),
        F.max("last_rowid").alias("last"),
        F.min("modification_time").alias("arrived"),
    )
    in_order = Window.partitionBy(*SOURCE).orderBy("sequence")
    behind = in_order.rowsBetween(Window.currentRow, Window.unboundedFollowing)
    gaps = extractions.select(
        "*",
        F.coalesce(F.lag("sequence").over(in_order), F.lit(0)).alias("before"),
        F.lag("last").over(in_order).alias("last_before"),
        F.min("arrived").over(behind).alias("overtaken_at"),
    ).where("sequence > before + 1")
    last_missing = F.col("sequence") - 1
    return _finding(
        gaps.withColumn("first_missing", F.col("before") + 1),
        **_overdue("overtaken_at", now, pending_hours),
        sequence=F.col("first_missing"),
        first_rowid=F.expr("try_add(last_before, 1L)"),
        last_rowid=F.expr("try_subtract(next_first, 1L)"),
        expected=F.col("sequence") - F.col("first_missing"),
        found=F.lit(0),
        detail=F.when(
            last_missing > F.col("first_missing"),
            F.format_string("no object of the sequences %d to %d has come", F.col("first_missing"), last_missing),
        ).otherwise(F.format_string("no object of the sequence %d has come", F.col("first_missing"))),
    )


def missing_parts(objects: DataFrame, now: Column, pending_hours: float) -> DataFrame:
    """One finding for each part of an extraction that has not come while another part has."""
    extractions = objects.groupBy(*SOURCE, "sequence").agg(
        F.max("parts").alias("parts"),
        F.collect_set("part").alias("present"),
        F.min("first_rowid").alias("first_rowid"),
        F.max("last_rowid").alias("last_rowid"),
        F.min("modification_time").alias("overtaken_at"),
    )
    every = F.sequence(F.lit(1).cast("bigint"), F.least("parts", F.lit(_MOST_PARTS)))
    missing = extractions.withColumn("part", F.explode(F.array_except(every, "present")))
    return _finding(
        missing,
        **_overdue("overtaken_at", now, pending_hours),
        sequence=F.col("sequence"),
        part=F.col("part"),
        first_rowid=F.col("first_rowid"),
        last_rowid=F.col("last_rowid"),
        expected=F.lit(1),
        found=F.lit(0),
        detail=F.format_string("part %d of %d has not come", F.col("part"), F.col("parts")),
    )


def duplicate_objects(objects: DataFrame) -> DataFrame:
    """One finding for each file beyond the first that claims the same part of the same extraction."""
    same = Window.partitionBy(*SOURCE, "sequence", "part")
    first = F.first("_source_file").over(same.orderBy("modification_time", "_source_file"))
    ranked = objects.select(
        "*",
        first.alias("original"),
        F.row_number().over(same.orderBy("modification_time", "_source_file")).alias("rank"),
    ).where("rank > 1")
    return _finding(
        ranked,
        kind=F.lit("duplicate_object"),
        severity=F.lit("error"),
        sequence=F.col("sequence"),
        part=F.col("part"),
        first_rowid=F.col("first_rowid"),
        last_rowid=F.col("last_rowid"),
        object_key=F.col("object_key"),
        expected=F.lit(1),
        found=F.col("rank"),
        detail=F.concat(F.lit("it is the same part of the same extraction as "), "original"),
        since=F.col("modification_time"),
    )


def overlapping_ranges(objects: DataFrame) -> DataFrame:
    """One finding for each extraction whose range begins before the end of an earlier one's, with what they share.

    Ranges of one generation are disjoint and in order. Of windows, which have no rowids, only this tells that readings
    are there twice.
    """
    extractions = objects.groupBy(*SOURCE, "sequence").agg(
        F.min("first_rowid").alias("first_rowid"), F.max("last_rowid").alias("last_rowid")
    )
    before = Window.partitionBy(*SOURCE).orderBy("sequence").rowsBetween(Window.unboundedPreceding, -1)
    overlapping = extractions.withColumn("reached", F.max("last_rowid").over(before)).where("first_rowid <= reached")
    return _finding(
        overlapping,
        kind=F.lit("overlapping_range"),
        severity=F.lit("error"),
        sequence=F.col("sequence"),
        first_rowid=F.col("first_rowid"),
        last_rowid=F.least("last_rowid", "reached"),
        detail=F.lit("an earlier sequence has these rowids too"),
    )


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
    unread = (found == 0) & (_hours_before(now, "arrived") < pending_hours)
    to_come = ((F.col("arrived") >= now) | unread) & F.col("reason").isNull()
    wrong = judged.where(aside | (found != expected) | quarantined)
    return _finding(
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
    return _finding(
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


_TABLE_OF_KEY = "regexp_extract(_object_key, '([^/]+)/ingest_date=', 1)"


def quiet_nodes(objects: DataFrame, now: Column, quiet_hours: float) -> DataFrame:
    """One finding for each node of which no object of any table has come for so long."""
    nodes = objects.groupBy("node").agg(F.max("modification_time").alias("last"))
    quiet = nodes.where(_hours_before(now, "last") >= quiet_hours)
    return _finding(
        quiet.select("*", F.lit(None).cast("string").alias("table"), F.lit(None).cast("bigint").alias("generation")),
        kind=F.lit("quiet_node"),
        severity=F.lit("warning"),
        detail=F.format_string("no object for %.1f hours", _hours_before(now, "last")),
        since=F.col("last"),
    )


def foreign_files(inventory: DataFrame) -> DataFrame:
    """One finding of severity info with the number of files in the buckets that are no objects of the uploader."""
    foreign = inventory.where(F.col("object_key").isNull()).agg(
        F.count("*").alias("files"),
        F.min("_source_file").alias("example"),
        F.min("modification_time").alias("first"),
    )
    none = {name: F.lit(None).cast(FINDING[name]).alias(name) for name in SOURCE}
    return _finding(
        foreign.where("files > 0").select("*", *none.values()),
        kind=F.lit("set_aside_object"),
        severity=F.lit("info"),
        expected=F.lit(0),
        found=F.col("files"),
        detail=F.concat(F.lit("files that are no objects of the uploader, such as "), "example"),
        since=F.col("first"),
    )


def ingest_nodes(inventory: DataFrame, rows_by_object: DataFrame, now: datetime) -> DataFrame:
    """One row for each node, table and generation: how far it is, and how long nothing has come."""
    objects = inventory.where(F.col("object_key").isNotNull()).join(rows_by_object, "object_key", "left")
    by_type = [
        F.sum(F.when((F.col("type") == type_) & ~F.col("rejected"), F.col("rows")).otherwise(0)).alias(f"{type_}_rows")
        for type_ in ("raw", "schematized", "aggregated", "emergency")
    ]
    return (
        objects.groupBy(*SOURCE)
        .agg(
            F.max("node_id").alias("node_id"),
            F.max("sequence").alias("highest_sequence"),
            F.max("last_rowid").alias("highest_rowid"),
            F.count("*").alias("objects"),
            *by_type,
            F.sum(F.when(F.col("rejected"), F.col("rows")).otherwise(0)).alias("rejected_rows"),
            F.sum("bytes").alias("bytes"),
            F.min("modification_time").alias("first_object_at"),
            F.max("modification_time").alias("last_object_at"),
        )
        .withColumn("lag_seconds", F.greatest(F.lit(0), _hours_before(F.lit(now), "last_object_at") * 3600))
    )


def _finding(frame: DataFrame, **values: Column) -> DataFrame:
    """Rows of FINDING: node, table and generation as in the frame, the rest as given, or null."""
    columns = {name: F.lit(None) for name in FINDING} | {name: F.col(name) for name in SOURCE} | values
    return frame.select([columns[name].cast(type_).alias(name) for name, type_ in FINDING.items()])


def _overdue(overtaken_at: str, now: Column, pending_hours: float) -> dict[str, Column]:
    """Kind, severity and since of something that later objects have overtaken."""
    overdue = _hours_before(now, overtaken_at) >= pending_hours
    return {
        "kind": F.when(overdue, "missing_object").otherwise("pending_object"),
        "severity": F.when(overdue, "error").otherwise("info"),
        "since": F.col(overtaken_at),
    }


def _hours_before(now: Column, time: str) -> Column:
    return F.timestamp_diff("MICROSECOND", F.col(time), now) / 3.6e9
