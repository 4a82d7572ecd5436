"""Checks of the bundle as a whole: its keys, its targets, and that every `${…}` refers to something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from databricks.bundles.clusters import Cluster
from databricks.bundles.jobs import Job
from databricks.bundles.pipelines import Pipeline
from databricks.bundles.schemas import Schema
from databricks.bundles.secret_scopes import SecretScope
from databricks.bundles.volumes import Volume

from validation.config import REFERENCE, Bundle

# https://docs.databricks.com/dev-tools/bundles/reference
TOP_LEVEL = {
    "artifacts", "bundle", "experimental", "include", "permissions", "presets", "python", "resources", "run_as",
    "scripts", "sync", "targets", "variables", "workspace",
}  # fmt: skip
IN_TARGET = (TOP_LEVEL - {"include", "targets", "python", "experimental", "scripts"}) | {
    "cluster_id",
    "default",
    "git",
    "mode",
}
IN_BUNDLE = {"cluster_id", "compute_id", "databricks_cli_version", "deployment", "engine", "git", "name", "uuid"}
IN_VARIABLE = {"default", "description", "lookup", "type"}
MODES = {"development", "production"}
WORKSPACE = {
    "artifact_path", "current_user.domain_friendly_name", "current_user.short_name", "current_user.userName",
    "file_path", "host", "resource_path", "root_path", "state_path",
}  # fmt: skip
PERMISSIONS = {"CAN_MANAGE", "CAN_VIEW", "CAN_RUN"}

# The kinds of resources that this bundle may have, each with what judges it.
MODELS: dict[str, Any] = {
    "clusters": Cluster,
    "jobs": Job,
    "pipelines": Pipeline,
    "schemas": Schema,
    "secret_scopes": SecretScope,
    "volumes": Volume,
}


def unknown_keys(bundle: Bundle) -> Iterator[str]:
    """Keys that the CLI would warn of, or take no notice of."""
    for path, content in bundle.files.items():
        yield from _unknown(path.name, content, TOP_LEVEL)
        yield from _unknown(f"{path.name}: bundle", content.get("bundle") or {}, IN_BUNDLE)
        for name, variable in (content.get("variables") or {}).items():
            yield from _unknown(f"{path.name}: variables.{name}", variable or {}, IN_VARIABLE)
    for name, target in bundle.targets.items():
        yield from _unknown(f"targets.{name}", target, IN_TARGET)


def targets(bundle: Bundle) -> Iterator[str]:
    """One default target, known modes; one in production has a place and an identity of its own."""
    if not (bundle.config.get("bundle") or {}).get("name"):
        yield "bundle.name is missing"
    default = [name for name, target in bundle.targets.items() if target.get("default") is True]
    if len(default) != 1:
        yield f"targets: one must be the default, not {len(default)} ({', '.join(default) or 'none'})"
    for name, target in bundle.targets.items():
        mode = target.get("mode")
        if mode not in MODES:
            yield f"targets.{name}.mode: {mode} is none of {', '.join(sorted(MODES))}"
        if mode != "production":
            continue
        if not ((target.get("run_as") or bundle.config.get("run_as")) or {}).get("service_principal_name"):
            yield f"targets.{name}: production needs run_as with a service_principal_name"
        if not (target.get("workspace") or {}).get("root_path"):
            yield f"targets.{name}: production needs workspace.root_path, so that there is one deployment only"
        for permission in target.get("permissions") or bundle.config.get("permissions") or []:
            if permission.get("level") not in PERMISSIONS:
                yield f"targets.{name}.permissions: {permission.get('level')} is no level"


def references(bundle: Bundle) -> Iterator[str]:
    """Every `${…}` is a declared variable, a declared resource, or one of the CLI's own."""
    declared = bundle.config.get("variables") or {}
    for name, target in bundle.targets.items():
        for variable in target.get("variables") or {}:
            if variable not in declared:
                yield f"targets.{name}.variables.{variable} is not declared"
    for path, content in bundle.files.items():
        for where, text in _texts(content):
            if "${" in REFERENCE.sub("", text):
                yield f"{path.name}: {where}: ${{ without an end in {text!r}"
            for reference in REFERENCE.findall(text):
                if not _exists(bundle, reference):
                    yield f"{path.name}: {where}: ${{{reference}}} is not there"


def unused_variables(bundle: Bundle) -> Iterator[str]:
    """Variables that nothing reads: most often a slip of the pen elsewhere."""
    used = {
        reference
        for content in bundle.files.values()
        for _, text in _texts(content)
        for reference in REFERENCE.findall(text)
    }
    for name in bundle.config.get("variables") or {}:
        if f"var.{name}" not in used:
            yield f"variables.{name} is not used"


def models(bundle: Bundle) -> Iterator[str]:
    """Each resource of each target has the keys and types of its model."""
    for target in bundle.targets:
        for kind, named in bundle.resources(target).items():
            if kind not in MODELS:
                yield f"resources.{kind} is no kind of resource that is known here"
                continue
            for key, resource in named.items():
                try:
                    MODELS[kind].from_dict(resource)
                except (TypeError, ValueError) as error:
                    yield f"{target}: resources.{kind}.{key}: {error}"


def _exists(bundle: Bundle, reference: str) -> bool:
    kind, _, rest = reference.partition(".")
    if kind == "var":
        return rest in (bundle.config.get("variables") or {})
    if kind == "bundle":
        return rest in ("name", "target", "git.branch", "git.commit", "git.origin_url")
    if kind == "workspace":
        return rest in WORKSPACE
    parts = reference.split(".")
    if kind == "resources" and len(parts) == 4 and (parts[1], parts[2]) in bundle.origin:
        declared = (bundle.config["resources"][parts[1]] or {})[parts[2]] or {}
        return parts[3] in ("id", "url") or parts[3] in declared
    return False


def _unknown(where: str, mapping: dict[str, Any], known: set[str]) -> Iterator[str]:
    for key in mapping:
        if key not in known:
            yield f"{where}: {key} is not known"


def _texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """All texts in a configuration, with where they are."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, f"{where}[{number}]")
