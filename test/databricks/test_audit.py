"""The audit on small inventories, one case at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from lake import audit_objects, audit_rows
from lake.audit import ingest_audit
from lake.findings import FINDING
from objects import NOW, key, list_objects

TABLES = ["readings"]


def arrived(spark: SparkSession, rows: dict[str, int], quarantined: int = 0) -> DataFrame:
    """What count_rows gives, for so many rows of each key."""
    counted = [(name, "edge-1", found, quarantined, 0) for name, found in rows.items()]
    return spark.createDataFrame(
        counted,
        "object_key string, node_id string, rows_found bigint, rows_quarantined bigint, rows_misfit bigint",
    )


def bronze(spark: SparkSession, *rows: tuple[str, int], node: str = "edge-1", generation: int = 1) -> DataFrame:
    """Rows of a row-wise table: key and rowid."""
    return spark.createDataFrame(
        [(node, generation, rowid, name) for name, rowid in rows],
        "_node_id string, _generation bigint, _rowid bigint, _object_key string",
    )


def kinds(findings: DataFrame) -> list[tuple]:
    return sorted(
        (row["kind"], row["severity"], row["sequence"], row["part"], row["expected"], row["found"])
        for row in findings.collect()
    )


def gaps(objects: DataFrame, pending_hours: float = 6) -> list[tuple]:
    return kinds(audit_objects.missing_sequences(objects, F.lit(NOW), pending_hours))


def wrong(objects: DataFrame, found: DataFrame, now: datetime = NOW, pending_hours: float = 6) -> list[tuple]:
    return kinds(audit_rows.wrong_rows(objects, found, F.lit(now), pending_hours, TABLES))


def test_sequences_without_a_gap_are_complete(spark: SparkSession) -> None:
    assert gaps(list_objects(spark, key(1), key(2), key(3, folder="emergency"))) == []


def test_a_gap_is_named_with_its_length_and_the_rowids_around_it(spark: SparkSession) -> None:
    objects = list_objects(spark, key(1), key(5), hours_ago=7)
    (gap,) = audit_objects.missing_sequences(objects, F.lit(NOW), 6).collect()
    assert (gap["kind"], gap["severity"]) == ("missing_object", "error")
    assert (gap["sequence"], gap["expected"], gap["first_rowid"], gap["last_rowid"]) == (2, 3, 11, 40)
    assert gap["detail"] == "no object of the sequences 2 to 4 has come"


def test_a_generation_that_does_not_begin_with_1_has_a_gap(spark: SparkSession) -> None:
    assert gaps(list_objects(spark, key(2), hours_ago=7)) == [("missing_object", "error", 1, None, 1, 0)]


def test_a_gap_is_pending_until_what_overtook_it_is_old(spark: SparkSession) -> None:
    ages = {key(1): 9.0, key(3): 5.0, key(4): 0.1}
    objects = list_objects(spark, *ages, hours_ago=ages)
    assert gaps(objects, pending_hours=6) == [("pending_object", "info", 2, None, 1, 0)]
    assert gaps(objects, pending_hours=4) == [("missing_object", "error", 2, None, 1, 0)]


def test_a_gap_is_as_old_as_the_oldest_object_behind_it(spark: SparkSession) -> None:
    ages = {key(1): 9.0, key(3): 0.1, key(4): 8.0}
    assert gaps(list_objects(spark, *ages, hours_ago=ages)) == [("missing_object", "error", 2, None, 1, 0)]


def test_nodes_and_generations_have_sequences_of_their_own(spark: SparkSession) -> None:
    objects = list_objects(spark, key(1), key(2), key(1, node="edge-2"), key(1, generation=2))
    assert gaps(objects) == []


def test_ranges_that_overlap_are_named_since_windows_have_no_rowids(spark: SparkSession) -> None:
    wide = key(3, folder="aggregated").replace("-0000000000000000021-", "-0000000000000000019-")
    objects = list_objects(
        spark,
        key(1, folder="aggregated"),
        key(2, 1, 2),
        key(2, 2, 2, folder="emergency"),
        wide,
        key(4),
        key(3, node="edge-2"),
    )
    (overlap,) = audit_objects.overlapping_ranges(objects).collect()
    assert (overlap["kind"], overlap["severity"], overlap["node"]) == ("overlapping_range", "error", "edge-1")
    assert (overlap["sequence"], overlap["first_rowid"], overlap["last_rowid"]) == (3, 19, 20)


def test_parts_of_two_extractions_are_not_one_that_is_whole(spark: SparkSession) -> None:
    longer = key(1, 2, 2).replace("-0000000000000000010-", "-0000000000000000012-")
    objects = list_objects(spark, key(1, 1, 2), longer, key(2, 1, 2), key(2, 2, 2), key(3, 1, 1), key(3, 2, 2))
    assert kinds(audit_objects.disagreeing_parts(objects)) == [
        ("disagreeing_parts", "error", 1, None, 1, 2),
        ("disagreeing_parts", "error", 3, None, 1, 2),
    ]


def test_parts_are_counted_over_all_buckets(spark: SparkSession) -> None:
    objects = list_objects(
        spark,
        key(1, 1, 2),
        key(1, 2, 2, folder="emergency"),
        key(2, 2, 2, folder="rejected/schematized"),
        hours_ago=7,
    )
    (missing,) = audit_objects.missing_parts(objects, F.lit(NOW), 6).collect()
    assert (missing["kind"], missing["sequence"], missing["part"]) == ("missing_object", 2, 1)
    assert (missing["first_rowid"], missing["last_rowid"]) == (11, 20)


def test_a_part_that_is_there_twice_is_named(spark: SparkSession) -> None:
    objects = list_objects(spark, key(1), key(1, rows=9), key(1, 2, 2), hours_ago={key(1): 2.0})
    (twice,) = audit_objects.duplicate_objects(objects).collect()
    assert (twice["object_key"], twice["severity"]) == (key(1, rows=9), "error")
    assert twice["detail"].endswith(key(1))


def test_rows_are_as_many_as_the_name_says(spark: SparkSession) -> None:
    objects = list_objects(spark, key(1), key(2), key(3), key(4, rows=0))
    found = arrived(spark, {key(1): 10, key(2): 9})
    assert wrong(objects, found, pending_hours=0.5) == [
        ("row_count", "error", 2, 1, 10, 9),
        ("set_aside_object", "error", 3, 1, 10, 0),
    ]


def test_an_object_without_a_row_is_pending_at_first_since_streams_list_at_different_moments(
    spark: SparkSession,
) -> None:
    objects = list_objects(spark, key(1), key(2))
    assert wrong(objects, arrived(spark, {key(2): 9})) == [
        ("pending_object", "info", 1, 1, 10, 0),
        ("row_count", "error", 2, 1, 10, 9),
    ]


def test_an_object_of_a_table_that_is_not_taken_says_so(spark: SparkSession) -> None:
    (finding,) = audit_rows.wrong_rows(
        list_objects(spark, key(1)), arrived(spark, {}), F.lit(NOW), 6, ["sensor_readings"]
    ).collect()
    assert (finding["kind"], finding["severity"]) == ("set_aside_object", "error")
    assert finding["detail"] == "the table readings is not among lake.tables"


def test_an_object_that_came_during_the_run_is_not_judged_yet(spark: SparkSession) -> None:
    objects = list_objects(spark, key(1))
    before_it_came = NOW - timedelta(hours=2)
    assert wrong(objects, arrived(spark, {key(1): 9}), before_it_came) == [("pending_object", "info", 1, 1, 10, 9)]


def test_the_reason_for_setting_an_object_aside_is_told(spark: SparkSession) -> None:
    objects = list_objects(spark, key(1), set_aside={key(1): "a is STRING, and DOUBLE in the table"})
    (finding,) = audit_rows.wrong_rows(objects, arrived(spark, {}), F.lit(NOW), 6, TABLES).collect()
    assert (finding["kind"], finding["detail"]) == ("set_aside_object", "a is STRING, and DOUBLE in the table")


def test_rows_in_quarantine_have_come_but_are_named(spark: SparkSession) -> None:
    findings = audit_rows.wrong_rows(
        list_objects(spark, key(1)), arrived(spark, {key(1): 10}, 2), F.lit(NOW), 6, TABLES
    )
    assert [row["detail"] for row in findings.collect()] == ["2 of its rows failed an expectation"]


def test_rows_are_unique_within_node_generation_and_table(spark: SparkSession) -> None:
    once = bronze(spark, (key(1), 1), (key(1), 2), (key(2), 11))
    other = bronze(spark, (key(1, node="edge-2"), 1), node="edge-2")
    anew = bronze(spark, (key(1, generation=2), 1), generation=2)
    assert kinds(audit_rows.duplicate_rows([once, other, anew])) == []
    elsewhere = key(1, 2, 2, folder="emergency")
    again = bronze(spark, (elsewhere, 1), (elsewhere, 2))
    (shared,) = audit_rows.duplicate_rows([once, other, anew, again]).collect()
    assert (shared["expected"], shared["found"], shared["first_rowid"], shared["last_rowid"]) == (2, 4, 1, 2)
    assert shared["detail"] == f"the same rows are in {elsewhere} and {key(1)}"


def test_a_node_is_quiet_when_none_of_its_tables_sends(spark: SparkSession) -> None:
    ages = {key(1): 30.0, key(1, node="edge-2"): 30.0, key(2, node="edge-2"): 1.0}
    findings = audit_objects.quiet_nodes(list_objects(spark, *ages, hours_ago=ages), F.lit(NOW), 24).collect()
    assert [(row["node"], row["severity"], row["detail"]) for row in findings] == [
        ("edge-1", "warning", "no object for 30.0 hours")
    ]


def test_all_findings_have_one_shape(spark: SparkSession) -> None:
    foreign = "raw/readings/ingest_date=2026-11-21/part-0.parquet"
    listed = list_objects(spark, key(1), key(3), key(3, rows=9), foreign, hours_ago=48)
    findings = ingest_audit(
        listed, arrived(spark, {key(1): 9}), [bronze(spark, (key(1), 1), (key(1), 1))], NOW, 6, 24, TABLES
    )
    assert dict(findings.dtypes) == FINDING
    assert {row["kind"] for row in findings.collect()} == {
        "missing_object",
        "duplicate_object",
        "row_count",
        "set_aside_object",
        "duplicate_rows",
        "quiet_node",
    }


def test_rows_are_counted_by_object(spark: SparkSession) -> None:
    rows = bronze(spark, (key(1), 1), (key(1), 2), (key(2), 11))
    failed = bronze(spark, (key(2), 12))
    counted = audit_rows.count_rows([audit_rows.countable(rows), audit_rows.countable(failed, quarantined=True)])
    expected = [(key(1), "edge-1", 2, 0, 0), (key(2), "edge-1", 2, 1, 0)]
    assertDataFrameEqual(counted, spark.createDataFrame(expected, counted.schema))
