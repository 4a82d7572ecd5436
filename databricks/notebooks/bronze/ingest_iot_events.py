# Databricks notebook source
# MAGIC %md
# MAGIC # Bronze: objects of the uploader into Delta tables
# MAGIC
# MAGIC Source of the pipeline `iot_bronze` (resources/pipelines.yml), whose configuration has the settings that
# MAGIC `lake/sources.py` lists, and `lake.code`, the folder above `lake/`. The tables are declared in `lake/tables.py`.

# COMMAND ----------

import sys

from pyspark import pipelines as dp

sys.path.append(spark.conf.get("lake.code"))

from lake.schemas import learn_schemas
from lake.sources import read_settings
from lake.tables import declare

settings = read_settings(spark.conf.get)
declare(dp, spark, settings, learn_schemas(spark, settings, spark.conf.get("lake.database", "")))
