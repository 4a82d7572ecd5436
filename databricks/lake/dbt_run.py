"""Runs dbt for the notebooks of notebooks/jobs/, in a process of its own, and says what failed.

A process of its own, because the credentials then are in its environment alone, and because dbt keeps state between
runs in one process. The project is copied first: where the bundle lies, a run may not write.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# `dbt`, by the interpreter of the notebook: the command need not be on the path of a cluster.
_DBT = "from dbt.cli.main import cli; cli()"

_NOT_COPIED = shutil.ignore_patterns("target", "logs", "dbt_packages", "__pycache__", ".user.yml")


class DbtFailedError(Exception):
    """dbt ended with an error; `failed` has a line for each model and test that failed, as the message does."""

    def __init__(self, arguments: Sequence[str], code: int, failed: list[str]) -> None:
        """`failed` is empty where dbt did not get as far as running anything."""
        self.failed = failed
        what = "\n".join(failed) or "it did not get as far as running a model; its output says why"
        super().__init__(f"dbt {' '.join(arguments)} ended with {code}:\n{what}")


@dataclass(frozen=True)
class Connection:
    """How dbt reaches Databricks, and where it builds: what dbt/profiles.yml reads from the environment."""

    host: str
    http_path: str
    client_id: str
    client_secret: str
    catalog: str
    schema_prefix: str

    def environment(self) -> dict[str, str]:
        """The variables of the environment."""
        return {
            "DATABRICKS_HOST": self.host.removeprefix("https://").rstrip("/"),
            "DATABRICKS_HTTP_PATH": self.http_path,
            "DATABRICKS_CLIENT_ID": self.client_id,
            "DATABRICKS_CLIENT_SECRET": self.client_secret,
            "DBT_CATALOG": self.catalog,
            "DBT_ENV_PREFIX": self.schema_prefix,
        }

    def __repr__(self) -> str:
        """Without the secret: notebooks print what they hold."""
        return f"Connection({self.client_id}@{self.host}{self.http_path}, {self.catalog}, {self.schema_prefix})"


def cluster_http_path(workspace_id: str, cluster_id: str) -> str:
    """The path by which SQL reaches a cluster; for a job, the one that it runs on."""
    return f"/sql/protocolv1/o/{workspace_id}/{cluster_id}"


@dataclass(frozen=True)
class Project:
    """A copy of the dbt project in a folder that tasks of one run share, since they share the cluster."""

    folder: Path

    @classmethod
    def copied(cls, source: Path, folder: Path) -> Project:
        """Copies the project; packages and results of earlier tasks stay."""
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=_NOT_COPIED)
        return cls(folder)

    @property
    def lacks_packages(self) -> bool:
        """Whether packages.yml names packages that are not installed: so it is when only a later task is repaired."""
        listed = self.folder / "packages.yml"
        return (
            listed.is_file()
            and any(line.lstrip().startswith("-") for line in listed.read_text().splitlines())
            and not (self.folder / "dbt_packages").is_dir()
        )

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], target: str = "databricks") -> None:
        """`dbt` with these arguments; its output goes to the notebook's. Raises DbtFailedError."""
        if arguments[0] != "deps" and self.lacks_packages:
            self.run(["deps"], environment, target)
        results = self.folder / "target" / ("sources.json" if arguments[0] == "source" else "run_results.json")
        results.unlink(missing_ok=True)
        places = ["--project-dir", ".", "--profiles-dir", ".", "--target", target]
        command = [sys.executable, "-c", _DBT, *arguments, *places]
        # Libraries of a cluster lie where only the notebook's interpreter looks.
        paths = os.pathsep.join(path for path in sys.path if path)
        settings = {
            **os.environ,
            **environment,
            "PYTHONPATH": paths,
            "DBT_TARGET_PATH": "target",
            "DBT_LOG_PATH": "logs",
            "DBT_USE_COLORS": "false",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        with subprocess.Popen(
            command, cwd=self.folder, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="")
        if process.returncode != 0:
            failed = failures(results.read_text()) if results.is_file() else []
            raise DbtFailedError(arguments, process.returncode, failed)


def failures(run_results: str) -> list[str]:
    """A line for each model and test that failed, from run_results.json, or each late source, from sources.json."""
    failed = []
    for result in json.loads(run_results)["results"]:
        if result["status"] in ("error", "fail", "runtime error"):
            count = f", {result['failures']} rows" if result.get("failures") else ""
            message = result.get("message") or result.get("error")
            if "max_loaded_at" in result:
                message = f"the newest row is of {result['max_loaded_at']}"
            message = " ".join(str(message or "").split())
            failed.append(f"{result['unique_id']}: {result['status']}{count}: {message}")
    return failed
