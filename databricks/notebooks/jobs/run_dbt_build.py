# Databricks notebook source
# MAGIC %md
# MAGIC # dbt build without tests of the data: seeds, snapshots and models, with their unit tests
# MAGIC
# MAGIC A task of `dbt_transformation_job` (resources/jobs.yml), which gives it its parameters.

# COMMAND ----------

import sys
from pathlib import Path

code = Path.cwd().parents[1]
sys.path.append(str(code))

from lake.dbt_task import connection, shared_project

shared_project(code / "dbt").run(["build", "--exclude-resource-type", "test"], connection(spark, dbutils).environment())
