"""Judges what bronze and dbt have found: which findings fail the job `data_quality_job`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.dbt_run import DbtFailedError

# Findings of one kind that are printed; all of them are in ingest_audit.
MOST_PRINTED = 50


@dataclass(frozen=True)
class Finding:
    """`error` fails the job; `warning` and `info` are printed."""

    severity: str
    check: str
    subject: str
    detail: str

    def __str__(self) -> str:
        """As a line of the report."""
        return f"{self.severity:7}  {self.check:16}  {self.subject}: {self.detail}"


class QualityError(Exception):
    """There are findings of severity error; the message is the report."""


def audit_findings(audit: DataFrame) -> list[Finding]:
    """What `ingest_audit` holds, the worst first: up to MOST_PRINTED of each kind, and then how many more there are."""
    counts = {
        (row["severity"], row["kind"]): row["count"] for row in audit.groupBy("severity", "kind").count().collect()
    }
    found: list[Finding] = []
    for (severity, kind), count in sorted(counts.items(), key=lambda item: (_rank(item[0][0]), item[0][1])):
        rows = audit.where((F.col("severity") == severity) & (F.col("kind") == kind))
        for row in rows.orderBy("node", "table", "generation", "sequence", "part").limit(MOST_PRINTED).collect():
            names = [row["node"], row["table"]]
            names += [f"generation {row['generation']}"] if row["generation"] is not None else []
            names += [f"sequence {row['sequence']}"] if row["sequence"] is not None else []
            names += [f"rowids {row['first_rowid']} to {row['last_rowid']}"] if row["first_rowid"] is not None else []
            detail = row["detail"] + (f" ({row['object_key']})" if row["object_key"] else "")
            found.append(Finding(severity, kind, ", ".join(name for name in names if name) or "all", detail))
        if count > MOST_PRINTED:
            found.append(Finding(severity, kind, "ingest_audit", f"and {count - MOST_PRINTED} more"))
    return found


def stale_audit(nodes: DataFrame, hours: float) -> list[Finding]:
    """An error where bronze is empty, or no object of any node has come for so long: then an audit proves nothing.

    `nodes` is `ingest_nodes`, whose figures are as of the last run of the pipeline.
    """
    row = nodes.agg(
        F.count("*").alias("nodes"),
        (F.timestamp_diff("MICROSECOND", F.max("last_object_at"), F.current_timestamp()) / 3.6e9).alias("hours"),
    ).first()
    assert row is not None
    if row["nodes"] == 0:
        return [Finding("error", "no_object", "all nodes", "no object has ever been taken into bronze")]
    if row["hours"] >= hours:
        return [Finding("error", "no_new_object", "all nodes", f"the newest object is {row['hours']:.1f} hours old")]
    return []


def dbt_findings(error: DbtFailedError) -> list[Finding]:
    """The tests and sources that failed; where nothing has been run, that."""
    if not error.failed:
        return [Finding("error", "dbt", "dbt", str(error))]
    return [Finding("error", "dbt", *line.split(": ", 1)) for line in error.failed]


def report(findings: Sequence[Finding]) -> str:
    """All findings and their number, the worst first."""
    ordered = sorted(findings, key=lambda finding: _rank(finding.severity))
    errors = sum(finding.severity == "error" for finding in findings)
    return "\n".join([*map(str, ordered), f"{len(findings)} findings, {errors} of them errors"])


def judge(findings: Sequence[Finding]) -> str:
    """The report; raises QualityError with it where a finding is an error."""
    text = report(findings)
    if any(finding.severity == "error" for finding in findings):
        raise QualityError(text)
    return text


def _rank(severity: str) -> int:
    order = ("error", "warning", "info")
    return order.index(severity) if severity in order else 0
