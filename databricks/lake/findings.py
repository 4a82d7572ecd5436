"""What a finding of the audit is: its columns, and how one is made."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

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


def finding(frame: DataFrame, **values: Column) -> DataFrame:
    """Rows of FINDING: node, table and generation as in the frame, the rest as given, or null."""
    columns = {name: F.lit(None) for name in FINDING} | {name: F.col(name) for name in SOURCE} | values
    return frame.select([columns[name].cast(type_).alias(name) for name, type_ in FINDING.items()])


def overdue(overtaken_at: str, now: Column, pending_hours: float) -> dict[str, Column]:
    """Kind, severity and since of something that later objects have overtaken."""
    overdue = hours_before(now, overtaken_at) >= pending_hours
    return {
        "kind": F.when(overdue, "missing_object").otherwise("pending_object"),
        "severity": F.when(overdue, "error").otherwise("info"),
        "since": F.col(overtaken_at),
    }


def hours_before(now: Column, time: str) -> Column:
    """Hours (double) from the column `time` to `now`; negative where it is later."""
    return F.timestamp_diff("MICROSECOND", F.col(time), now) / 3.6e9
