"""Edge machines for local runs and tests: the real sensor, uploader and pipeline-manager, as built in `dist/`."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PREFIX, REGION = "local", "us-east-1"


@dataclass
class Edge:
    """One machine: a database in `folder`, and an uploader that ships it to `lake` (a folder, or null for S3)."""

    node: str
    folder: Path
    lake: Path | None
    seed: int = 1
    settings: dict[str, object] = field(default_factory=dict)
    endpoint: str = ""
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Writes the configuration. JSON is YAML."""
        self.folder.mkdir(parents=True, exist_ok=True)
        s3 = {"enabled": self.lake is None, "prefix": PREFIX, "region": REGION}
        if self.endpoint:
            s3["endpoint"] = self.endpoint
        config = {
            "sqlite": "sensor_data.db",
            "sqlite_table": "sensor_readings",
            "node_id": self.node,
            "state_dir": "state",
            "s3_configuration": s3,
            **({} if self.lake is None else {"directory": str(self.lake)}),
            **self.settings,
        }
        (self.folder / "config.yaml").write_text(json.dumps(config, indent=2))

    @property
    def database(self) -> Path:
        """The sensor's database."""
        return self.folder / "sensor_data.db"

    def sense(self, rows: int, until: str, anomalies: float = 0.05) -> None:
        """Writes so many rows of the past, ending at `until` (ISO 8601)."""
        self._run(
            "sample-sensor/src/cli.js", "--db", str(self.database), "--backfill", str(rows), "--rate", "20",
            "--until", until, "--seed", str(self.seed), "--anomaly-probability", str(anomalies),
        )  # fmt: skip

    def set_type(self, type_: str) -> None:
        """What `pipeline-manager set` does."""
        self._run("src/cli/pipeline-manager.js", *self._config, "set", type_, "--by", "local run")

    def upload(self) -> None:
        """Ships all new rows: `uploader --once`."""
        self._run("src/cli/uploader.js", *self._config, "--once")

    def ship(self, type_: str, rows: int, until: str) -> None:
        """New rows through one pipeline type."""
        self.sense(rows, until)
        self.set_type(type_)
        self.upload()

    def sql(self, *statements: str) -> None:
        """Changes the sensor's database."""
        with closing(sqlite3.connect(self.database)) as db, db:
            for statement in statements:
                db.execute(statement)

    def query(self, sql: str) -> list[tuple]:
        """Rows of the sensor's database."""
        with closing(sqlite3.connect(self.database)) as db:
            return db.execute(sql).fetchall()

    @property
    def _config(self) -> tuple[str, str]:
        return "--config", str(self.folder / "config.yaml")

    def _run(self, program: str, *arguments: str) -> None:
        command = ["node", str(ROOT / "dist" / program), *arguments]
        environment = {**os.environ, "LOG_LEVEL": "warn", **self.env}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
