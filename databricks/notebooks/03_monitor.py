# Databricks notebook source
# MAGIC %md
# MAGIC # Monitor: is everything there, and how late is it?
# MAGIC
# MAGIC Reads `ingest_nodes` and `ingest_audit`, which the pipeline `iot_bronze` makes anew with each run.

# COMMAND ----------

dbutils.widgets.text("catalog", "iot_streaming_dev", "1 Catalog")
dbutils.widgets.text("schema_prefix", "dev", "2 Schema prefix")

# COMMAND ----------

import sys
from pathlib import Path

sys.path.append(str(Path.cwd().parent))

from lake import monitor

bronze = f"{dbutils.widgets.get('catalog')}.{dbutils.widgets.get('schema_prefix')}_bronze"
nodes, audit = spark.read.table(f"{bronze}.ingest_nodes"), spark.read.table(f"{bronze}.ingest_audit")

# COMMAND ----------

# MAGIC %md ## Rows per node

# COMMAND ----------

display(monitor.rows_per_node(nodes))

# COMMAND ----------

# MAGIC %md ## Lag per node

# COMMAND ----------

display(monitor.lag_per_node(nodes))

# COMMAND ----------

# MAGIC %md ## Gaps in the sequences

# COMMAND ----------

display(monitor.gaps(audit))

# COMMAND ----------

# MAGIC %md ## Duplicates

# COMMAND ----------

display(monitor.duplicates(audit))

# COMMAND ----------

# MAGIC %md ## Objects whose rows are not all in bronze

# COMMAND ----------

display(monitor.set_aside(audit))

# COMMAND ----------

# MAGIC %md ## Rejected rows, and why

# COMMAND ----------

display(monitor.rejected(nodes))

# COMMAND ----------

for table in spark.catalog.listTables(bronze, "schematized_*_rejected"):
    display(monitor.reasons(spark.read.table(f"{bronze}.{table.name}")))
