"""The bronze tables for `spark-pipelines`: the same that notebooks/bronze/ingest_iot_events.py declares."""

import sys

from pyspark import pipelines as dp
from pyspark.sql import SparkSession

spark = SparkSession.active()
sys.path.append(spark.conf.get("lake.code"))

from lake.schemas import learn_schemas  # noqa: E402
from lake.sources import read_settings  # noqa: E402
from lake.tables import declare  # noqa: E402

settings = read_settings(spark.conf.get)
declare(dp, spark, settings, learn_schemas(spark, settings, spark.conf.get("lake.database", "")))
