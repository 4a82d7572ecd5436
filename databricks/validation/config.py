"""Loads a bundle as the Databricks CLI does: includes, overrides of a target, and `${…}` put in."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REFERENCE = re.compile(r"\$\{([^}]+)\}")


@dataclass
class Bundle:
    """`files` has the mapping in each YAML file by its path, `databricks.yml` first; `config` is all of them in one.

    `origin` tells in which file a resource is declared: its paths are relative to that file.
    """

    root: Path
    files: dict[Path, dict[str, Any]]
    config: dict[str, Any]
    origin: dict[tuple[str, str], Path]
    problems: list[str] = field(default_factory=list)

    @property
    def targets(self) -> dict[str, dict[str, Any]]:
        """The targets by name."""
        return {name: target or {} for name, target in (self.config.get("targets") or {}).items()}

    def resources(self, target: str) -> dict[str, dict[str, dict[str, Any]]]:
        """The resources of a target by kind and key, with the target's overrides and the values of variables."""
        override = self.targets[target].get("resources") or {}
        merged = merge(copy.deepcopy(self.config.get("resources") or {}), override)
        return resolve(merged, self.values(target))

    def values(self, target: str) -> dict[str, Any]:
        """What references stand for; one without a value here, such as an id, stands for itself.

        A variable that must be given from outside has its name in angle brackets.
        """
        values: dict[str, Any] = {"bundle.name": (self.config.get("bundle") or {}).get("name"), "bundle.target": target}
        given = self.targets[target].get("variables") or {}
        for name, variable in (self.config.get("variables") or {}).items():
            value = given.get(name, (variable or {}).get("default", f"<{name}>"))
            values[f"var.{name}"] = value["default"] if isinstance(value, dict) and "default" in value else value
        return values


def load(root: Path) -> Bundle:
    """Reads `databricks.yml` in `root` and what it includes. Files that cannot be read are problems of the bundle."""
    bundle = Bundle(root, {}, {}, {})
    main = _read(bundle, root / "databricks.yml")
    for pattern in main.get("include") or []:
        paths = sorted(root.glob(pattern))
        if not paths:
            bundle.problems.append(f"databricks.yml: include: nothing matches {pattern}")
        for path in paths:
            _read(bundle, path)
    return assemble(bundle)


def assemble(bundle: Bundle) -> Bundle:
    """Puts the files together into `config` and `origin`."""
    for path, content in bundle.files.items():
        for kind, named in (content.get("resources") or {}).items():
            for key in named or {}:
                if (kind, key) in bundle.origin:
                    bundle.problems.append(f"{path.name}: resources.{kind}.{key} is declared twice")
                bundle.origin[kind, key] = path
        bundle.config = merge(bundle.config, copy.deepcopy(content))
    return bundle


def merge(base: Any, override: Any) -> Any:
    """Mappings are merged key by key; anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(override, dict)):
        return override
    return {**base, **{key: merge(base[key], value) if key in base else value for key, value in override.items()}}


def resolve(value: Any, values: dict[str, Any]) -> Any:
    """`value` with its references replaced. One that is a whole text keeps the type of what it stands for."""
    if isinstance(value, dict):
        return {key: resolve(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, values) for item in value]
    if not isinstance(value, str):
        return value
    whole = REFERENCE.fullmatch(value)
    if whole and whole[1] in values:
        return resolve(values[whole[1]], values)

    def text(match: re.Match[str]) -> str:
        return str(resolve(values[match[1]], values)) if match[1] in values else match[0]

    return REFERENCE.sub(text, value)


def _read(bundle: Bundle, path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(), _Loader)
    except (OSError, yaml.YAMLError) as error:
        bundle.problems.append(f"{path.name}: {error}")
        content = {}
    if not isinstance(content, dict):
        bundle.problems.append(f"{path.name}: is no mapping")
        content = {}
    bundle.files[path] = content
    return content


class _Loader(yaml.SafeLoader):
    """YAML 1.2's booleans, as the CLI has them, and no key twice in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"{', '.join(map(str, sorted(twice)))} stands twice in one mapping{node.start_mark}")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$", re.I), list("tTfF"))
