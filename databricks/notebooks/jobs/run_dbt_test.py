# Databricks notebook source
# MAGIC %md
# MAGIC # dbt test: the tests of the data; the run fails with the names of those that failed
# MAGIC
# MAGIC A task of `dbt_transformation_job` (resources/jobs.yml), which gives it its parameters.

# COMMAND ----------

import sys
from pathlib import Path

code = Path.cwd().parents[1]
sys.path.append(str(code))

from lake.dbt_task import connection, shared_project

shared_project(code / "dbt").run(
    ["test", "--exclude-resource-type", "unit_test"], connection(spark, dbutils).environment()
)
