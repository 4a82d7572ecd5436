"""Auto Loader without a pipeline, for notebooks/02_autoloader: explicit schemas, options, and the streams.

The pipeline (`tables.py`) infers what it must; here the columns of `sensor_readings` are written down, as
docs/OBJECTS.md gives them types.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.types import StructType, _parse_datatype_string

from lake.bronze import base_schema, bronze_rows
from lake.runtime import auto_loader_options
from lake.sources import Settings, Source, sources

_READINGS = (
    "id bigint, timestamp {time}, sensor_id string, temperature double, humidity double, pressure double, "
    "vibration double, voltage double, status_code bigint, anomaly_flag bigint, anomaly_type string, "
    "firmware_version string, model string, manufacturer string, location string, latitude double, longitude double, "
    "original_timezone string, synced bigint, serial_number string, manufacture_date string, deployment_type string, "
    "installation_date string, height_meters double, orientation_degrees double, instance_id string, sensor_type string"
)
_MEASURED = (
    "temperature", "humidity", "pressure", "vibration", "voltage", "height_meters", "orientation_degrees",
)  # fmt: skip
_FIGURES = "{m}_count bigint, {m}_sum double, {m}_min double, {m}_max double, {m}_avg double, {m}_sum_sq double"
_WINDOWS = "sensor_id string, location string, anomaly_count bigint, " + ", ".join(
    _FIGURES.format(m=measured) for measured in _MEASURED
)


@dataclass(frozen=True)
class Streams:
    """Where the streams write and keep what they know: tables in `schema`, the rest below `volume`."""

    schema: str
    volume: str
    continuous: bool = False

    def schema_location(self, source: Source) -> str:
        """Auto Loader's own folder: the schema as it was inferred, and its changes."""
        return f"{self.volume}/schemas/{source.name}"

    def checkpoint(self, source: Source) -> str:
        """What a stream has taken. To begin a table anew, delete the table, this folder and the schema location."""
        return f"{self.volume}/checkpoints/{source.name}"

    def table(self, source: Source) -> str:
        """Not the pipeline's tables: those belong to the pipeline."""
        return f"{self.schema}.autoloader_{source.name}"


def explicit_schema(source: Source) -> StructType:
    """The columns of the objects of `sensor_readings`."""
    if source.rowwise:
        # Schematized rows have a real timestamp; rejected ones are as the source stores them.
        own = _READINGS.format(time="timestamp" if source.type == "schematized" and not source.rejected else "string")
    else:
        own = _WINDOWS
    if source.rejected:
        own += ", _schema_version string"
    columns = _parse_datatype_string(own)
    assert isinstance(columns, StructType)
    return StructType([*columns.fields, *base_schema(source).fields])


def reader_options(source: Source, schema_location: str) -> dict[str, str]:
    """The options for a stream whose columns are those of :func:`explicit_schema`, and new ones."""
    return {**auto_loader_options(explicit_schema(source)), "cloudFiles.schemaLocation": schema_location}


def read(spark: SparkSession, source: Source, streams: Streams, empty: bool) -> DataFrame:
    """The stream of a source's rows, with bronze's own columns. `empty`: no object lies there yet."""
    reader = spark.readStream.format("cloudFiles")
    if empty:
        # No schema can be inferred yet: the explicit one is all.
        objects = reader.schema(explicit_schema(source)).options(**auto_loader_options(None)).load(source.folder)
    else:
        objects = reader.options(**reader_options(source, streams.schema_location(source))).load(source.folder)
    return bronze_rows(objects)


def start(rows: DataFrame, source: Source, streams: Streams) -> StreamingQuery:
    """Appends a stream to its Delta table: once, all that is there, or for ever, every ten seconds."""
    writer = (
        rows.writeStream.format("delta")
        .outputMode("append")
        .queryName(source.name)
        .option("checkpointLocation", streams.checkpoint(source))
        .option("mergeSchema", "true")
    )
    writer = writer.trigger(processingTime="10 seconds") if streams.continuous else writer.trigger(availableNow=True)
    return writer.toTable(streams.table(source))


def explicit_sources(settings: Settings) -> list[Source]:
    """The sources whose columns are written down here: those of `sensor_readings`."""
    return [source for source in sources(settings) if source.table == "sensor_readings"]
