#!/usr/bin/env python3
"""Checks the bundle without a workspace and prints what is wrong with it; exit code 1 if anything is.

python databricks/validate_bundle.py [FOLDER]    (needs databricks-bundles and PyYAML: local/requirements.txt)
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from validation import structure, tasks
from validation.config import Bundle, load

CHECKS = (
    structure.unknown_keys,
    structure.targets,
    structure.references,
    structure.unused_variables,
    structure.models,
    tasks.tasks,
    tasks.schedules,
    tasks.paths,
    tasks.parameters,
    tasks.costs,
)


def problems(bundle: Bundle) -> list[str]:
    """All that is wrong, each once."""
    found = [*bundle.problems, *(problem for check in CHECKS for problem in check(bundle))]
    return list(dict.fromkeys(found))


def main() -> int:
    """The command."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    bundle = load(root)
    found = problems(bundle)
    for problem in found:
        print(problem)
    if not found:
        count = {kind: len(named) for kind, named in bundle.config["resources"].items()}
        print(f"No problem in targets {', '.join(bundle.targets)}: {', '.join(f'{n} {k}' for k, n in count.items())}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
