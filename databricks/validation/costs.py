"""What the schedules cost, from the bundle and assumptions that stand here: `python databricks/validation/costs.py`.

docs/DATABRICKS.md has the table; a test holds it against this one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from validation import quartz
from validation.config import Bundle, load

DAYS_A_MONTH = 30.4


@dataclass(frozen=True)
class Assumptions:
    """Prices in US dollars: us-west-2, Premium, list prices without discounts. Minutes include the machine's start."""

    machine_hour: float = 0.11  # i3.xlarge on spot, which moves; on demand 0.312
    dbus_of_machine: float = 1.0
    dbu_of_pipeline: float = 0.36  # classic, edition ADVANCED
    dbu_of_job: float = 0.15  # classic jobs compute
    minutes: tuple[tuple[str, float], ...] = (
        ("iot_ingestion_job", 10),
        ("dbt_transformation_job", 10),
        ("data_quality_job", 8),
    )


def monthly(bundle: Bundle, target: str, assumed: Assumptions) -> dict[str, float]:
    """Dollars a month by job."""
    costs = {}
    for job, minutes in assumed.minutes:
        settings = bundle.resources(target)["jobs"][job]
        runs = quartz.runs_a_day(settings["schedule"]["quartz_cron_expression"]) * DAYS_A_MONTH
        pipeline = any("pipeline_task" in task for task in settings["tasks"])
        dbu = assumed.dbu_of_pipeline if pipeline else assumed.dbu_of_job
        costs[job] = runs * minutes / 60 * (assumed.machine_hour + assumed.dbus_of_machine * dbu)
    return costs


def table(bundle: Bundle, assumed: Assumptions) -> str:
    """The table of docs/DATABRICKS.md."""
    jobs = [job for job, _ in assumed.minutes]
    lines = ["| target | " + " | ".join(f"`{job}`" for job in jobs) + " | a month |"]
    lines.append("| --- " * (len(jobs) + 2) + "|")
    for target in bundle.targets:
        costs = monthly(bundle, target, assumed)
        cells = []
        for job in jobs:
            schedule = bundle.resources(target)["jobs"][job]["schedule"]["quartz_cron_expression"]
            runs = quartz.runs_a_day(schedule)
            cells.append(f"{runs} {'run' if runs == 1 else 'runs'} a day, ${costs[job]:.0f}")
        lines.append(f"| {target} | " + " | ".join(cells) + f" | ${sum(costs.values()):.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(load(Path(__file__).resolve().parents[1]), Assumptions()))
