"""Which findings fail the job, and what the monitor shows: on the audit of real keys."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from lake import monitor, quality
from lake.audit import ingest_audit, ingest_nodes
from lake.dbt_run import DbtFailedError
from objects import NOW, key, list_objects

MISSING = key(2)


@pytest.fixture(scope="module")
def inventory(spark: SparkSession) -> DataFrame:
    """Two nodes; edge-1 lacks the sequence 2, and has sent rejected rows; plant-7 has been silent for two days."""
    return list_objects(
        spark,
        key(1),
        key(3, folder="schematized", rows=8, parts=2),
        key(3, folder="rejected/schematized", rows=2, part=2, parts=2),
        key(1, node="plant-7"),
        hours_ago={key(1): 30, key(1, node="plant-7"): 48},
    ).cache()


@pytest.fixture(scope="module")
def by_object(inventory: DataFrame) -> DataFrame:
    return inventory.selectExpr(
        "object_key", "node AS node_id", "rows AS rows_found", "0L AS rows_quarantined", "0L AS rows_misfit"
    )


@pytest.fixture(scope="module")
def audit(spark: SparkSession, inventory: DataFrame, by_object: DataFrame) -> DataFrame:
    """Sequence 3 overtook 2 an hour ago."""
    columns = "_node_id string, _generation long, _rowid long, _object_key string"
    shared = [("edge-1", 1, 5, key(1)), ("edge-1", 1, 5, key(9)), ("edge-1", 1, 6, key(1))]
    rows = spark.createDataFrame(shared, columns)
    return ingest_audit(
        inventory, by_object, [rows], NOW, pending_hours=0.5, quiet_hours=40, tables=["readings"]
    ).cache()


@pytest.fixture(scope="module")
def nodes(inventory: DataFrame, by_object: DataFrame) -> DataFrame:
    return ingest_nodes(inventory, by_object, NOW).cache()


def test_findings_name_what_is_missing_and_twice(audit: DataFrame) -> None:
    found = quality.audit_findings(audit)
    assert [(finding.severity, finding.check) for finding in found] == [
        ("error", "duplicate_rows"),
        ("error", "missing_object"),
        ("warning", "quiet_node"),
    ]
    gap = found[1]
    assert gap.subject == "edge-1, readings, generation 1, sequence 2, rowids 11 to 20"
    with pytest.raises(quality.QualityError, match="3 findings, 2 of them errors") as caught:
        quality.judge(found)
    assert "no object of the sequence 2 has come" in str(caught.value)
    assert f"the same rows are in {key(1)} and {key(9)}" in str(caught.value)


def test_warnings_are_printed_and_do_not_fail(audit: DataFrame) -> None:
    text = quality.judge(quality.audit_findings(audit.where("severity != 'error'")))
    assert "plant-7: no object for 48.0 hours" in text
    assert text.endswith("1 findings, 0 of them errors")
    assert quality.judge([]) == "0 findings, 0 of them errors"


def test_a_severity_that_nobody_knows_is_not_passed_over() -> None:
    assert quality.report([quality.Finding("info", "a", "b", "c"), quality.Finding("fatal", "d", "e", "f")]).startswith(
        "fatal"
    )


def test_of_many_findings_of_a_kind_the_first_are_printed_and_all_are_counted(audit: DataFrame) -> None:
    gap = audit.where("kind = 'missing_object'").drop("sequence")
    many = gap.selectExpr("*", f"explode(sequence(1L, {quality.MOST_PRINTED + 7}L)) AS sequence")
    found = quality.audit_findings(many)
    assert len(found) == quality.MOST_PRINTED + 1
    assert found[-1].detail == "and 7 more"
    assert found[-1].severity == "error"


def test_an_audit_of_nothing_proves_nothing(nodes: DataFrame) -> None:
    assert [f.check for f in quality.stale_audit(nodes.limit(0), hours=24)] == ["no_object"]
    now = nodes.selectExpr("current_timestamp() - INTERVAL 25 HOURS AS last_object_at")
    assert [f.check for f in quality.stale_audit(now, hours=24)] == ["no_new_object"]
    assert quality.stale_audit(now, hours=26) == []


def test_what_dbt_found_is_an_error() -> None:
    failed = quality.dbt_findings(DbtFailedError(["test"], 1, ["test.p.t: fail, 2 rows: Got 2 results"]))
    assert [str(finding) for finding in failed] == ["error    dbt               test.p.t: fail, 2 rows: Got 2 results"]
    assert quality.dbt_findings(DbtFailedError(["test"], 2, []))[0].severity == "error"


def test_monitor_counts_rows_and_rejected_ones(nodes: DataFrame) -> None:
    rows = {row["node"]: row.asDict() for row in monitor.rows_per_node(nodes).collect()}
    assert (rows["edge-1"]["objects"], rows["edge-1"]["raw_rows"]) == (3, 10)
    assert (rows["edge-1"]["schematized_rows"], rows["edge-1"]["rejected_rows"]) == (8, 2)
    assert (rows["plant-7"]["objects"], rows["plant-7"]["raw_rows"]) == (1, 10)
    shares = [(row["node"], row["rejected_share"]) for row in monitor.rejected(nodes).collect()]
    assert shares == [("edge-1", 0.2)]


def test_monitor_shows_who_is_late_as_of_now(spark: SparkSession, nodes: DataFrame) -> None:
    late = monitor.lag_per_node(nodes).collect()
    assert [row["node"] for row in late] == ["plant-7", "edge-1"]
    assert late[0]["lag_minutes"] - late[1]["lag_minutes"] == pytest.approx(timedelta(hours=47).total_seconds() / 60)


@pytest.mark.parametrize("kind", ["duplicate_rows", "duplicate_object", "disagreeing_parts", "overlapping_range"])
def test_monitor_shows_whatever_is_there_twice(audit: DataFrame, kind: str) -> None:
    finding = audit.where("kind = 'missing_object'").drop("kind").selectExpr("*", f"'{kind}' AS kind")
    assert [row["kind"] for row in monitor.duplicates(finding).collect()] == [kind]


def test_monitor_shows_gaps_duplicates_and_reasons(spark: SparkSession, audit: DataFrame) -> None:
    assert [(row["node"], row["sequence"], row["severity"]) for row in monitor.gaps(audit).collect()] == [
        ("edge-1", 2, "error")
    ]
    assert [(row["kind"], row["expected"], row["found"]) for row in monitor.duplicates(audit).collect()] == [
        ("duplicate_rows", 1, 2)
    ]
    assert monitor.set_aside(audit).collect() == []
    rows = spark.createDataFrame(
        [("edge-1", "too hot"), ("edge-1", "too hot"), ("edge-1", "no id")], "_node_id string, _errors string"
    )
    assert [(row["_errors"], row["count"]) for row in monitor.reasons(rows).collect()] == [("too hot", 2), ("no id", 1)]
