"""Proves from keys and columns that no object is missing and no row is there twice; names what is.

Everything follows from docs/OBJECTS.md: sequences of a node, table and generation have no gap over all types, an
extraction has `parts` objects, a key says how many rows its object has, and rows of one node, table and generation
never share a `_rowid`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.audit_objects import (
    disagreeing_parts,
    duplicate_objects,
    foreign_files,
    missing_parts,
    missing_sequences,
    overlapping_ranges,
    quiet_nodes,
)
from lake.audit_rows import duplicate_rows, wrong_rows
from lake.findings import SOURCE, hours_before
from lake.object_keys import TYPES


def ingest_audit(
    inventory: DataFrame,
    rows_by_object: DataFrame,
    rowwise: Sequence[DataFrame],
    now: datetime,
    pending_hours: float,
    quiet_hours: float,
    tables: Sequence[str],
) -> DataFrame:
    """All findings, as rows of `findings.FINDING`; none of severity `error` proves that everything seen is complete.

    `inventory` is bronze's list of objects, `rows_by_object` that of `count_rows`, `rowwise` the bronze tables
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
        disagreeing_parts(objects),
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


def ingest_nodes(inventory: DataFrame, rows_by_object: DataFrame, now: datetime) -> DataFrame:
    """One row for each node, table and generation: how far it is, and how long nothing has come."""
    objects = inventory.where(F.col("object_key").isNotNull()).join(rows_by_object, "object_key", "left")
    by_type = [
        F.sum(F.when((F.col("type") == type_) & ~F.col("rejected"), F.col("rows")).otherwise(0)).alias(f"{type_}_rows")
        for type_ in TYPES
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
        .withColumn("lag_seconds", F.greatest(F.lit(0), hours_before(F.lit(now), "last_object_at") * 3600))
    )
