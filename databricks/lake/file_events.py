"""The queues by which file events tell Databricks of new objects: its own, or those of create-databricks-access.sh."""

from __future__ import annotations

import re

_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/.+")


def provided_queue_url(bucket: str, region: str, role_arn: str) -> str:
    """The URL of the queue that `create-databricks-access.sh --event-queues` makes for a bucket, beside the role.

    Raises ValueError where `role_arn` is not the ARN of a role, since the account of the queue is the role's.
    """
    match = _ROLE.fullmatch(role_arn)
    if not match:
        raise ValueError(f"{role_arn!r} is not the ARN of a role")
    partition, account = match.groups()
    domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    return f"https://sqs.{region}.{domain}/{account}/{bucket}-events"
