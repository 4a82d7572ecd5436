"""What the notebooks of notebooks/jobs/ share: how dbt connects from a job, and where its project is copied to.

The parameters of their jobs (resources/jobs.yml) are read here.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lake.dbt_run import Connection, Project, cluster_http_path

CLIENT_ID, CLIENT_SECRET = "dbt-client-id", "dbt-client-secret"


def connection(spark: SparkSession, dbutils: Any) -> Connection:
    """By OAuth as the service principal whose id and secret are in the job's secret scope.

    To the warehouse of the parameter `http_path`, or where that is empty to the cluster that the job runs on.
    """

    def usage_tag(name: str) -> str:
        return spark.conf.get(f"spark.databricks.clusterUsageTags.{name}")

    secret_scope = dbutils.widgets.get("secret_scope")
    return Connection(
        host=spark.conf.get("spark.databricks.workspaceUrl"),
        http_path=dbutils.widgets.get("http_path")
        or cluster_http_path(usage_tag("clusterOwnerOrgId"), usage_tag("clusterId")),
        client_id=dbutils.secrets.get(secret_scope, CLIENT_ID),
        client_secret=dbutils.secrets.get(secret_scope, CLIENT_SECRET),
        catalog=dbutils.widgets.get("catalog"),
        schema_prefix=dbutils.widgets.get("schema_prefix"),
    )


def shared_project(source: Path) -> Project:
    """The project on the disk of the cluster, which all tasks of one run share."""
    return Project.copied(source, Path(tempfile.gettempdir()) / "iot-streaming-dbt")
