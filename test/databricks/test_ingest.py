"""Bronze on objects that the real uploader wrote: one lake that grows from run to run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from edge import PREFIX, REGION, Edge
from lake.object_keys import parse_path
from lake.schemas import learn_schemas
from lake.sources import Settings, read_settings
from lake.streams import run_bronze

SCHEMA = {
    "version": "1",
    "required": ["timestamp", "sensor_id"],
    "properties": {"timestamp": {"type": "timestamp"}, "temperature": {"type": "number", "maximum": 65}},
}
SCHEMATIZED = {"schematized": {"schema": SCHEMA, "enrich": {"site": "north-hall"}}}
ROWWISE = (
    "raw_sensor_readings",
    "schematized_sensor_readings",
    "schematized_sensor_readings_rejected",
    "emergency_sensor_readings",
)


@dataclass
class Lake:
    """A folder with buckets, and the bronze tables that runs make of it."""

    spark: SparkSession
    folder: Path
    database: str
    edges: Path

    def edge(self, node: str, **settings: object) -> Edge:
        return Edge(node, self.edges / node, self.folder, seed=len(node), settings={**SCHEMATIZED, **settings})

    def settings(self, **overrides: str) -> Settings:
        values = {
            "lake.url": f"file://{self.folder}/",
            "lake.bucket_prefix": PREFIX,
            "lake.region": REGION,
            "lake.pending_hours": "0",
            **overrides,
        }
        return read_settings(lambda name, default: values.get(name, default))

    def run(self) -> None:
        self.spark.sql(f"CREATE DATABASE IF NOT EXISTS {self.database}")
        run_bronze(self.spark, self.settings(), self.database, str(self.edges.parent / "checkpoints"))

    def table(self, name: str) -> DataFrame:
        return self.spark.read.table(f"{self.database}.{name}")

    def counts(self) -> dict[str, int]:
        return {name: self.table(name).count() for name in (*ROWWISE, "aggregated_sensor_readings", "object_inventory")}

    def findings(self, *severities: str) -> list[tuple]:
        audit = self.table("ingest_audit")
        wanted = audit.where(audit["severity"].isin(list(severities)))
        return sorted(
            ((row["kind"], row["node"], row["generation"], row["sequence"]) for row in wanted.collect()),
            key=str,
        )

    def objects(self, pattern: str) -> list[Path]:
        return sorted(self.folder.rglob(pattern))


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("ingest")
    return Lake(spark, folder / "lake", "ingest_bronze", folder / "edges")


@pytest.fixture(scope="module")
def first_run(lake: Lake) -> list[Edge]:
    """Two nodes, each type once, and one run."""
    edges = [lake.edge("edge-1"), lake.edge("plant-7-b")]
    for edge in edges:
        for hour, type_ in enumerate(("raw", "schematized", "aggregated", "emergency")):
            edge.ship(type_, 300, f"2026-11-20T0{hour}:00:00Z")
    lake.run()
    return edges


def test_rows_of_all_four_types_are_those_of_sqlite(lake: Lake, first_run: list[Edge]) -> None:
    for edge in first_run:
        in_sqlite = {rowid for (rowid,) in edge.query("SELECT id FROM sensor_readings")}
        shipped = [
            row["_rowid"]
            for name in ROWWISE
            for row in lake.table(name).where(f"_node_id = '{edge.node}'").select("_rowid").collect()
        ]
        aggregated = range(601, 901)
        assert sorted(shipped) == sorted(in_sqlite - set(aggregated))
        counted = (
            lake.table("aggregated_sensor_readings").where(f"_node_id = '{edge.node}'").groupBy().sum("reading_count")
        )
        assert counted.first()[0] == len(aggregated)
    assert all(lake.table(name).count() > 0 for name in ROWWISE)
    assert lake.findings("error", "warning", "info") == []


def test_values_arrive_as_they_were_stored(lake: Lake, first_run: list[Edge]) -> None:
    stored = first_run[0].query("SELECT id, timestamp, sensor_id, temperature, anomaly_flag FROM sensor_readings")
    expected = {row[0]: row[1:] for row in stored}
    for name in ("raw_sensor_readings", "emergency_sensor_readings", "schematized_sensor_readings_rejected"):
        rows = lake.table(name).where("_node_id = 'edge-1'")
        for row in rows.select("_rowid", "timestamp", "sensor_id", "temperature", "anomaly_flag").collect():
            assert tuple(row)[1:] == expected[row["_rowid"]]
    sites = lake.table("schematized_sensor_readings").select("site").distinct().collect()
    assert [row["site"] for row in sites] == ["north-hall"]


def test_nodes_are_listed_with_what_they_sent(lake: Lake, first_run: list[Edge]) -> None:
    nodes = {row["node"]: row for row in lake.table("ingest_nodes").collect()}
    assert set(nodes) == {"edge-1", "plant-7-b"}
    for node, row in nodes.items():
        assert (row["node_id"], row["highest_sequence"], row["highest_rowid"]) == (node, 4, 1200)
        by_row = row["raw_rows"] + row["schematized_rows"] + row["emergency_rows"] + row["rejected_rows"]
        assert by_row == 900 and row["rejected_rows"] > 0 and row["emergency_rows"] > 0


def test_replay_of_the_same_objects_changes_nothing(lake: Lake, first_run: list[Edge]) -> None:
    before = lake.counts()
    for path in lake.objects("*.parquet"):
        copy = path.read_bytes()
        path.unlink()
        path.write_bytes(copy)
    lake.run()
    assert lake.counts() == before
    assert lake.findings("error", "warning", "info") == []


def spoil_pages(path: Path) -> None:
    """Makes nulls of the second half of an object's pages; its footer, whose length is before the magic, is whole."""
    whole = path.read_bytes()
    end = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[: end // 2] + bytes(end - end // 2) + whole[end:])


@pytest.fixture(scope="module")
def later_run(lake: Lake, first_run: list[Edge]) -> dict[str, int]:
    """Everything that can go wrong between two runs, and its run. Gives the counts before it."""
    before = lake.counts()
    edge, plant = first_run

    # A column is added at the edge.
    edge.sql("ALTER TABLE sensor_readings ADD COLUMN battery REAL")
    edge.sense(100, "2026-11-20T05:00:00Z")
    edge.sql("UPDATE sensor_readings SET battery = 3.5 WHERE id > 1200")
    edge.set_type("raw")
    edge.upload()

    # An object is deleted from the bucket before it is ingested.
    plant.ship("raw", 100, "2026-11-20T05:00:00Z")
    (lost,) = lake.objects("plant-7-b-0001-0000000005-*.parquet")
    lost.unlink()
    plant.ship("raw", 100, "2026-11-20T06:00:00Z")

    # One is copied to another day.
    (original,) = lake.objects("plant-7-b-0001-0000000006-*.parquet")
    other_day = original.parent.with_name("ingest_date=2020-01-01")
    other_day.mkdir()
    shutil.copy(original, other_day / original.name)

    # A source is made anew, with rowids from 1.
    renewed = lake.edge("renewed")
    renewed.ship("raw", 200, "2026-11-20T00:00:00Z")
    renewed.sql("DROP TABLE sensor_readings")
    renewed.ship("raw", 150, "2026-11-20T09:00:00Z")

    # The table of another node has other types, and what another node sent is damaged.
    odd = lake.edge("odd")
    odd.ship("raw", 50, "2026-11-20T00:00:00Z")
    odd.sql(
        "CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, temperature TEXT)",
        "INSERT INTO readings SELECT id, timestamp, temperature || ' degrees' FROM sensor_readings",
        "INSERT INTO readings SELECT id + 50, timestamp, temperature || ' degrees' FROM sensor_readings",
        "DROP TABLE sensor_readings",
        "ALTER TABLE readings RENAME TO sensor_readings",
    )
    odd.upload()
    broken = lake.edge("broken")
    broken.ship("raw", 50, "2026-11-20T00:00:00Z")
    (damaged,) = lake.objects("broken-*.parquet")
    damaged.write_bytes(damaged.read_bytes()[:-100])
    spoilt = lake.edge("spoilt")
    spoilt.ship("raw", 50, "2026-11-20T00:00:00Z")
    (damaged,) = lake.objects("spoilt-*.parquet")
    spoil_pages(damaged)

    # Somebody leaves a file of their own beside the objects.
    shutil.copy(original, original.with_name("part-00000.parquet"))

    lake.run()
    return before


def test_a_column_that_is_added_at_the_edge_arrives(lake: Lake, later_run: dict[str, int]) -> None:
    rows = lake.table("raw_sensor_readings").where("_node_id = 'edge-1'")
    assert rows.where("battery = 3.5").count() == rows.where("_rowid > 1200").count() == 100


def test_what_is_missing_twice_or_unfit_is_named(lake: Lake, later_run: dict[str, int]) -> None:
    assert lake.findings("error") == [
        ("duplicate_object", "plant-7-b", 1, 6),
        ("duplicate_rows", "plant-7-b", 1, 6),
        ("missing_object", "plant-7-b", 1, 5),
        ("set_aside_object", "broken", 1, 1),
        ("set_aside_object", "odd", 1, 2),
        ("set_aside_object", "spoilt", 1, 1),
    ]
    details = {(row["kind"], row["node"]): row for row in lake.table("ingest_audit").collect()}
    missing = details["missing_object", "plant-7-b"]
    assert (missing["first_rowid"], missing["last_rowid"], missing["expected"]) == (1201, 1300, 1)
    shared = details["duplicate_rows", "plant-7-b"]
    assert (shared["expected"], shared["found"]) == (100, 200)
    assert details["set_aside_object", "odd"]["detail"] == "temperature is STRING, and DOUBLE in the table"
    assert details["set_aside_object", "broken"]["detail"] == "it is no whole Parquet file"
    spoilt = details["set_aside_object", "spoilt"]
    assert (spoilt["detail"], spoilt["found"]) == ("its footer is whole, but its rows cannot be read", 0)
    assert details["set_aside_object", None]["found"] == 1


def test_an_object_that_is_set_aside_brings_no_rows_and_stops_nobody(lake: Lake, later_run: dict[str, int]) -> None:
    raw = lake.table("raw_sensor_readings")
    assert raw.where("_node_id IN ('broken', 'spoilt')").count() == 0
    assert raw.where("_node_id = 'odd'").count() == 50
    assert dict(raw.dtypes)["temperature"] == "double"
    arrived = {"edge-1": 100, "plant-7-b": 200, "renewed": 350, "odd": 50}
    assert raw.count() == later_run["raw_sensor_readings"] + sum(arrived.values())


def test_what_was_set_aside_is_so_for_a_stream_that_begins_anew(lake: Lake, later_run: dict[str, int]) -> None:
    learned = learn_schemas(lake.spark, lake.settings(), lake.database)
    assert sorted(parse_path(key).node for key in learned.set_aside) == ["broken", "odd", "spoilt"]


def test_a_source_that_was_made_anew_keeps_all_its_rows(lake: Lake, later_run: dict[str, int]) -> None:
    rows = lake.table("raw_sensor_readings").where("_node_id = 'renewed'")
    by_generation = {row["_generation"]: row["count"] for row in rows.groupBy("_generation").count().collect()}
    assert by_generation == {1: 200, 2: 150}
    assert rows.where("_generation = 2").groupBy().min("_rowid").first()[0] == 1


def test_a_further_run_fails_no_stream_and_adds_nothing(lake: Lake, later_run: dict[str, int]) -> None:
    before, named = lake.counts(), lake.findings("error", "info")
    lake.run()
    assert lake.counts() == before
    assert lake.findings("error", "info") == named
