# Databricks notebook source
# MAGIC %md
# MAGIC # Setup: from an empty workspace to schemas that bronze can be written to
# MAGIC
# MAGIC Makes the storage credential, the external locations of the four buckets, the catalog, its schemas, a volume
# MAGIC and the grants (`setup/*.sql`), and switches file events on. It can be run again; what is there stays as it is.
# MAGIC
# MAGIC Needs CREATE STORAGE CREDENTIAL, CREATE EXTERNAL LOCATION and CREATE CATALOG on the metastore. The first run
# MAGIC ends after the credential, with what must go into the role's trust policy; run it again once that is done.
# MAGIC docs/DATABRICKS.md has the whole way.

# COMMAND ----------

dbutils.widgets.text("catalog", "iot_streaming_dev", "1 Catalog")
dbutils.widgets.text("schema_prefix", "dev", "2 Schema prefix")
dbutils.widgets.text("bucket_prefix", "", "3 Bucket prefix")
dbutils.widgets.text("region", "us-west-2", "4 Region of the buckets")
dbutils.widgets.text("role_arn", "", "5 ARN of the IAM role")
dbutils.widgets.text("service_principal", "", "6 Application id of the service principal")
dbutils.widgets.text("engineers", "iot-operators", "7 Group of engineers")
dbutils.widgets.text("analysts", "iot-analysts", "8 Group of analysts")
dbutils.widgets.dropdown("file_events", "managed", ["managed", "provided"], "9 Queues of file events")

# COMMAND ----------

import sys
from pathlib import Path

here = Path.cwd().parent
sys.path.append(str(here))

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import AwsIamRoleRequest, AwsSqsQueue, FileEventQueue

from lake.file_events import provided_queue_url
from lake.object_keys import TYPES
from lake.setup_sql import CREDENTIAL, Names, statements

names = Names(
    catalog=dbutils.widgets.get("catalog"),
    schema_prefix=dbutils.widgets.get("schema_prefix"),
    bucket_prefix=dbutils.widgets.get("bucket_prefix"),
    region=dbutils.widgets.get("region"),
    service_principal=dbutils.widgets.get("service_principal"),
    engineers=dbutils.widgets.get("engineers"),
    analysts=dbutils.widgets.get("analysts"),
)
workspace = WorkspaceClient()

# COMMAND ----------

# MAGIC %md ## The credential

# COMMAND ----------

try:
    workspace.storage_credentials.get(CREDENTIAL)
except NotFound:
    role = AwsIamRoleRequest(role_arn=dbutils.widgets.get("role_arn"))
    made = workspace.storage_credentials.create(CREDENTIAL, aws_iam_role=role, read_only=True, skip_validation=True)
    trusted = made.aws_iam_role
    dbutils.notebook.exit(
        f"Put the external id {trusted.external_id} and the principal {trusted.unity_catalog_iam_arn} into the trust "
        "policy of the role (setup/iam-trust-policy.json), then run this notebook again."
    )

# COMMAND ----------

# MAGIC %md ## Locations, catalog, schemas, volume, grants

# COMMAND ----------

for file in sorted((here / "setup").glob("*.sql")):
    for statement in statements(file.read_text(), names.values()):
        print(f"{file.name}: {' '.join(statement.split())}")
        spark.sql(statement)

# COMMAND ----------

# MAGIC %md
# MAGIC ## File events
# MAGIC Each bucket has a queue. `managed`: Databricks makes it by the role, which may do so after
# MAGIC `create-databricks-access.sh --file-events`. `provided`: `create-databricks-access.sh --event-queues` has made
# MAGIC it (docs/DATABRICKS.md).

# COMMAND ----------

role_arn = workspace.storage_credentials.get(CREDENTIAL).aws_iam_role.role_arn
for type_ in TYPES:
    bucket = names.bucket(type_)
    if dbutils.widgets.get("file_events") == "provided":
        url = provided_queue_url(bucket, names.region, role_arn)
        queue = FileEventQueue(provided_sqs=AwsSqsQueue(queue_url=url))
    else:
        queue = FileEventQueue(managed_sqs=AwsSqsQueue())
    workspace.external_locations.update(bucket, enable_file_events=True, file_event_queue=queue)

# COMMAND ----------

# MAGIC %md ## Is it readable?

# COMMAND ----------

for type_ in TYPES:
    url = f"s3://{names.bucket(type_)}/"
    print(url, [entry.name for entry in dbutils.fs.ls(url)])
