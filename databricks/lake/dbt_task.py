"""What the notebooks of notebooks/jobs/ share: how dbt connects from a job, and where its project is copied to."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lake.dbt_run import Connection, Project, cluster_http_path

CLIENT_ID, CLIENT_SECRET = "dbt-client-id", "dbt-client-secret"


def connection(
    spark: SparkSession, dbutils: Any, catalog: str, schema_prefix: str, secret_scope: str, http_path: str
) -> Connection:
    """By OAuth as the service principal whose id and secret are in `secret_scope`.

    To the warehouse of `http_path`, or where that is empty to the cluster that the job runs on.
    """

    def usage_tag(name: str) -> str:
        return spark.conf.get(f"spark.databricks.clusterUsageTags.{name}")

    return Connection(
        host=spark.conf.get("spark.databricks.workspaceUrl"),
        http_path=http_path or cluster_http_path(usage_tag("clusterOwnerOrgId"), usage_tag("clusterId")),
        client_id=dbutils.secrets.get(secret_scope, CLIENT_ID),
        client_secret=dbutils.secrets.get(secret_scope, CLIENT_SECRET),
        catalog=catalog,
        schema_prefix=schema_prefix,
    )


def shared_project(source: Path) -> Project:
    """The project on the disk of the cluster, which all tasks of one run share."""
    return Project.copied(source, Path(tempfile.gettempdir()) / "iot-streaming-dbt")
