"""What keys alone tell: objects that are missing, twice, out of order or not ours, and nodes that are quiet.

Words: an object is *pending* while others of its node overtake it.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lake.findings import FINDING, SOURCE, finding, hours_before, overdue

# No extraction has more parts than routes; a stray key with a million must not make a million findings.
_MOST_PARTS = 100


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
    return finding(
        gaps.withColumn("first_missing", F.col("before") + 1),
        **overdue("overtaken_at", now, pending_hours),
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
    return finding(
        missing,
        **overdue("overtaken_at", now, pending_hours),
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
    return finding(
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


def disagreeing_parts(objects: DataFrame) -> DataFrame:
    """One finding for each extraction whose objects have other ranges or numbers of parts than one another.

    Then two extractions have had one sequence, and parts of both do not make a whole one.
    """
    extractions = objects.groupBy(*SOURCE, "sequence").agg(
        F.size(F.collect_set(F.struct("first_rowid", "last_rowid", "parts"))).alias("claims"),
        F.min("first_rowid").alias("first_rowid"),
        F.max("last_rowid").alias("last_rowid"),
    )
    return finding(
        extractions.where("claims > 1"),
        kind=F.lit("disagreeing_parts"),
        severity=F.lit("error"),
        sequence=F.col("sequence"),
        first_rowid=F.col("first_rowid"),
        last_rowid=F.col("last_rowid"),
        expected=F.lit(1),
        found=F.col("claims"),
        detail=F.lit("its objects are of different extractions: their ranges or numbers of parts differ"),
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
    return finding(
        overlapping,
        kind=F.lit("overlapping_range"),
        severity=F.lit("error"),
        sequence=F.col("sequence"),
        first_rowid=F.col("first_rowid"),
        last_rowid=F.least("last_rowid", "reached"),
        detail=F.lit("an earlier sequence has these rowids too"),
    )


def quiet_nodes(objects: DataFrame, now: Column, quiet_hours: float) -> DataFrame:
    """One finding for each node of which no object of any table has come for so long."""
    nodes = objects.groupBy("node").agg(F.max("modification_time").alias("last"))
    quiet = nodes.where(hours_before(now, "last") >= quiet_hours)
    return finding(
        quiet.select("*", F.lit(None).cast("string").alias("table"), F.lit(None).cast("bigint").alias("generation")),
        kind=F.lit("quiet_node"),
        severity=F.lit("warning"),
        detail=F.format_string("no object for %.1f hours", hours_before(now, "last")),
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
    return finding(
        foreign.where("files > 0").select("*", *none.values()),
        kind=F.lit("set_aside_object"),
        severity=F.lit("info"),
        expected=F.lit(0),
        found=F.col("files"),
        detail=F.concat(F.lit("files that are no objects of the uploader, such as "), "example"),
        since=F.col("first"),
    )
