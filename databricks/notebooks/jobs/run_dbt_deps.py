# Databricks notebook source
# MAGIC %md
# MAGIC # dbt deps: fetches the packages of dbt/packages.yml, if there are any
# MAGIC
# MAGIC A task of `dbt_transformation_job` (resources/jobs.yml), which gives it its parameters.

# COMMAND ----------

import sys
from pathlib import Path

code = Path.cwd().parents[1]
sys.path.append(str(code))

from lake.dbt_task import connection, shared_project

shared_project(code / "dbt").run(["deps"], connection(spark, dbutils).environment())
