# Databricks notebook source
# MAGIC %md
# MAGIC # Auto Loader without a pipeline
# MAGIC
# MAGIC The same objects that the pipeline `iot_bronze` takes, as plain streams: one for each pipeline type, and one for
# MAGIC the rejected rows, which lie apart. For looking and trying: the tables, `{schema_prefix}_bronze.autoloader_…`,
# MAGIC are not the pipeline's, and have no expectations and no audit. `lake/autoloader.py` says what the options mean.
# MAGIC
# MAGIC `mode`: `available_now` takes what is there and ends; `continuous` goes on, and costs, until it is stopped.

# COMMAND ----------

dbutils.widgets.text("catalog", "iot_streaming_dev", "1 Catalog")
dbutils.widgets.text("schema_prefix", "dev", "2 Schema prefix")
dbutils.widgets.text("bucket_prefix", "", "3 Bucket prefix")
dbutils.widgets.text("region", "us-west-2", "4 Region of the buckets")
dbutils.widgets.dropdown("mode", "available_now", ["available_now", "continuous"], "5 Mode")

# COMMAND ----------

import sys
from pathlib import Path

sys.path.append(str(Path.cwd().parent))

from lake import autoloader
from lake.schemas import learn_schemas
from lake.sources import read_settings

catalog, prefix = dbutils.widgets.get("catalog"), dbutils.widgets.get("schema_prefix")
given = {"lake.bucket_prefix": dbutils.widgets.get("bucket_prefix"), "lake.region": dbutils.widgets.get("region")}
settings = read_settings(given.get)
streams = autoloader.Streams(
    schema=f"{catalog}.{prefix}_bronze",
    volume=f"/Volumes/{catalog}/{prefix}_bronze/autoloader",
    continuous=dbutils.widgets.get("mode") == "continuous",
)

# COMMAND ----------

# Sources without an object yet are those for which a schema is given here.
empty = learn_schemas(spark, settings, "").schemas
running = {}
for source in autoloader.explicit_sources(settings):
    rows = autoloader.read(spark, source, streams, source.name in empty)
    running[source.name] = autoloader.start(rows, source, streams)

# COMMAND ----------

# MAGIC %md
# MAGIC A stream that finds a new column ends here with UNKNOWN_FIELD_EXCEPTION, once, after it has written the column
# MAGIC down: run the notebook again.

# COMMAND ----------

if not streams.continuous:
    for query in running.values():
        query.awaitTermination()

# COMMAND ----------

for source in autoloader.explicit_sources(settings):
    progress = running[source.name].lastProgress
    print(f"{streams.table(source)}: {progress['numInputRows'] if progress else 0} rows in the last batch")

# COMMAND ----------

# MAGIC %md ## Values that fit neither the edge's types (`_rescued`) nor Auto Loader's (`_rescued_data`)

# COMMAND ----------

for source in autoloader.explicit_sources(settings):
    if source.rowwise and spark.catalog.tableExists(streams.table(source)):
        kept = spark.read.table(streams.table(source)).where("_rescued IS NOT NULL OR _rescued_data IS NOT NULL")
        display(kept.select("_node_id", "_rowid", "_rescued", "_rescued_data", "_source_file").limit(100))
