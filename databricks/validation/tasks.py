"""Checks of jobs and pipelines: tasks, their order, their clusters, their notebooks, their schedules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from validation import quartz
from validation.config import Bundle

NOTEBOOK = "# Databricks notebook source"
COMPUTE = ("job_cluster_key", "existing_cluster_id", "new_cluster", "environment_key")
# Kinds of tasks that bring their own compute.
WITHOUT_CLUSTER = {"pipeline_task", "run_job_task", "sql_task", "condition_task"}


def tasks(bundle: Bundle) -> Iterator[str]:
    """Task keys, kinds, order and clusters."""
    for where, _, job in _jobs(bundle):
        listed = job.get("tasks") or []
        keys = [task.get("task_key") for task in listed]
        yield from (f"{where}: the task {key} is there twice" for key in _twice(keys))
        clusters = [cluster.get("job_cluster_key") for cluster in job.get("job_clusters") or []]
        yield from (f"{where}: the cluster {key} is there twice" for key in _twice(clusters))
        used = {task.get("job_cluster_key") for task in listed}
        yield from (f"{where}: the cluster {key} is not used" for key in clusters if key not in used)
        for task in listed:
            at = f"{where}.{task.get('task_key')}"
            kinds = _kinds(task)
            if len(kinds) != 1:
                yield f"{at}: a task has one kind, and not {' and '.join(kinds) or 'none'}"
            for dependency in task.get("depends_on") or []:
                if dependency.get("task_key") not in keys:
                    yield f"{at}: depends on {dependency.get('task_key')}, which is not there"
            compute = [key for key in COMPUTE if key in task]
            if set(kinds) & WITHOUT_CLUSTER:
                if compute:
                    yield f"{at}: a {kinds[0]} takes no {compute[0]}"
            elif len(compute) != 1:
                yield f"{at}: names {' and '.join(compute) or 'no'} compute; it must be one"
            if "job_cluster_key" in task and task["job_cluster_key"] not in clusters:
                yield f"{at}: the cluster {task['job_cluster_key']} is not there"
        yield from (f"{where}: {key} depends on itself" for key in _circular(listed))


def schedules(bundle: Bundle) -> Iterator[str]:
    """Cron expressions and time zones."""
    for where, _, job in _jobs(bundle):
        schedule = job.get("schedule")
        if schedule is None:
            continue
        expression = str(schedule.get("quartz_cron_expression"))
        wrong = quartz.problem(expression)
        if wrong:
            yield f"{where}: the schedule {expression!r} {wrong}"
        if schedule.get("timezone_id") not in available_timezones():
            yield f"{where}: {schedule.get('timezone_id')} is no time zone"


def paths(bundle: Bundle) -> Iterator[str]:
    """Every local path that a resource names is there, and is a notebook where one is wanted."""
    for where, key, job in _jobs(bundle):
        folder = bundle.origin["jobs", key].parent
        for task in job.get("tasks") or []:
            notebook = (task.get("notebook_task") or {}).get("notebook_path")
            if notebook is not None:
                yield from _notebook(f"{where}.{task.get('task_key')}", folder / notebook)
            script = (task.get("spark_python_task") or {}).get("python_file")
            if script is not None and not (folder / script).is_file():
                yield f"{where}.{task.get('task_key')}: {script} is not there"
    for target in bundle.targets:
        for key, pipeline in (bundle.resources(target).get("pipelines") or {}).items():
            folder, where = bundle.origin["pipelines", key].parent, f"{target}: {key}"
            for library in pipeline.get("libraries") or []:
                if "notebook" in library:
                    yield from _notebook(where, folder / library["notebook"]["path"])
                elif "glob" in library and not list(folder.glob(library["glob"]["include"])):
                    yield f"{where}: nothing matches {library['glob']['include']}"


def parameters(bundle: Bundle) -> Iterator[str]:
    """A notebook is given what it, or what it imports from lake/, reads from widgets, and what is given is read."""
    for where, key, job in _jobs(bundle):
        folder = bundle.origin["jobs", key].parent
        of_job = {parameter.get("name") for parameter in job.get("parameters") or []}
        read_by_any: set[str] = set()
        for task in job.get("tasks") or []:
            notebook = task.get("notebook_task") or {}
            path = folder / str(notebook.get("notebook_path"))
            if not path.is_file():
                continue
            source = _with_imports(path, bundle.root / "lake")
            read = set(re.findall(r"""dbutils\.widgets\.get\(["'](\w+)["']\)""", source))
            own = set(re.findall(r"""dbutils\.widgets\.\w+\(["'](\w+)["'],""", source))
            of_task = set(notebook.get("base_parameters") or {})
            read_by_any |= read
            at = f"{where}.{task.get('task_key')}"
            yield from (f"{at}: {name} is read, but nothing gives it" for name in sorted(read - of_job - of_task - own))
            yield from (f"{at}: {name} is given, but its notebook does not read it" for name in sorted(of_task - read))
        yield from (f"{where}: no notebook reads the parameter {name}" for name in sorted(of_job - read_by_any))


def costs(bundle: Bundle) -> Iterator[str]:
    """No serverless, nothing continuous, nothing that is never switched off, and nothing that cannot be scheduled."""
    for target in bundle.targets:
        resources = bundle.resources(target)
        for key, pipeline in (resources.get("pipelines") or {}).items():
            if pipeline.get("serverless") is not False:
                yield f"{target}: {key}: serverless must be false"
            if pipeline.get("continuous"):
                yield f"{target}: {key}: must not be continuous"
            yield from (f"{target}: {key}: {wrong}" for c in pipeline.get("clusters") or [] for wrong in _machine(c))
        for key, cluster in (resources.get("clusters") or {}).items():
            minutes = cluster.get("autotermination_minutes")
            if not (isinstance(minutes, int) and 10 <= minutes <= 20):
                yield f"{target}: {key}: autotermination_minutes must be 10 to 20, and is {minutes}"
            yield from (f"{target}: {key}: {wrong}" for wrong in _machine(cluster))
        for key, job in (resources.get("jobs") or {}).items():
            if "timeout_seconds" not in job:
                yield f"{target}: {key}: has no timeout_seconds"
            if "continuous" in job:
                yield f"{target}: {key}: must not be continuous"
            for cluster in job.get("job_clusters") or []:
                yield from (f"{target}: {key}: {wrong}" for wrong in _machine(cluster.get("new_cluster") or {}))


def _machine(cluster: dict[str, Any]) -> Iterator[str]:
    """A cluster is on spot with fallback; one of a single node is marked as such, or it would wait for workers."""
    if not isinstance(cluster, dict):
        return
    if (cluster.get("aws_attributes") or {}).get("availability") != "SPOT_WITH_FALLBACK":
        yield "the cluster is not SPOT_WITH_FALLBACK"
    conf, tags = cluster.get("spark_conf") or {}, cluster.get("custom_tags") or {}
    single = (
        conf.get("spark.databricks.cluster.profile") == "singleNode"
        and str(conf.get("spark.master", "")).startswith("local")
        and tags.get("ResourceClass") == "SingleNode"
    )
    if (cluster.get("num_workers") == 0) != single:
        yield "num_workers: 0 and the settings of a single node go together"


def _with_imports(notebook: Path, lake: Path) -> str:
    """The notebook's text, and that of the modules of lake/ from which it imports."""
    source = notebook.read_text()
    modules = (lake / f"{name}.py" for name in re.findall(r"^from lake\.(\w+) import", source, re.M))
    return "\n".join([source, *(module.read_text() for module in modules if module.is_file())])


def _jobs(bundle: Bundle) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for target in bundle.targets:
        for key, job in (bundle.resources(target).get("jobs") or {}).items():
            yield f"{target}: {key}", key, job or {}


def _kinds(task: dict[str, Any]) -> list[str]:
    return [key for key in task if key.endswith("_task")]


def _twice(keys: list[Any]) -> list[Any]:
    return sorted({key for key in keys if keys.count(key) > 1}, key=str)


def _circular(listed: list[dict[str, Any]]) -> list[str]:
    """Tasks that could only begin once they have ended."""
    before = {task.get("task_key"): {d.get("task_key") for d in task.get("depends_on") or []} for task in listed}
    while True:
        ready = [key for key, waits in before.items() if not waits & before.keys()]
        if not ready:
            return sorted(str(key) for key in before)
        for key in ready:
            del before[key]


def _notebook(where: str, path: Path) -> Iterator[str]:
    if not path.is_file():
        yield f"{where}: {path.name} is not there ({path.resolve()})"
    elif path.suffix == ".py" and not path.read_text().startswith(NOTEBOOK):
        yield f"{where}: {path.name} is no notebook; its first line must be {NOTEBOOK!r}"
