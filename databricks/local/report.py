"""Holds the tables against what the sensors wrote, line by line. Exit code 1 where a line does not hold."""

from __future__ import annotations

import argparse
import math
import sqlite3
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from pyspark.sql import DataFrame, SparkSession  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402

from lake.aggregates import merge_aggregates, metrics  # noqa: E402

# The schema of run.py rejects readings above it.
MAXIMUM_TEMPERATURE = 68
WINDOW_SECONDS = 60
BRONZE, GOLD = "local_bronze", "local_gold"
EVENTS = ("raw_sensor_readings", "schematized_sensor_readings", "emergency_sensor_readings")
REJECTED = "schematized_sensor_readings_rejected"
SAMPLES = ("fct_iot_events", "fct_alerts", "dim_devices", "agg_daily_device_metrics", "fleet_health")


class Report:
    """Lines of a table: what is compared, the two figures, whether they are the same."""

    def __init__(self) -> None:
        """An empty table."""
        self.lines: list[tuple[str, str, str, bool]] = []

    def compare(self, what: str, expected: object, found: object) -> None:
        """One line."""
        self.lines.append((what, str(expected), str(found), expected == found))

    def print(self) -> bool:
        """Prints it; whether all lines hold."""
        rows = [
            ("", "expected", "found", ""),
            *[(*line[:3], "ok" if line[3] else "DOES NOT HOLD") for line in self.lines],
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for what, expected, found, verdict in rows:
            print(f"{what:<{widths[0]}}  {expected:>{widths[1]}}  {found:>{widths[2]}}  {verdict}".rstrip())
        return all(line[3] for line in self.lines)


def main() -> int:
    """Compares, prints the table and samples of gold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--second-run", type=datetime.fromisoformat, required=True)
    parser.add_argument("--nodes", required=True)
    arguments = parser.parse_args()
    databases = {node: arguments.work / "edges" / node / "sensor_data.db" for node in arguments.nodes.split(",")}

    spark = SparkSession.builder.master("local[2]").getOrCreate()
    has_gold = spark.catalog.databaseExists(GOLD)
    report = Report()
    for node, database in databases.items():
        _compare_node(spark, report, node, database, has_gold)
    inventory = spark.table(f"{BRONZE}.object_inventory")
    came_later = inventory.where(F.col("modification_time") >= F.lit(arguments.second_run))
    report.compare(
        "objects that the second run took: those that came after the first",
        came_later.count(),
        _objects_since(spark, arguments.second_run),
    )
    audit = spark.table(f"{BRONZE}.ingest_audit")
    errors = audit.where("severity = 'error'")
    report.compare("errors in ingest_audit", 0, errors.count())
    holds = report.print()
    if audit.count():
        _show("ingest_audit", audit)
    _show("ingest_nodes", spark.table(f"{BRONZE}.ingest_nodes"))
    for name in SAMPLES if has_gold else ():
        if spark.catalog.tableExists(f"{GOLD}.{name}"):
            _show(name, spark.table(f"{GOLD}.{name}"))
    return 0 if holds else 1


def _compare_node(spark: SparkSession, report: Report, node: str, database: Path, has_gold: bool) -> None:
    def of_node(name: str) -> DataFrame:
        return spark.table(f"{BRONZE}.{name}").where(F.col("_node_id") == node)

    aggregated = of_node("aggregated_sensor_readings")
    in_sqlite = _scalar(database, "SELECT count(*) FROM sensor_readings")
    events = sum(of_node(name).count() for name in EVENTS)
    rejected = of_node(REJECTED).count()
    counted = aggregated.groupBy().sum("reading_count").first()[0]
    report.compare(f"{node}: rows in SQLite = in bronze", in_sqlite, events + rejected + counted)
    ids = [of_node(name).select("_rowid") for name in (*EVENTS, REJECTED)]
    distinct = ids[0].union(ids[1]).union(ids[2]).union(ids[3]).distinct().count()
    report.compare(f"{node}: different rows in bronze", in_sqlite - counted, distinct)
    if has_gold:
        gold = spark.table(f"{GOLD}.fct_iot_events").where(F.col("_node_id") == node).count()
        report.compare(f"{node}: rows that are neither rejected nor aggregated = fct_iot_events", events, gold)
    expected = f"temperature > {MAXIMUM_TEMPERATURE} AND ({_ranges(spark, node, 'schematized')})"
    out_of_range = _scalar(database, f"SELECT count(*) FROM sensor_readings WHERE {expected}")
    report.compare(
        f"{node}: rows in SQLite that the schema forbids = rejected, each with a reason", out_of_range, rejected
    )
    computed = _aggregates_of_rows(database, _ranges(spark, node, "aggregated"), metrics(aggregated.columns))
    merged = _merged(aggregated)
    report.compare(f"{node}: windows computed from rows of SQLite = merged", len(computed), len(merged))
    same = sum(_same_figures(computed[key], merged.get(key)) for key in computed)
    report.compare(f"{node}: windows of which all figures are the same", len(computed), same)


def _objects_since(spark: SparkSession, time: datetime) -> int:
    keys = [
        spark.table(f"{BRONZE}.{name}").where(F.col("_ingested_at") >= F.lit(time)).select("_object_key")
        for name in (*EVENTS, REJECTED, "aggregated_sensor_readings")
    ]
    united = keys[0]
    for more in keys[1:]:
        united = united.union(more)
    return united.distinct().count()


def _ranges(spark: SparkSession, node: str, type_: str) -> str:
    """A condition for the rowids of a type's extractions."""
    objects = spark.table(f"{BRONZE}.object_inventory").where((F.col("node") == node) & (F.col("type") == type_))
    ranges = objects.select("first_rowid", "last_rowid").distinct().collect()
    return " OR ".join(f"id BETWEEN {first} AND {last}" for first, last in ranges)


def _aggregates_of_rows(database: Path, condition: str, names: list[str]) -> dict[tuple, tuple]:
    """(window, sensor, location) to (readings, anomalies, then count, sum, min, max, sum of squares of each metric)."""
    window = f"CAST(strftime('%s', timestamp) AS INTEGER) / {WINDOW_SECONDS} * {WINDOW_SECONDS}"
    figures = ", ".join(
        f'count("{name}"), total("{name}"), min("{name}"), max("{name}"), total("{name}" * "{name}")' for name in names
    )
    sql = (
        f"SELECT {window}, sensor_id, location, count(*), sum(anomaly_flag), {figures} "
        f"FROM sensor_readings WHERE {condition} GROUP BY 1, 2, 3"
    )
    with closing(sqlite3.connect(database)) as db:
        return {row[:3]: row[3:] for row in db.execute(sql)}


def _merged(aggregated: DataFrame) -> dict[tuple, tuple]:
    names = metrics(aggregated.columns)
    figures = [f"{name}_{figure}" for name in names for figure in ("count", "sum", "min", "max", "sum_sq")]
    columns = ["sensor_id", "location", "reading_count", "anomaly_count", *figures]
    rows = merge_aggregates(aggregated).select(F.unix_timestamp("window_start"), *columns).collect()
    return {tuple(row)[:3]: tuple(row)[3:] for row in rows}


def _same_figures(expected: tuple, found: tuple | None) -> bool:
    """Sums of doubles depend on the order in which they were added, in the last digits (docs/OBJECTS.md)."""
    return found is not None and all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-12))
        for a, b in zip(expected, found, strict=True)
    )


def _scalar(database: Path, sql: str) -> int:
    with closing(sqlite3.connect(database)) as db:
        return db.execute(sql).fetchone()[0]


def _show(name: str, table: DataFrame) -> None:
    print(f"\n{name}", flush=True)
    table.show(3, truncate=40, vertical=False)


if __name__ == "__main__":
    sys.exit(main())
