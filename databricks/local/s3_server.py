"""An S3 server on this machine, for `run-local.sh --s3`: versitygw, which scripts/setup-test-tools.sh installs."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from pyarrow.fs import S3FileSystem

from edge import PREFIX, REGION
from lake.object_keys import TYPES

_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local-secret"}
_PATIENCE_SECONDS = 30


@contextmanager
def s3_server(folder: Path, log: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Endpoint and credentials (as environment) of a server with the four buckets, whose objects lie in `folder`."""
    folder.mkdir(parents=True)
    port = _free_port()
    cache = os.environ.get("UPLOADER_TEST_CACHE", str(Path.home() / ".cache/databricks-uploader"))
    command = [f"{cache}/bin/versitygw", "--port", f"127.0.0.1:{port}", "--region", REGION, "--quiet", "posix", folder]
    environment = {
        **os.environ,
        "ROOT_ACCESS_KEY": _CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "ROOT_SECRET_KEY": _CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _make_buckets(f"127.0.0.1:{port}", server)
        yield f"http://127.0.0.1:{port}", _CREDENTIALS
    finally:
        server.terminate()
        server.wait()


def s3a_settings(endpoint: str) -> str:
    """Lines for spark-defaults.conf."""
    settings = {
        "endpoint": endpoint,
        "endpoint.region": REGION,
        "path.style.access": "true",
        "connection.ssl.enabled": "false",
        "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "access.key": _CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "secret.key": _CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }
    return "".join(f"spark.hadoop.fs.s3a.{name} {value}\n" for name, value in settings.items())


def _make_buckets(address: str, server: subprocess.Popen) -> None:
    end = monotonic() + _PATIENCE_SECONDS
    while True:
        if server.poll() is not None or monotonic() > end:
            raise RuntimeError("versitygw did not start")
        with suppress(OSError), socket.create_connection(tuple(address.split(":")), timeout=1):
            break
        sleep(0.1)
    buckets = S3FileSystem(
        endpoint_override=address,
        scheme="http",
        access_key=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        secret_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region=REGION,
        allow_bucket_creation=True,
    )
    for type_ in TYPES:
        buckets.create_dir(f"{PREFIX}-databricks-{type_}-{REGION}")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
