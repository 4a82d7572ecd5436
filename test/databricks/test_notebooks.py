"""Notebooks without a workspace: they are well formed, they compile, and they import what is there."""

from __future__ import annotations

import ast
import importlib
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "databricks" / "notebooks"
NOTEBOOKS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def test_all_are_there() -> None:
    assert NOTEBOOKS == [
        "01_setup.py", "02_autoloader.py", "03_monitor.py", "99_teardown.py", "bronze/ingest_iot_events.py",
        "jobs/run_data_quality.py", "jobs/run_dbt_build.py", "jobs/run_dbt_deps.py", "jobs/run_dbt_test.py",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_well_formed_and_names_what_is_there(name: str) -> None:
    text = (ROOT / name).read_text()
    lines = text.splitlines()
    assert lines[:3] == ["# Databricks notebook source", "# MAGIC %md", lines[2]]
    for before, line in itertools.pairwise(lines):
        if line == "# COMMAND ----------":
            assert before == "", f"a blank line before each cell: {before!r}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("pyspark.pipelines"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if name[:2].isdigit()])
def test_every_widget_that_is_read_is_declared(name: str) -> None:
    calls = [
        (node.func.attr, ast.literal_eval(node.args[0]))
        for node in ast.walk(ast.parse((ROOT / name).read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "dbutils.widgets"
    ]
    read = {widget for method, widget in calls if method == "get"}
    declared = {widget for method, widget in calls if method != "get"}
    assert read == declared != set()
