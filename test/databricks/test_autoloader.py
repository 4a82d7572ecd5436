"""Auto Loader's options, and that the explicit schemas are those of objects the real uploader writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from edge import PREFIX, REGION, Edge
from lake import autoloader
from lake.object_keys import TYPES
from lake.runtime import auto_loader_options
from lake.sources import Settings, Source, read_settings

SCHEMA = {
    "version": "1",
    "required": ["timestamp", "sensor_id"],
    "properties": {"timestamp": {"type": "timestamp"}, "temperature": {"type": "number", "maximum": 61}},
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """All types, from a sensor of which half the readings are above the schema's maximum."""
    work = tmp_path_factory.mktemp("edge")
    edge = Edge("edge-1", work / "edge", work / "lake", settings={"schematized": {"schema": SCHEMA}})
    for hour, type_ in enumerate(TYPES, start=1):
        edge.ship(type_, 200, f"2026-11-21T0{hour}:00:00Z")
    given = {"lake.url": f"file://{work}/lake/", "lake.bucket_prefix": PREFIX, "lake.region": REGION}
    return read_settings(lambda key, default: given.get(key, default))


def source(settings: Settings, name: str) -> Source:
    return next(found for found in autoloader.explicit_sources(settings) if found.name == name)


def test_explicit_schemas_are_those_of_the_objects(spark: SparkSession, settings: Settings) -> None:
    read = 0
    for declared in autoloader.explicit_sources(settings):
        if not Path(declared.folder.removeprefix("file://")).exists():
            continue
        read += 1
        found = spark.read.parquet(declared.glob).schema
        explicit = {column.name: column.dataType for column in autoloader.explicit_schema(declared)}
        differing = {c.name: (c.dataType, explicit.get(c.name)) for c in found if explicit.get(c.name) != c.dataType}
        assert differing == {}, declared.name
        assert set(explicit) - set(found.names) == set(), declared.name
    assert read >= 4


def test_rejected_rows_are_kept_apart(settings: Settings) -> None:
    kept, rejected = (
        source(settings, name) for name in ("schematized_sensor_readings", "schematized_sensor_readings_rejected")
    )
    assert rejected.folder.endswith("/rejected/schematized/sensor_readings")
    assert not rejected.folder.startswith(kept.folder)
    streams = autoloader.Streams("cat.dev_bronze", "/Volumes/cat/dev_bronze/autoloader")
    for where in (streams.table, streams.checkpoint, streams.schema_location):
        assert where(kept) != where(rejected)
    assert "_errors" in autoloader.explicit_schema(rejected).names
    assert "_errors" not in autoloader.explicit_schema(kept).names


def test_options_are_auto_loaders(settings: Settings) -> None:
    raw = source(settings, "raw_sensor_readings")
    streams = autoloader.Streams("cat.dev_bronze", "/Volumes/cat/dev_bronze/autoloader")
    options = autoloader.reader_options(raw, streams.schema_location(raw))
    hints = options.pop("cloudFiles.schemaHints")
    assert options == {
        "cloudFiles.format": "parquet",
        "cloudFiles.schemaLocation": "/Volumes/cat/dev_bronze/autoloader/schemas/raw_sensor_readings",
        "cloudFiles.schemaEvolutionMode": "addNewColumns",
        "cloudFiles.rescuedDataColumn": "_rescued_data",
        "cloudFiles.partitionColumns": "",
        "cloudFiles.useManagedFileEvents": "true",
        "pathGlobFilter": "*.parquet",
    }
    assert "`timestamp` string" in hints
    assert "`_rescued` string" in hints
    assert "_rescued_data" not in hints
    first = auto_loader_options(None)
    assert first == {
        name: "rescue" if name.endswith("EvolutionMode") else value
        for name, value in options.items()
        if not name.endswith("schemaLocation")
    }


def test_a_stream_takes_what_is_new_once(spark: SparkSession, settings: Settings, tmp_path: Path) -> None:
    """Writing is the same everywhere; reading, which is Auto Loader's, is here a file source of the same schema."""
    raw = source(settings, "raw_sensor_readings")
    spark.sql("CREATE SCHEMA IF NOT EXISTS autoloader_test")
    streams = autoloader.Streams("autoloader_test", str(tmp_path))
    for _ in range(2):
        objects = spark.readStream.format("parquet").schema(autoloader.explicit_schema(raw)).load(raw.glob)
        autoloader.start(autoloader.bronze_rows(objects), raw, streams).awaitTermination()
    table = spark.read.table("autoloader_test.autoloader_raw_sensor_readings")
    assert table.count() == table.select("_rowid").distinct().count() >= 200
    assert table.where("_object_key LIKE 'raw/sensor_readings/ingest_date=%'").count() == table.count()
    spark.sql("DROP SCHEMA autoloader_test CASCADE")
