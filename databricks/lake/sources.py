"""Which tables there are: one for each pipeline type of each source, and one for its rejected rows.

Settings are read from the pipeline's configuration (`spark.conf`), all under `lake.`:

    lake.tables          the sources, as they are named in keys, with commas between; default sensor_readings
    lake.url             what stands before the name of a bucket; default s3://
    lake.bucket_prefix   buckets are named {prefix}-databricks-{type}-{region} …
    lake.region
    lake.bucket.{type}   … unless a bucket is named here
    lake.pending_hours   how long a gap may be an object on its way; default 6
    lake.quiet_hours     how long a node may be silent; default 24
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lake.object_keys import TYPES


@dataclass(frozen=True)
class Settings:
    """Where the objects lie, and how patient the audit is. `buckets` has one URL for each pipeline type."""

    tables: tuple[str, ...]
    buckets: dict[str, str]
    pending_hours: float
    quiet_hours: float


@dataclass(frozen=True)
class Source:
    """The objects of one bronze table: those below `folder`, which is a URL."""

    name: str
    type: str
    table: str
    rejected: bool
    folder: str

    @property
    def rowwise(self) -> bool:
        """Whether a row stands for one row of the source, with its `_rowid`; if not, for a window of them."""
        return self.type != "aggregated"

    @property
    def glob(self) -> str:
        """Its objects. A pattern may match nothing yet, where Spark takes a missing folder for an error."""
        return f"{self.folder}/ingest_date=*/*.parquet"

    @property
    def quarantine(self) -> str:
        """The table of the rows that failed an expectation."""
        return f"{self.name}_quarantine"


def read_settings(get: Callable[[str, str], str]) -> Settings:
    """Settings from `spark.conf.get`.

    Raises ValueError where buckets cannot be named, or two tables would have one name.
    """
    prefix, region = get("lake.bucket_prefix", ""), get("lake.region", "")
    buckets: dict[str, str] = {}
    for type_ in TYPES:
        default = f"{prefix}-databricks-{type_}-{region}" if prefix and region else ""
        bucket = get(f"lake.bucket.{type_}", "") or default
        if not bucket:
            raise ValueError(f"Set lake.bucket_prefix and lake.region, or lake.bucket.{type_}.")
        buckets[type_] = get("lake.url", "s3://") + bucket
    tables = tuple(table.strip() for table in get("lake.tables", "sensor_readings").split(",") if table.strip())
    settings = Settings(tables, buckets, float(get("lake.pending_hours", "6")), float(get("lake.quiet_hours", "24")))
    names = [source.name for source in sources(settings)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Two of lake.tables would both be {', '.join(twice)}.")
    return settings


def sources(settings: Settings) -> list[Source]:
    """All bronze tables with rows, in a fixed order."""
    found = []
    for table in settings.tables:
        for type_ in TYPES:
            for rejected in (False, True) if type_ == "schematized" else (False,):
                # A key's table may have dots and hyphens, which a table's name in SQL may not.
                name = f"{type_}_{re.sub(r'[^A-Za-z0-9_]', '_', table)}{'_rejected' if rejected else ''}".lower()
                folder = f"{settings.buckets[type_]}/{'rejected/' if rejected else ''}{type_}/{table}"
                found.append(Source(name, type_, table, rejected, folder))
    return found
