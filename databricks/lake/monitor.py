"""What notebooks/03_monitor shows, from the audit that bronze keeps: `ingest_nodes` and `ingest_audit`."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

SOURCE = ("node", "table", "generation")


def rows_per_node(nodes: DataFrame) -> DataFrame:
    """One row for each node and table over all its generations: objects, bytes, and rows by where they went."""
    counted = ("raw_rows", "schematized_rows", "emergency_rows", "rejected_rows", "aggregated_rows")
    return (
        nodes.groupBy("node", "table")
        .agg(
            F.max("generation").alias("generations"),
            F.sum("objects").alias("objects"),
            F.sum("bytes").alias("bytes"),
            *[F.sum(name).alias(name) for name in counted],
        )
        .orderBy("node", "table")
    )


def lag_per_node(nodes: DataFrame) -> DataFrame:
    """How long ago the last object of each node came, as of now and not of the last run; the longest first."""
    last = nodes.groupBy("node").agg(F.max("last_object_at").alias("last_object_at"))
    seconds = F.timestamp_diff("SECOND", F.col("last_object_at"), F.current_timestamp())
    return last.withColumn("lag_minutes", F.round(seconds / 60.0, 1)).orderBy(F.desc("lag_minutes"), "node")


def gaps(audit: DataFrame) -> DataFrame:
    """Sequences and parts that have not come: errors, and those that may still be on their way."""
    wanted = audit.where(F.col("kind").isin("missing_object", "pending_object"))
    return _sorted(wanted, "sequence", "part", "first_rowid", "last_rowid", "expected", "since")


def duplicates(audit: DataFrame) -> DataFrame:
    """Rows and objects that are there twice, and what tells of readings that are."""
    kinds = ("duplicate_rows", "duplicate_object", "disagreeing_parts", "overlapping_range")
    wanted = audit.where(F.col("kind").isin(*kinds))
    return _sorted(wanted, "sequence", "part", "first_rowid", "last_rowid", "expected", "found", "object_key")


def set_aside(audit: DataFrame) -> DataFrame:
    """Objects whose rows are not, or not all, in bronze."""
    return _sorted(audit.where(F.col("kind").isin("set_aside_object", "row_count")), "object_key", "expected", "found")


def rejected(nodes: DataFrame) -> DataFrame:
    """The share of rows that failed the edge's schema, of all that were checked against it."""
    checked = F.sum("schematized_rows") + F.sum("rejected_rows")
    return (
        nodes.groupBy("node", "table")
        .agg(F.sum("rejected_rows").alias("rejected_rows"), checked.alias("checked_rows"))
        .where("checked_rows > 0")
        .withColumn("rejected_share", F.round(F.col("rejected_rows") / F.col("checked_rows"), 4))
        .orderBy(F.desc("rejected_share"), "node", "table")
    )


def reasons(rejected_rows: DataFrame) -> DataFrame:
    """Why rows were rejected, from the uploader's `_errors`; the most frequent first."""
    return rejected_rows.groupBy("_node_id", "_errors").count().orderBy(F.desc("count"), "_node_id", "_errors")


def _sorted(findings: DataFrame, *columns: str) -> DataFrame:
    rank = F.expr("array_position(array('error', 'warning', 'info'), severity)")
    return findings.orderBy(rank, *SOURCE, "since").select("kind", "severity", *SOURCE, *columns, "detail")
