"""The bundle is right, and each kind of mistake in it is found: mutations of the real one."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from validate_bundle import problems
from validation import costs, quartz
from validation.config import Bundle, assemble, load

ROOT = Path(__file__).resolve().parents[2] / "databricks"

# The targets as they were asked for: catalog, prefix, ingestion, minutes to the end of an idle cluster, mode.
TARGETS = {
    "dev": ("iot_streaming_dev", "dev", "0 0 * * * ?", 10, "development"),
    "staging": ("iot_streaming_staging", "staging", "0 0/30 * * * ?", 15, "production"),
    "prod": ("iot_streaming_prod", "prod", "0 0/15 * * * ?", 20, "production"),
}

Files = dict[str, Any]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(ROOT)


def test_has_no_problem(bundle: Bundle) -> None:
    assert problems(bundle) == []


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_as_asked_for(bundle: Bundle, target: str) -> None:
    catalog, prefix, cron, minutes, mode = TARGETS[target]
    resources = bundle.resources(target)
    pipeline, jobs = resources["pipelines"]["iot_bronze"], resources["jobs"]
    assert bundle.targets[target]["mode"] == mode
    assert bool(bundle.targets[target].get("default")) == (target == "dev")
    assert (pipeline["catalog"], pipeline["schema"]) == (catalog, f"{prefix}_bronze")
    assert (pipeline["continuous"], pipeline["serverless"]) == (False, False)
    assert jobs["iot_ingestion_job"]["schedule"]["quartz_cron_expression"] == cron
    assert resources["clusters"]["iot_notebooks"]["autotermination_minutes"] == minutes
    assert pipeline["configuration"]["pipelines.clusterShutdown.delay"] == f"{minutes}m"


@pytest.mark.parametrize("target", TARGETS)
def test_all_compute_is_the_one_small_machine(bundle: Bundle, target: str) -> None:
    resources = bundle.resources(target)
    jobs = resources["jobs"].values()
    machines = [cluster["new_cluster"] for job in jobs for cluster in job.get("job_clusters", [])]
    machines += [*resources["clusters"].values(), *resources["pipelines"]["iot_bronze"]["clusters"]]
    assert len(machines) == 4
    for machine in machines:
        assert (machine["node_type_id"], machine["num_workers"]) == ("i3.xlarge", 0)
        assert machine["aws_attributes"]["availability"] == "SPOT_WITH_FALLBACK"


def test_transformation_is_deps_then_build_then_test(bundle: Bundle) -> None:
    tasks = bundle.resources("dev")["jobs"]["dbt_transformation_job"]["tasks"]
    order = {task["task_key"]: [before["task_key"] for before in task.get("depends_on", [])] for task in tasks}
    assert order == {"dbt_deps": [], "dbt_build": ["dbt_deps"], "dbt_test": ["dbt_build"]}
    assert {task["job_cluster_key"] for task in tasks} == {"small"}


def test_dbt_is_the_one_that_is_tested(bundle: Bundle) -> None:
    pins = (ROOT / "local" / "requirements.txt").read_text().splitlines()
    for library in bundle.resources("dev")["jobs"]["data_quality_job"]["tasks"][0]["libraries"]:
        assert library["pypi"]["package"] in pins


def job(files: Files, key: str = "dbt_transformation_job") -> dict[str, Any]:
    return files["jobs.yml"]["resources"]["jobs"][key]


def target(files: Files, name: str = "prod") -> dict[str, Any]:
    return files["databricks.yml"]["targets"][name]


def pipeline(files: Files) -> dict[str, Any]:
    return files["pipelines.yml"]["resources"]["pipelines"]["iot_bronze"]


MISTAKES: dict[str, tuple[Callable[[Files], object], str]] = {
    "an unknown key at the top": (
        lambda f: f["databricks.yml"].update(resource={}),
        "databricks.yml: resource is not known",
    ),
    "an unknown key at the top of an include": (
        lambda f: f["jobs.yml"].update(job={}),
        "jobs.yml: job is not known",
    ),
    "an unknown key of a target": (lambda f: target(f).update(schedule="x"), "targets.prod: schedule is not known"),
    "an unknown mode": (lambda f: target(f).update(mode="prod"), "targets.prod.mode: prod is none of"),
    "no mode": (lambda f: target(f).pop("mode"), "targets.prod.mode: None is none of"),
    "two defaults": (lambda f: target(f).update(default=True), "one must be the default, not 2 (dev, prod)"),
    "no default": (lambda f: target(f, "dev").pop("default"), "one must be the default, not 0 (none)"),
    "no run_as in prod": (lambda f: target(f).pop("run_as"), "targets.prod: production needs run_as"),
    "a person as run_as in prod": (
        lambda f: target(f).update(run_as={"user_name": "a@example.com"}),
        "targets.prod: production needs run_as",
    ),
    "no root_path in prod": (
        lambda f: target(f).pop("workspace"),
        "production needs workspace.root_path",
    ),
    "a permission that is none": (
        lambda f: target(f).update(permissions=[{"level": "CAN_EVERYTHING", "group_name": "g"}]),
        "targets.prod.permissions: CAN_EVERYTHING is no level",
    ),
    "a variable that is not declared": (
        lambda f: pipeline(f).update(catalog="${var.catalogue}"),
        "pipelines.yml: resources.pipelines.iot_bronze.catalog: ${var.catalogue} is not there",
    ),
    "a variable of a target that is not declared": (
        lambda f: target(f)["variables"].update(catalogue="x"),
        "targets.prod.variables.catalogue is not declared",
    ),
    "a variable that nothing reads": (
        lambda f: f["databricks.yml"]["variables"].update(left_over={"default": 1}),
        "variables.left_over is not used",
    ),
    "a resource that is not there": (
        lambda f: job(f, "iot_ingestion_job")["tasks"][0]["pipeline_task"].update(
            pipeline_id="${resources.pipelines.iot_silver.id}"
        ),
        "${resources.pipelines.iot_silver.id} is not there",
    ),
    "a reference to no part of the workspace": (
        lambda f: pipeline(f)["configuration"].update({"lake.code": "${workspace.files}"}),
        "${workspace.files} is not there",
    ),
    "a reference without an end": (lambda f: pipeline(f).update(schema="${var.catalog"), "without an end"),
    "a kind of resource that is none": (
        lambda f: f["jobs.yml"]["resources"].update(job={"a": {}}),
        "resources.job is no kind of resource",
    ),
    "an unknown key of a job": (lambda f: job(f).update(timeout=1), "dev: resources.jobs.dbt_transformation_job:"),
    "an unknown key of a pipeline": (lambda f: pipeline(f).update(schemas="x"), "resources.pipelines.iot_bronze:"),
    "a wrong type": (lambda f: job(f).update(max_concurrent_runs="many"), "resources.jobs.dbt_transformation_job:"),
    "a value that is none of an enumeration": (
        lambda f: job(f)["schedule"].update(pause_status="RUNNING"),
        "resources.jobs.dbt_transformation_job:",
    ),
    "a task without a key": (lambda f: job(f)["tasks"][0].pop("task_key"), "resources.jobs.dbt_transformation_job:"),
    "a task key twice": (lambda f: job(f)["tasks"][1].update(task_key="dbt_deps"), "the task dbt_deps is there twice"),
    "a dependency that is not there": (
        lambda f: job(f)["tasks"][2].update(depends_on=[{"task_key": "dbt_run"}]),
        "dbt_test: depends on dbt_run, which is not there",
    ),
    "tasks in a circle": (
        lambda f: job(f)["tasks"][0].update(depends_on=[{"task_key": "dbt_test"}]),
        "dbt_build depends on itself",
    ),
    "two kinds in one task": (
        lambda f: job(f)["tasks"][0].update(run_job_task={"job_id": "1"}),
        "dbt_deps: a task has one kind, and not notebook_task and run_job_task",
    ),
    "a task of no kind": (
        lambda f: job(f)["tasks"][0].pop("notebook_task"),
        "dbt_deps: a task has one kind, and not none",
    ),
    "a cluster that is not there": (
        lambda f: job(f)["tasks"][0].update(job_cluster_key="large"),
        "dbt_deps: the cluster large is not there",
    ),
    "a cluster twice": (
        lambda f: job(f).update(job_clusters=[*job(f)["job_clusters"], *job(f)["job_clusters"]]),
        "the cluster small is there twice",
    ),
    "a task without compute": (
        lambda f: job(f)["tasks"][0].pop("job_cluster_key"),
        "dbt_deps: names no compute; it must be one",
    ),
    "a cluster for a pipeline's task": (
        lambda f: job(f, "iot_ingestion_job")["tasks"][0].update(existing_cluster_id="1"),
        "bronze: a pipeline_task takes no existing_cluster_id",
    ),
    "a notebook that is not there": (
        lambda f: job(f)["tasks"][0]["notebook_task"].update(notebook_path="../notebooks/jobs/run_dbt.py"),
        "dbt_deps: run_dbt.py is not there",
    ),
    "a notebook that is none": (
        lambda f: job(f)["tasks"][0]["notebook_task"].update(notebook_path="../lake/dbt_run.py"),
        "dbt_deps: dbt_run.py is no notebook",
    ),
    "a path that is relative to the wrong folder": (
        lambda f: pipeline(f)["libraries"][0]["notebook"].update(path="notebooks/bronze/ingest_iot_events.py"),
        "iot_bronze: ingest_iot_events.py is not there",
    ),
    "a glob that matches nothing": (
        lambda f: pipeline(f).update(libraries=[{"glob": {"include": "../silver/**"}}]),
        "iot_bronze: nothing matches ../silver/**",
    ),
    "a parameter that nothing gives": (
        lambda f: job(f).update(parameters=job(f)["parameters"][1:]),
        "dbt_build: catalog is read, but nothing gives it",
    ),
    "a parameter that no notebook reads": (
        lambda f: job(f).update(parameters=[*job(f)["parameters"], {"name": "schema", "default": "x"}]),
        "no notebook reads the parameter schema",
    ),
    "a parameter of a task that its notebook does not read": (
        lambda f: job(f)["tasks"][0]["notebook_task"].update(base_parameters={"schema": "x"}),
        "dbt_deps: schema is given, but its notebook does not read it",
    ),
    "a cron expression of Unix": (
        lambda f: target(f)["variables"].update(ingestion_cron="*/15 * * * *"),
        "prod: iot_ingestion_job: the schedule '*/15 * * * *' has 5 fields",
    ),
    "a time zone that is none": (lambda f: job(f)["schedule"].update(timezone_id="UTC+1"), "UTC+1 is no time zone"),
    "serverless": (lambda f: pipeline(f).update(serverless=True), "iot_bronze: serverless must be false"),
    "a continuous pipeline": (lambda f: pipeline(f).update(continuous=True), "iot_bronze: must not be continuous"),
    "a job without a timeout": (lambda f: job(f).pop("timeout_seconds"), "has no timeout_seconds"),
    "a cluster that never ends": (
        lambda f: target(f, "dev")["variables"].update(autotermination_minutes=0),
        "dev: iot_notebooks: autotermination_minutes must be 10 to 20, and is 0",
    ),
    "a machine on demand alone": (
        lambda f: pipeline(f)["clusters"][0]["aws_attributes"].update(availability="ON_DEMAND"),
        "iot_bronze: the cluster is not SPOT_WITH_FALLBACK",
    ),
    "a single node that is not marked": (
        lambda f: f["clusters.yml"]["variables"]["job_cluster"]["default"]["custom_tags"].pop("ResourceClass"),
        "num_workers: 0 and the settings of a single node go together",
    ),
    "a resource declared twice": (
        lambda f: f["clusters.yml"]["resources"].update(jobs={"data_quality_job": {}}),
        "resources.jobs.data_quality_job is declared twice",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_finds(bundle: Bundle, mistake: str) -> None:
    make, expected = MISTAKES[mistake]
    files = {path: copy.deepcopy(content) for path, content in bundle.files.items()}
    make({path.name: content for path, content in files.items()})
    found = problems(assemble(Bundle(bundle.root, files, {}, {})))
    assert any(expected in problem for problem in found), found


def test_finds_an_include_that_matches_nothing_and_a_key_that_is_there_twice(tmp_path: Path) -> None:
    shutil.copytree(ROOT, tmp_path / "b", ignore=shutil.ignore_patterns("dbt", "local"))
    main = tmp_path / "b" / "databricks.yml"
    main.write_text(main.read_text().replace("  - resources/*.yml", "  - resources/*.yml\n  - more/*.yml"))
    jobs = tmp_path / "b" / "resources" / "jobs.yml"
    jobs.write_text(jobs.read_text().replace("    iot_ingestion_job:\n", "    iot_ingestion_job:\n      name: x\n"))
    found = problems(load(tmp_path / "b"))
    assert any("include: nothing matches more/*.yml" in problem for problem in found), found
    assert any("jobs.yml: name stands twice in one mapping" in problem for problem in found), found


def test_command_prints_problems_and_fails(tmp_path: Path) -> None:
    shutil.copytree(ROOT, tmp_path / "b", ignore=shutil.ignore_patterns("dbt", "local"))
    command = [sys.executable, str(ROOT / "validate_bundle.py"), str(tmp_path / "b")]
    well = subprocess.run(command, capture_output=True, text=True)
    assert (well.returncode, well.stdout) == (
        0,
        "No problem in targets dev, staging, prod: 1 clusters, 3 jobs, 1 pipelines\n",
    )
    (tmp_path / "b" / "notebooks" / "jobs" / "run_dbt_test.py").unlink()
    ill = subprocess.run(command, capture_output=True, text=True)
    assert ill.returncode == 1
    assert "dbt_transformation_job.dbt_test: run_dbt_test.py is not there" in ill.stdout


@pytest.mark.parametrize(
    "expression",
    [
        "0 0/15 * * * ?", "0 0 6 ? * MON-FRI", "0 0 12 1,15 * ?", "0 15 10 ? * 6L 2026-2030", "0 0 0 L-3 * ?",
        "0 0 12 LW * ?", "0 0 12 15W * ?", "0 15 10 ? * FRI#2", "0 0/5 14,18 * JAN-MAR ?", "30 10/15 * * * ?",
    ],
)  # fmt: skip
def test_is_a_cron_expression(expression: str) -> None:
    assert quartz.problem(expression) is None


@pytest.mark.parametrize(
    "expression",
    [
        "*/15 * * * *", "0 0 * * * *", "0 0 * ? * ?", "60 0 * * * ?", "0 0 24 * * ?", "0 0 0 32 * ?", "0 0 0 1 13 ?",
        "0 0 0 ? * 8", "0 0 0 ? * MOO", "0 0/0 * * * ?", "0 0/75 * * * ?", "0 0 * * * ? 1969", "0 0 ? * * MON", "",
        "0 0 0 1,? * MON", "0 -5 * * * ?", "every hour at the full hour now",
    ],
)  # fmt: skip
def test_is_no_cron_expression(expression: str) -> None:
    assert quartz.problem(expression) is not None


@pytest.mark.parametrize(
    ("expression", "times"),
    [("0 0 * * * ?", 24), ("0 10/15 * * * ?", 96), ("0 25 0/6 * * ?", 4), ("0 5,35 8-17 ? * *", 20)],
)
def test_runs_a_day(expression: str, times: int) -> None:
    assert quartz.runs_a_day(expression) == times


def test_costs_in_the_document_are_those_of_the_schedules(bundle: Bundle) -> None:
    document = (ROOT.parent / "docs" / "DATABRICKS.md").read_text()
    written = document.split("<!-- costs:begin -->\n")[1].split("\n<!-- costs:end -->")[0]
    assert written == costs.table(bundle, costs.Assumptions())
    once = costs.monthly(bundle, "dev", costs.Assumptions(minutes=(("data_quality_job", 60),)))
    assert once == {"data_quality_job": pytest.approx(30.4 * (0.11 + 0.15))}


def test_table_of_targets_in_the_readme_is_that_of_the_bundle(bundle: Bundle) -> None:
    readme = (ROOT / "README.md").read_text()
    for name, (catalog, prefix, _, minutes, _) in TARGETS.items():
        assert f"| {name} | `{catalog}` | `{prefix}_…` |" in readme
        assert re.search(rf"^\| {name} \|.* {minutes} minutes \|$", readme, re.M)
    for key in bundle.config["resources"]["jobs"]:
        assert f"databricks bundle run {key}" in readme
