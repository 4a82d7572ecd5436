"""Takes the keys of objects apart, as docs/OBJECTS.md ("Buckets and keys") defines them, in Spark SQL expressions.

A path is read from its right end, so that it does not matter where the bucket lies, and node ids keep their hyphens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

TYPES = ("raw", "schematized", "aggregated", "emergency")

# The groups are, from left to right, those of ObjectKey. Java and Python read this pattern alike.
_KEY = (
    r"(rejected/)?(" + "|".join(TYPES) + r")/([A-Za-z0-9][A-Za-z0-9._-]*)/ingest_date=(\d{4}-\d{2}-\d{2})/"
    r"([A-Za-z0-9][A-Za-z0-9._-]*)-(\d{4,10})-(\d{10,16})-(\d{1,9})of(\d{1,9})"
    r"-(n?\d{19})-(n?\d{19})-(\d{1,16})\.parquet"
)
_PATH = rf"(?:^|/)({_KEY})$"

_GROUPS = (
    "rejected",
    "type",
    "table",
    "ingest_date",
    "node",
    "generation",
    "sequence",
    "part",
    "parts",
    "first_rowid",
    "last_rowid",
    "rows",
)


@dataclass(frozen=True)
class ObjectKey:
    """What a key says. `node` and `table` are safe names; the range is the extraction's, the same for all parts."""

    key: str
    rejected: bool
    type: str
    table: str
    ingest_date: str
    node: str
    generation: int
    sequence: int
    part: int
    parts: int
    first_rowid: int
    last_rowid: int
    rows: int


def object_key(path: Column) -> Column:
    """The key within its bucket (string) of an object's path or URL; null where it is no key of ours."""
    found = F.regexp_extract(path, _PATH, 1)
    return F.when(found != "", found)


def key_columns(path: Column) -> list[Column]:
    """What the key at the end of `path` says, in columns named as in :class:`ObjectKey`; all null for no key."""

    def group(name: str) -> Column:
        return _group(path, name)

    def number(name: str) -> Column:
        # `n` is the sign of a negative rowid. One beyond 64 bits is no rowid, and null.
        return F.regexp_replace(group(name), "^n", "-").try_cast("bigint").alias(name)

    return [
        object_key(path).alias("object_key"),
        (group("rejected") != "").alias("rejected"),
        group("type").alias("type"),
        group("table").alias("table"),
        ingest_date(path),
        group("node").alias("node"),
        *[number(name) for name in ("generation", "sequence", "part", "parts", "first_rowid", "last_rowid", "rows")],
    ]


def ingest_date(path: Column) -> Column:
    """The day of the extraction in UTC (date), from an object's path or URL."""
    return _group(path, "ingest_date").try_cast("date").alias("ingest_date")


def _group(path: Column, name: str) -> Column:
    return F.when(object_key(path).isNotNull(), F.regexp_extract(path, _PATH, _GROUPS.index(name) + 2))


def parse_path(path: str) -> ObjectKey | None:
    """The same for one path, in Python."""
    match = re.search(_PATH, path)
    if match is None:
        return None
    key, rejected, type_, table, ingest_date, node, *numbers = match.groups()
    values = [int(number.replace("n", "-")) for number in numbers]
    return ObjectKey(key, rejected is not None, type_, table, ingest_date, node, *values)


def key_of(path: str) -> str:
    """The key at the end of the path of an object of ours."""
    parsed = parse_path(path)
    if parsed is None:
        raise ValueError(f"{path} is no object of the uploader")
    return parsed.key
