"""Runs the tables of bronze without a pipeline: each stream takes what is new, then ends; views are made anew."""

from __future__ import annotations

from lake.schemas import learn_schemas
from lake.sources import Settings
from lake.tables import bronze_tables
from pyspark.sql import SparkSession


def run_bronze(spark: SparkSession, settings: Settings, database: str, checkpoints: str) -> None:
    """One run. `database` must be there; `checkpoints` is a folder that outlives the run, one for each database."""
    learned = learn_schemas(spark, settings, database)

    def qualify(name: str) -> str:
        return f"{database}.{name}"

    for table in bronze_tables(spark, settings, learned, by_filter=True, qualify=qualify):
        if table.streaming:
            query = (
                table.query()
                .writeStream.format("delta")
                .option("checkpointLocation", f"{checkpoints}/{table.name}")
                .option("mergeSchema", True)
                .trigger(availableNow=True)
                .toTable(qualify(table.name))
            )
            query.awaitTermination()
        else:
            table.query().write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(
                qualify(table.name)
            )
