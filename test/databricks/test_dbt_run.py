"""dbt as the jobs run it: the real dbt, on a small project."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from lake.dbt_run import Connection, DbtFailedError, Project, cluster_http_path, failures
from lake.dbt_task import connection

ROOT = Path(__file__).resolve().parents[2]
CONNECTION = Connection("https://x.cloud.databricks.com/", "/sql/1.0/warehouses/1", "id", "s3cret", "cat", "dev")

PROJECT = {
    "dbt_project.yml": "name: small\nprofile: small\nversion: '1.0.0'\nmodel-paths: [models]\ntest-paths: [tests]\n",
    "profiles.yml": """
small:
  target: databricks
  outputs:
    databricks:
      type: databricks
      host: "{{ env_var('DATABRICKS_HOST') }}"
      http_path: "{{ env_var('DATABRICKS_HTTP_PATH') }}"
      auth_type: oauth
      client_id: "{{ env_var('DATABRICKS_CLIENT_ID') }}"
      client_secret: "{{ env_var('DATABRICKS_CLIENT_SECRET') }}"
      catalog: "{{ env_var('DBT_CATALOG') }}"
      schema: "{{ env_var('DBT_ENV_PREFIX') }}_silver"
    local: {type: spark, method: session, host: NA, schema: default, threads: 1}
""",
    "packages.yml": "packages: []\n",
    "models/three.sql": "select id from values (1), (2), (3) as numbers (id)\n",
    "tests/none_above_one.sql": "select * from {{ ref('three') }} where id > 1\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, text in PROJECT.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "source"


@pytest.fixture
def project(source: Path, tmp_path: Path) -> Project:
    return Project.copied(source, tmp_path / "copy")


def test_runs_in_a_copy_with_the_connection_in_the_environment(
    source: Path, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(source.rglob("*"))
    project.run(["parse"], CONNECTION.environment())
    manifest = json.loads((project.folder / "target" / "manifest.json").read_text())
    assert manifest["nodes"]["model.small.three"]["database"] == "cat"
    assert manifest["nodes"]["model.small.three"]["schema"] == "dev_silver"
    assert "Running with dbt=" in capfd.readouterr().out
    assert sorted(source.rglob("*")) == before
    assert "DATABRICKS_CLIENT_SECRET" not in os.environ


def test_what_cannot_be_parsed_fails(project: Project) -> None:
    (project.folder / "models" / "broken.sql").write_text("select * from {{ ref('nothing') }}")
    with pytest.raises(DbtFailedError, match=r"dbt parse ended with 2:\nit did not get as far") as caught:
        project.run(["parse"], CONNECTION.environment())
    assert caught.value.failed == []


def test_tests_that_fail_are_named_with_their_rows(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([ROOT / "databricks/local/setup.sh", "--work", tmp_path / "spark"], check=True)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path / "spark" / "conf"))
    project.run(["build", "--exclude-resource-type", "test"], CONNECTION.environment(), "local")
    with pytest.raises(DbtFailedError) as caught:
        project.run(["test", "--select", "test_type:singular"], CONNECTION.environment(), "local")
    assert caught.value.failed == ["test.small.none_above_one: fail, 2 rows: Got 2 results, configured to fail if != 0"]
    assert "none_above_one" in str(caught.value)


def test_a_repaired_task_fetches_packages_first(project: Project) -> None:
    assert not project.lacks_packages
    local = project.folder.parent / "package"
    local.mkdir()
    (local / "dbt_project.yml").write_text("name: other\nversion: '1.0.0'\n")
    (project.folder / "packages.yml").write_text(f"packages:\n  - local: {local}\n")
    assert project.lacks_packages
    project.run(["parse"], CONNECTION.environment())
    assert (project.folder / "dbt_packages" / "other").exists()
    assert not project.lacks_packages


def test_a_new_copy_keeps_packages_and_takes_changes(source: Path, project: Project) -> None:
    (project.folder / "dbt_packages").mkdir()
    (source / "models" / "three.sql").write_text("select 3 as id")
    (source / "target").mkdir()
    again = Project.copied(source, project.folder)
    assert (again.folder / "dbt_packages").is_dir()
    assert (again.folder / "models" / "three.sql").read_text() == "select 3 as id"
    assert not (again.folder / "target").exists()


def test_late_sources_are_named() -> None:
    late = {"unique_id": "source.small.raw", "status": "error", "max_loaded_at": "2026-11-20T00:00:00Z"}
    broken = {"unique_id": "source.small.gone", "status": "runtime error", "error": "no such\n  table"}
    well = {"unique_id": "source.small.fine", "status": "pass", "max_loaded_at": "2026-11-21T00:00:00Z"}
    assert failures(json.dumps({"results": [late, broken, well]})) == [
        "source.small.raw: error: the newest row is of 2026-11-20T00:00:00Z",
        "source.small.gone: runtime error: no such table",
    ]


def test_connects_to_the_warehouse_or_else_to_the_cluster_of_the_job() -> None:
    conf = {
        "spark.databricks.workspaceUrl": "x.cloud.databricks.com",
        "spark.databricks.clusterUsageTags.clusterOwnerOrgId": "123",
        "spark.databricks.clusterUsageTags.clusterId": "0101-abc",
    }
    secrets = {("iot-streaming", "dbt-client-id"): "id", ("iot-streaming", "dbt-client-secret"): "s3cret"}
    given = {"catalog": "cat", "schema_prefix": "dev", "secret_scope": "iot-streaming", "http_path": ""}
    session = SimpleNamespace(conf=SimpleNamespace(get=conf.__getitem__))
    utilities = SimpleNamespace(
        secrets=SimpleNamespace(get=lambda scope, key: secrets[scope, key]),
        widgets=SimpleNamespace(get=given.__getitem__),
    )
    own = connection(session, utilities)
    assert own.environment()["DATABRICKS_HTTP_PATH"] == cluster_http_path("123", "0101-abc")
    assert own.environment()["DATABRICKS_HTTP_PATH"] == "/sql/protocolv1/o/123/0101-abc"
    given["http_path"] = "/sql/1.0/warehouses/1"
    warehouse = connection(session, utilities)
    assert warehouse == CONNECTION.__class__(**{**vars(CONNECTION), "host": "x.cloud.databricks.com"})
    assert "s3cret" not in repr(warehouse)
