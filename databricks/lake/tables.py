"""The tables of bronze: what each is called, what it holds, and the query that makes it.

One list, from which `declare` makes a pipeline, and `streams.py` plain streams for an ordinary Spark session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from lake import audit_rows, runtime
from lake.audit import ingest_audit, ingest_nodes
from lake.bronze import bronze_rows, expectations, failing, inventory, meeting
from lake.schemas import Learned
from lake.sources import Settings, Source, sources


@dataclass(frozen=True)
class Table:
    """A streaming table (`query` is a stream, new rows are appended) or a view that is made anew by each run."""

    name: str
    comment: str
    query: Callable[[], DataFrame]
    streaming: bool
    expected: Mapping[str, str] = field(default_factory=dict)


def bronze_tables(
    spark: SparkSession,
    settings: Settings,
    learned: Learned,
    by_filter: bool,
    qualify: Callable[[str], str] = lambda name: name,
) -> list[Table]:
    """All tables, those first that others read.

    `by_filter`: expectations are a filter and a quarantine table; otherwise they are left to the pipeline.
    `qualify` makes of a table's name the one under which the session finds it.
    """
    now = datetime.now(UTC)
    declared = sources(settings)
    tables = [_inventory(spark, settings, learned)]
    for source in declared:
        tables += _rows(spark, source, learned, by_filter)

    def read(name: str) -> DataFrame:
        return spark.read.table(qualify(name))

    def rows_by_object() -> DataFrame:
        countable = [audit_rows.countable(read(source.name), rescued_data=runtime.ON_DATABRICKS) for source in declared]
        if by_filter:
            countable += [audit_rows.countable(read(source.quarantine), quarantined=True) for source in declared]
        return audit_rows.count_rows(countable)

    def findings() -> DataFrame:
        return ingest_audit(
            read("object_inventory"),
            rows_by_object(),
            [read(source.name) for source in declared if source.rowwise],
            now,
            settings.pending_hours,
            settings.quiet_hours,
            settings.tables,
        )

    tables += [
        Table("ingest_audit", "What is missing, twice, set aside or quiet: one row per finding", findings, False),
        Table(
            "ingest_nodes",
            "How far each node, table and generation is",
            lambda: ingest_nodes(read("object_inventory"), rows_by_object(), now),
            False,
        ),
    ]
    return tables


def declare(dp: Any, spark: SparkSession, settings: Settings, learned: Learned) -> None:
    """Declares all tables to `pyspark.pipelines`."""
    for table in bronze_tables(spark, settings, learned, runtime.enforces_by_filter(dp)):
        decorate = dp.table if table.streaming else dp.materialized_view
        query = runtime.expect_all(dp, dict(table.expected))(table.query) if table.expected else table.query
        decorate(name=table.name, comment=table.comment)(query)


def _inventory(spark: SparkSession, settings: Settings, learned: Learned) -> Table:
    return Table(
        "object_inventory",
        "One row per object that ever lay in a bucket, as its key says",
        lambda: inventory(runtime.list_files(spark, settings), learned.set_aside),
        True,
    )


def _rows(spark: SparkSession, source: Source, learned: Learned, by_filter: bool) -> list[Table]:
    schema: StructType | None = learned.schemas.get(source.name)
    expected = expectations(source)
    what = f"rejected {source.type}" if source.rejected else source.type

    def rows() -> DataFrame:
        return bronze_rows(runtime.read_objects(spark, source, schema), learned.set_aside)

    comment = f"Rows of {source.table} from the {what} objects"
    if not by_filter:
        return [Table(source.name, comment, rows, True, expected)]
    return [
        Table(source.name, comment, lambda: meeting(rows(), expected), True),
        Table(
            source.quarantine,
            f"Rows that do not meet the expectations of {source.name}",
            lambda: failing(rows(), expected),
            True,
        ),
    ]
