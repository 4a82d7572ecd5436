"""Partial figures are merged to those of one extraction."""

from __future__ import annotations

import itertools
import random
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from lake.aggregates import group_columns, merge_aggregates, metrics

WINDOWS = [(datetime(2026, 11, 21, 12, minute), datetime(2026, 11, 21, 12, minute + 1)) for minute in (0, 1)]


def readings() -> list[tuple]:
    """Rows with windows and groups that are null, and values that are missing. Their sums are exact in doubles."""
    chance = random.Random(1)
    return [
        (
            *chance.choice([*WINDOWS, (None, None)]),
            chance.choice(["a", "b", None]),
            chance.choice([0, 1]),
            chance.choice([None, chance.randrange(-400, 400) / 4]),
        )
        for _ in range(400)
    ]


def aggregate(spark: SparkSession, rows: list[tuple]) -> DataFrame:
    """What one extraction of these rows would bring."""
    frame = spark.createDataFrame(
        rows,
        "window_start timestamp, window_end timestamp, `sensor.id` string, anomaly int, t double",
    )
    return frame.groupBy("window_start", "window_end", "`sensor.id`").agg(
        F.count("*").alias("reading_count"),
        F.sum("anomaly").alias("anomaly_count"),
        F.count("t").alias("t_count"),
        F.coalesce(F.sum("t"), F.lit(0.0)).alias("t_sum"),
        F.min("t").alias("t_min"),
        F.max("t").alias("t_max"),
        F.avg("t").alias("t_avg"),
        F.coalesce(F.sum(F.col("t") * F.col("t")), F.lit(0.0)).alias("t_sum_sq"),
    )


def test_whatever_the_splits_the_figures_are_those_of_one_extraction(spark: SparkSession) -> None:
    rows = readings()
    whole = aggregate(spark, rows)
    for cuts in ([1, 2, 3], [200], [50, 100, 399]):
        bounds = [0, *cuts, len(rows)]
        split = None
        for start, end in itertools.pairwise(bounds):
            piece = aggregate(spark, rows[start:end])
            split = piece if split is None else split.unionByName(piece)
        merged = merge_aggregates(split.withColumn("_node_id", F.lit("edge-1")))
        assertDataFrameEqual(merged.select([f"`{name}`" for name in whole.columns]), whole)


def test_metrics_have_all_six_figures_and_groups_are_the_rest() -> None:
    figures = [f"t_{figure}" for figure in ("count", "sum", "min", "max", "avg", "sum_sq")]
    columns = [
        "window_start",
        "window_end",
        "sensor_id",
        "x_count",
        "reading_count",
        *figures,
        "_node_id",
        "ingest_date",
    ]
    assert metrics(columns) == ["t"]
    assert group_columns(columns) == ["sensor_id", "x_count"]


def test_another_key_keeps_figures_apart(spark: SparkSession) -> None:
    piece = aggregate(spark, [(*WINDOWS[0], "a", 0, 1.0)])
    two = piece.withColumn("_node_id", F.lit("one")).unionByName(piece.withColumn("_node_id", F.lit("two")))
    assert [row["reading_count"] for row in merge_aggregates(two).collect()] == [2]
    assert [row["reading_count"] for row in merge_aggregates(two, ["_node_id"]).collect()] == [1, 1]
