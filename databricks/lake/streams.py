"""Runs the tables of bronze without a pipeline: each stream takes what is new, then ends; views are made anew."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from lake.schemas import learn_schemas
from lake.sources import Settings
from lake.tables import Table, bronze_tables


def run_bronze(spark: SparkSession, settings: Settings, database: str, checkpoints: str) -> None:
    """One run. `database` must be there; `checkpoints` is a folder that outlives the run, one for each database."""
    learned = learn_schemas(spark, settings, database)

    def qualify(name: str) -> str:
        return f"{database}.{name}"

    tables = bronze_tables(spark, settings, learned, by_filter=True, qualify=qualify)
    running = [_start(table, qualify, checkpoints) for table in tables if table.streaming]
    for query in running:
        query.awaitTermination()
    for table in tables:
        if not table.streaming:
            view = table.query().write.format("delta").mode("overwrite").option("overwriteSchema", True)
            view.saveAsTable(qualify(table.name))


def _start(table: Table, qualify: Callable[[str], str], checkpoints: str) -> StreamingQuery:
    stream = table.query().writeStream.format("delta").trigger(availableNow=True).option("mergeSchema", True)
    return stream.option("checkpointLocation", f"{checkpoints}/{table.name}").toTable(qualify(table.name))
