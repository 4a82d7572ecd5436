# Databricks notebook source
# MAGIC %md
# MAGIC # Data quality: fails when a check fails, and prints what was found
# MAGIC
# MAGIC `ingest_audit` (gaps, wrong counts, duplicates, objects set aside, quiet nodes), the age of the newest object,
# MAGIC the freshness of the sources, and the tests in dbt/tests/. The task of `data_quality_job` (resources/jobs.yml).

# COMMAND ----------

import sys
from pathlib import Path

code = Path.cwd().parents[1]
sys.path.append(str(code))

from lake import quality
from lake.dbt_run import DbtFailedError
from lake.dbt_task import connection, shared_project

given = connection(spark, dbutils)
bronze = f"{given.catalog}.{given.schema_prefix}_bronze"

# COMMAND ----------

findings = quality.audit_findings(spark.read.table(f"{bronze}.ingest_audit"))
findings += quality.stale_audit(spark.read.table(f"{bronze}.ingest_nodes"), hours=24)

# COMMAND ----------

project = shared_project(code / "dbt")
for command in (["source", "freshness"], ["test", "--select", "test_type:singular"]):
    try:
        project.run(command, given.environment())
    except DbtFailedError as error:
        findings += quality.dbt_findings(error)

# COMMAND ----------

print(quality.judge(findings))
