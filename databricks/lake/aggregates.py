"""Merges the partial figures of `aggregated` objects, by the rule of docs/OBJECTS.md ("Merging aggregated figures")."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

WINDOW = ("window_start", "window_end")
COUNTS = ("reading_count", "anomaly_count")
FIGURES = ("count", "sum", "min", "max", "avg", "sum_sq")


def metrics(columns: Sequence[str]) -> list[str]:
    """The metrics among the columns of an aggregated table: names that have all six figures."""
    present = set(columns)
    stems = [column.removesuffix("_sum_sq") for column in columns if column.endswith("_sum_sq")]
    return [stem for stem in stems if all(f"{stem}_{figure}" in present for figure in FIGURES)]


def group_columns(columns: Sequence[str]) -> list[str]:
    """The columns that rows were grouped by: all that are neither window, figure nor ours (`_…`, `ingest_date`)."""
    figures = {f"{metric}_{figure}" for metric in metrics(columns) for figure in FIGURES}
    other = {*WINDOW, *COUNTS, *figures, "ingest_date"}
    return [column for column in columns if column not in other and not column.startswith("_")]


def merge_aggregates(rows: DataFrame, also_by: Sequence[str] = ()) -> DataFrame:
    """One row for each window and group, whatever reads and extractions its figures came in.

    Takes the columns of an aggregated table and gives back the window, the groups, `also_by` (such as `_node_id`)
    and the figures: counts and sums added, the least of the minima, the greatest of the maxima, and the average from
    sum and count. Nulls are equal in groups and windows. Counts, minima and maxima are exact; sums are those of
    doubles, whose last digits depend on the order of addition.
    """
    names = metrics(rows.columns)
    keys = [*WINDOW, *also_by, *[column for column in group_columns(rows.columns) if column not in also_by]]
    figures: list[Column] = [_merged(F.sum, count) for count in COUNTS if count in rows.columns]
    for name in names:
        figures += [
            _merged(F.sum, f"{name}_count"),
            _merged(F.sum, f"{name}_sum"),
            _merged(F.min, f"{name}_min"),
            _merged(F.max, f"{name}_max"),
            _merged(F.sum, f"{name}_sum_sq"),
        ]
    averages = [F.try_divide(_column(f"{name}_sum"), _column(f"{name}_count")).alias(f"{name}_avg") for name in names]
    return rows.groupBy(*[_column(key) for key in keys]).agg(*figures).select("*", *averages)


def _merged(merge: Callable[[Column], Column], name: str) -> Column:
    return merge(_column(name)).alias(name)


def _column(name: str) -> Column:
    # A column of a source may have a dot in its name, which would mean a field.
    quoted = name.replace("`", "``")
    return F.col(f"`{quoted}`")
