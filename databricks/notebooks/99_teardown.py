# Databricks notebook source
# MAGIC %md
# MAGIC # Teardown: drops the schemas of one catalog and prefix, with all tables in them
# MAGIC
# MAGIC Only if `confirm` holds `{catalog}.{schema_prefix}`, and only schemas that `01_setup` has made. The buckets and
# MAGIC their objects, the external locations, the credential and the catalog stay. Jobs, pipeline and cluster are taken
# MAGIC away before it, by `databricks bundle destroy`.

# COMMAND ----------

dbutils.widgets.text("catalog", "", "1 Catalog")
dbutils.widgets.text("schema_prefix", "", "2 Schema prefix")
dbutils.widgets.text("confirm", "", "3 catalog.schema_prefix, to confirm")

# COMMAND ----------

import sys
from pathlib import Path

sys.path.append(str(Path.cwd().parent))

from lake.setup_sql import find_schemas, teardown

catalog, prefix = dbutils.widgets.get("catalog"), dbutils.widgets.get("schema_prefix")
for statement in teardown(catalog, prefix, dbutils.widgets.get("confirm"), find_schemas(spark, catalog, prefix)):
    print(statement)
    spark.sql(statement)
