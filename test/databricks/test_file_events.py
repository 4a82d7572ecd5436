"""Queues that are provided are found where create-databricks-access.sh makes them, and are read with its policy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lake.file_events import provided_queue_url
from lake.object_keys import TYPES
from lake.setup_sql import Names

SETUP = Path(__file__).resolve().parents[2] / "databricks" / "setup"
NAMES = Names("iot_streaming_dev", "dev", "acme", "us-west-2", "0a1b-2c3d", "iot-operators", "iot-analysts")
ROLE = "arn:aws:iam::123456789012:role/acme-databricks-access-us-west-2"


def resources_of(policy: str) -> list[str]:
    text = (SETUP / policy).read_text()
    for word, value in {"PREFIX": "acme", "REGION": "us-west-2", "ACCOUNT": "123456789012"}.items():
        text = re.sub(rf"\b{word}\b", value, text)
    return json.loads(text)["Statement"][0]["Resource"]


def test_the_urls_are_those_of_the_queues_that_the_role_may_read() -> None:
    urls = [provided_queue_url(NAMES.bucket(type_), "us-west-2", ROLE) for type_ in TYPES]
    assert urls[0] == "https://sqs.us-west-2.amazonaws.com/123456789012/acme-databricks-raw-us-west-2-events"
    arns = [re.sub(r"https://sqs\.(.+)\.amazonaws\.com/(\d+)/(.+)", r"arn:aws:sqs:\1:\2:\3", url) for url in urls]
    assert sorted(arns) == sorted(resources_of("iam-event-queues-policy.json"))


def test_china_has_a_domain_of_its_own_and_what_is_no_role_is_refused() -> None:
    url = provided_queue_url("b", "cn-north-1", ROLE.replace("arn:aws:", "arn:aws-cn:"))
    assert url == "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/b-events"
    with pytest.raises(ValueError, match="is not the ARN of a role"):
        provided_queue_url("b", "us-west-2", "")
