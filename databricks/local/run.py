"""The whole way on one machine, from sensors to gold tables: see databricks/run-local.sh.

python run.py --work FOLDER [--s3] [--rows N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from bronze_run import CODE, prepare_bronze, run_bronze_pipeline, spark_environment  # noqa: E402
from report import MAXIMUM_TEMPERATURE  # noqa: E402

from edge import Edge  # noqa: E402
from lake.object_keys import TYPES  # noqa: E402

SETTINGS = {
    "schematized": {
        "schema": {
            "version": "1",
            "required": ["timestamp", "sensor_id"],
            "properties": {
                "timestamp": {"type": "timestamp"},
                "temperature": {"type": "number", "maximum": MAXIMUM_TEMPERATURE},
            },
        },
        "enrich": {"site": "north-hall"},
    }
}
NODES = ("edge-1", "plant-7-b")


def main() -> int:
    """Runs all steps; the exit code is that of the report."""
    arguments = _arguments()
    work: Path = arguments.work.resolve()
    with ExitStack() as opened:
        if arguments.s3:
            from s3_server import s3_server, s3a_settings

            endpoint, credentials = opened.enter_context(s3_server(work / "s3", work / "versitygw.log"))
            with (work / "conf/spark-defaults.conf").open("a") as defaults:
                defaults.write(s3a_settings(endpoint))
            url, where = "s3a://", {"lake": None, "endpoint": endpoint, "env": credentials}
        else:
            url, where = f"file://{work}/lake/", {"lake": work / "lake"}

        edges = [
            Edge(node, work / "edges" / node, seed=number, settings=SETTINGS, **where)
            for number, node in enumerate(NODES, start=1)
        ]
        now = datetime.now(UTC).replace(microsecond=0)
        _step(f"{len(edges)} sensors write, and the uploader ships, through {', '.join(TYPES)}")
        for edge in edges:
            for number, type_ in enumerate(TYPES):
                edge.ship(type_, arguments.rows, _iso(now - timedelta(hours=6 - number)))

        _step("The bronze pipeline takes all objects")
        prepare_bronze(work, url)
        run_bronze_pipeline(work, "bronze-1")

        _step("New rows, again through all types")
        between = datetime.now(UTC)
        for edge in edges:
            for number, type_ in enumerate(reversed(TYPES)):
                edge.ship(type_, arguments.rows // 2, _iso(now - timedelta(hours=2, minutes=-30 * number)))

        _step("The bronze pipeline takes the new ones")
        run_bronze_pipeline(work, "bronze-2")

        if (CODE / "dbt" / "dbt_project.yml").exists():
            _step("dbt builds and tests silver and gold")
            _dbt(work, "build")

        _step("What came of it")
        report = [sys.executable, str(Path(__file__).with_name("report.py")), "--work", str(work)]
        report += ["--second-run", between.isoformat(), "--nodes", ",".join(NODES)]
        with (work / "report.log").open("w") as log:
            return subprocess.run(report, env=spark_environment(work), stderr=log).returncode


def _dbt(work: Path, *command: str) -> None:
    project = str(CODE / "dbt")
    environment = {
        **spark_environment(work),
        "DBT_ENV_PREFIX": "local",
        "DBT_TARGET_PATH": str(work / "dbt-target"),
        "DBT_LOG_PATH": str(work / "dbt-logs"),
    }
    arguments = ["--project-dir", project, "--profiles-dir", project, "--target", "local"]
    with (work / "dbt.log").open("w") as log:
        done = subprocess.run(
            ["dbt", *command, *arguments], cwd=work, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    end = (work / "dbt.log").read_text().splitlines()[-25:]
    print("\n".join(end) if done.returncode else end[-1])
    if done.returncode:
        raise SystemExit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="From sensors to gold tables, on this machine")
    parser.add_argument("--work", type=Path, required=True, help="an empty folder, prepared by setup.sh --work")
    parser.add_argument("--s3", action="store_true", help="over S3 (versitygw) instead of a folder")
    parser.add_argument("--rows", type=int, default=4000, help="rows for each node and type in the first round")
    return parser.parse_args()


_started = monotonic()


def _step(what: str) -> None:
    print(f"\n[{monotonic() - _started:4.0f} s] {what}", flush=True)


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    sys.exit(main())
