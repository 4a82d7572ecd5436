"""The workflows of GitHub, as far as they can be judged without it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from validation.config import load

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ENVIRONMENTS = {"development", "staging", "production"}


def workflow(name: str) -> dict[str, Any]:
    # BaseLoader: `on` is a key, and not YAML 1.1's word for true.
    return yaml.load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(), yaml.BaseLoader)


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in workflow(path.stem)["jobs"].items():
            yield f"{path.stem}.{name}", job


def test_there_are_these() -> None:
    assert [path.stem for path in WORKFLOWS] == ["databricks-check", "databricks-deploy", "test"]


def test_needs_are_there_and_jobs_end() -> None:
    for path in WORKFLOWS:
        declared = workflow(path.stem)["jobs"]
        for name, job in declared.items():
            needs = job.get("needs", [])
            for need in [needs] if isinstance(needs, str) else needs:
                assert need in declared, f"{path.stem}.{name} needs {need}"
            assert "uses" in job or int(job["timeout-minutes"]) <= 120, f"{path.stem}.{name}"


def test_actions_are_pinned() -> None:
    for name, job in jobs():
        used = [job["uses"]] if "uses" in job else [step["uses"] for step in job["steps"] if "uses" in step]
        for action in used:
            if action.startswith("./"):
                assert (ROOT / action).is_file(), action
            else:
                assert re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d+(\.\d+\.\d+)?|[0-9a-f]{40})", action), f"{name}: {action}"


def test_the_cli_that_is_installed_is_the_one_that_the_bundle_and_the_document_ask_for() -> None:
    installed = {
        step["uses"].removeprefix("databricks/setup-cli@v")
        for _, job in jobs()
        for step in job.get("steps", [])
        if step.get("uses", "").startswith("databricks/setup-cli@")
    }
    (version,) = installed
    assert load(ROOT / "databricks").config["bundle"]["databricks_cli_version"] == f">= {version}"
    assert f"from {version}," in (ROOT / "docs" / "DATABRICKS.md").read_text()


def test_permissions_are_the_least() -> None:
    for path in WORKFLOWS:
        assert workflow(path.stem)["permissions"] == {"contents": "read"}, path.stem
    for name, job in jobs():
        extra = {key: level for key, level in job.get("permissions", {}).items() if level != "read"}
        assert extra in ({}, {"id-token": "write"}), name
        # An identity is had for an environment, whose rules then hold; `check` hands it on to jobs that have one.
        assert not extra or "environment" in job or job.get("uses", "").endswith("databricks-check.yml"), name
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == "false", name


def test_no_key_lasts_and_every_variable_is_documented() -> None:
    documented = (ROOT / "docs" / "DATABRICKS.md").read_text()
    for path in WORKFLOWS:
        text = path.read_text()
        assert "secrets." not in text, path.stem
        assert "DATABRICKS_TOKEN" not in text, path.stem
        for name in re.findall(r"\bvars\.(\w+)", text):
            assert f"`{name}`" in documented, f"{path.stem}: {name}"
    for name, job in jobs():
        if "DATABRICKS_HOST" in job.get("env", {}):
            assert job["env"]["DATABRICKS_AUTH_TYPE"] == "github-oidc", name


def test_nothing_from_outside_stands_in_a_script() -> None:
    for name, job in jobs():
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", ""), name


def test_every_variable_of_the_bundle_without_a_value_is_given() -> None:
    bundle = load(ROOT / "databricks")
    for target in bundle.targets:
        values = bundle.values(target)
        missing = {name for name in bundle.config["variables"] if values[f"var.{name}"] == f"<{name}>"}
        for job in (workflow("databricks-deploy")["jobs"]["deploy"], workflow("databricks-check")["jobs"]["workspace"]):
            given = {key.removeprefix("BUNDLE_VAR_") for key in job["env"] if key.startswith("BUNDLE_VAR_")}
            assert missing <= given, target
            assert given <= set(bundle.config["variables"])


def test_deployments_of_a_target_do_not_overlap() -> None:
    deploy = workflow("databricks-deploy")["jobs"]["deploy"]
    assert deploy["concurrency"]["group"].endswith("${{ needs.plan.outputs.target }}")
    assert deploy["concurrency"]["cancel-in-progress"] == "false"
    assert deploy["environment"] == "${{ needs.plan.outputs.environment }}"
    assert set(deploy["needs"]) == {"plan", "check"}


def test_triggers() -> None:
    deploy, check, test = (workflow(name)["on"] for name in ("databricks-deploy", "databricks-check", "test"))
    assert deploy["push"]["branches"] == ["develop", "main"]
    assert deploy["push"]["tags"] == ["v*"]
    assert set(deploy["workflow_dispatch"]["inputs"]["target"]["options"]) == set(load(ROOT / "databricks").targets)
    assert {"pull_request", "workflow_call"} == set(check)
    assert "pull_request" in test
    assert workflow("test")["jobs"]["test"]["strategy"]["matrix"]["node"] == ["20", "24"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One commit on main, and one beside it; `origin` is the repository itself."""
    folder = tmp_path_factory.mktemp("repository")
    for command in (
        "init -q -b main .",
        "-c user.name=a -c user.email=a@example.com commit -q --allow-empty -m one",
        "branch beside",
        "checkout -q beside",
        "-c user.name=a -c user.email=a@example.com commit -q --allow-empty -m two",
        "update-ref refs/remotes/origin/main main",
    ):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    ("asked", "ref", "commit", "expected"),
    [
        ("", "refs/heads/develop", "beside", ("dev", "development")),
        ("", "refs/heads/main", "main", ("staging", "staging")),
        ("", "refs/tags/v1.2.0", "main", ("prod", "production")),
        ("", "refs/tags/v1.2.0", "beside", None),
        ("", "refs/heads/feature", "beside", None),
        ("dev", "refs/heads/feature", "beside", ("dev", "development")),
        ("staging", "refs/heads/feature", "beside", ("staging", "staging")),
        ("prod", "refs/heads/feature", "beside", ("prod", "production")),
    ],
)
def test_what_goes_where(
    repository: Path, tmp_path: Path, asked: str, ref: str, commit: str, expected: tuple[str, str] | None
) -> None:
    """Runs the script of the workflow's own step."""
    plan = workflow("databricks-deploy")["jobs"]["plan"]["steps"][-1]
    output = tmp_path / "output"
    output.touch()
    subprocess.run(["git", "checkout", "-q", commit], cwd=repository, check=True)
    environment = {**os.environ, "ASKED": asked, "REF": ref, "GITHUB_OUTPUT": str(output)}
    done = subprocess.run(["bash", "-e", "-c", plan["run"]], cwd=repository, env=environment, capture_output=True)
    if expected is None:
        assert done.returncode == 1
        assert output.read_text() == ""
    else:
        assert output.read_text() == "target={}\nenvironment={}\n".format(*expected)
        assert expected[1] in ENVIRONMENTS
