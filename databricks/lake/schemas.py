"""Learns, before each run, which columns the tables must have and which objects do not fit.

On Databricks Auto Loader does it (`runtime.py`), but where a table has no object yet. On open-source Spark a file
source with a fixed schema drops a new column without a word, and one whose schema is inferred anew changes types
without one. So the footers of the objects that no run has seen yet are read, and then their rows (`damage.py`): new
columns are taken, and an object of which a column has another type than its table, which is no Parquet file, or whose
rows cannot be read, is set aside by its key, in this run and all later ones.

A limit that Auto Loader does not have: an object that comes in the seconds between this look and the streams' own
listing is read with the columns known so far. If it is the very first with a new column, that column's values in it are
left out; `spark-pipelines run --full-refresh TABLE` takes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from lake.bronze import ADDED, base_schema
from lake.damage import damaged_objects
from lake.object_keys import key_of, object_key, parse_path
from lake.runtime import ON_DATABRICKS, files_glob
from lake.sources import Settings, Source, sources

# Paths of one call of `read.parquet`.
_PATHS_AT_ONCE = 500

# https://spark.apache.org/docs/latest/sql-error-conditions.html#failed_read_file
_NO_PARQUET = "CANNOT_READ_FILE_FOOTER"


@dataclass
class Learned:
    """The schema of each table by its name, and the reason for each key that is set aside."""

    schemas: dict[str, StructType] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)


def learn_schemas(spark: SparkSession, settings: Settings, database: str) -> Learned:
    """Reads the footers of new objects only: those that are not in `{database}.object_inventory`."""
    if ON_DATABRICKS:
        empty = [source for source in sources(settings) if _is_empty(spark, source.folder)]
        return Learned({source.name: base_schema(source) for source in empty})
    learned = Learned(set_aside=_set_aside_before(spark, database))
    paths = _new_objects(spark, settings, database)
    declared = sources(settings)
    for source in declared:
        table, base = _table_schema(spark, f"{database}.{source.name}"), base_schema(source)
        schema = table or base
        new = paths.get((source.rejected, source.type, source.table), [])
        for start in range(0, len(new), _PATHS_AT_ONCE):
            schema = _fit(spark, schema, new[start : start + _PATHS_AT_ONCE], learned.set_aside)
        learned.schemas[source.name] = schema if table else _first(schema.names[len(base) :], schema)
    for source in declared:
        learned.schemas[source.name] = _with_shared_columns(source, learned.schemas, declared)
    return learned


def merge_schemas(known: StructType, found: StructType) -> StructType | str:
    """`known` with the columns that only `found` has; or, as text, which column has another type there.

    Names are compared as Spark does, whatever their case.
    """
    types = {column.name.lower(): column for column in known}
    for column in found:
        own = types.get(column.name.lower())
        if own is not None and own.dataType != column.dataType:
            kinds = [type_.simpleString().upper() for type_ in (column.dataType, own.dataType)]
            return f"{column.name} is {kinds[0]}, and {kinds[1]} in the table"
    added = [StructField(c.name, c.dataType) for c in found if c.name.lower() not in types]
    return StructType([*known.fields, *added])


def _fit(spark: SparkSession, known: StructType, paths: list[str], set_aside: dict[str, str]) -> StructType:
    """`known` with the new columns of these objects; those that do not fit are entered into `set_aside`.

    One read where all fit. Otherwise halves are tried, the older objects first, so that they decide a column's type.
    """
    if not paths:
        return known
    merged = _read_footers(spark, known, paths)
    if isinstance(merged, StructType):
        set_aside.update(damaged_objects(spark, merged, paths))
        return merged
    if len(paths) == 1:
        set_aside[key_of(paths[0])] = merged
        return known
    half = len(paths) // 2
    return _fit(spark, _fit(spark, known, paths[:half], set_aside), paths[half:], set_aside)


def _read_footers(spark: SparkSession, known: StructType, paths: list[str]) -> StructType | str:
    """`known` with the columns of these objects, or why not all of them fit."""
    try:
        found = spark.read.option("mergeSchema", True).parquet(*paths).schema
    except (PySparkException, Py4JError) as error:
        # Anything else, such as a network that is down, says nothing of an object, which must not be set aside for it.
        if len(paths) == 1 and _NO_PARQUET not in str(error):
            raise
        return "it is no whole Parquet file"
    return merge_schemas(known, found)


def _new_objects(spark: SparkSession, settings: Settings, database: str) -> dict[tuple[bool, str, str], list[str]]:
    """Paths by (rejected, type, table), the oldest first."""
    files = [_list(spark, bucket) for bucket in dict.fromkeys(settings.buckets.values())]
    inventory = _inventory(spark, database)
    seen = None if inventory is None else inventory.select("_source_file")
    found: list[tuple[object, str]] = []
    for listed in filter(None, files):
        new = listed.where(object_key(F.col("path")).isNotNull())
        if seen is not None:
            new = new.join(seen, new["path"] == seen["_source_file"], "left_anti")
        found += [(row["modificationTime"], row["path"]) for row in new.collect()]
    return _by_table(path for _, path in sorted(found, key=lambda file: (str(file[0]), file[1])))


def _set_aside_before(spark: SparkSession, database: str) -> dict[str, str]:
    """Reasons by key. A stream that failed in that run, or begins anew, meets these objects again."""
    inventory = _inventory(spark, database)
    if inventory is None:
        return {}
    return dict(inventory.where("set_aside IS NOT NULL").select("object_key", "set_aside").collect())


def _inventory(spark: SparkSession, database: str) -> DataFrame | None:
    name = f"{database}.object_inventory"
    return spark.read.table(name) if spark.catalog.tableExists(name) else None


def _by_table(paths: Iterable[str]) -> dict[tuple[bool, str, str], list[str]]:
    grouped: dict[tuple[bool, str, str], list[str]] = {}
    for path in paths:
        key = parse_path(path)
        if key is not None:
            grouped.setdefault((key.rejected, key.type, key.table), []).append(path)
    return grouped


def _is_empty(spark: SparkSession, folder: str) -> bool:
    files = _list(spark, folder)
    return files is None or files.isEmpty()


def _list(spark: SparkSession, folder: str) -> DataFrame | None:
    """Path and modificationTime of the files below a folder; null where there are none."""
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", True).option("ignoreMissingFiles", True)
    reader = reader.option("pathGlobFilter", "*.parquet")
    try:
        files = reader.load(files_glob(folder)).select("path", "modificationTime")
        files.schema  # noqa: B018 — a session of Spark Connect, as pipelines have, looks only here
    except PySparkException as error:
        if error.getCondition() == "PATH_NOT_FOUND":
            return None
        raise
    return files


def _table_schema(spark: SparkSession, table: str) -> StructType | None:
    """The columns of a table that come from objects; null where it is not there yet."""
    if not spark.catalog.tableExists(table):
        return None
    return StructType([StructField(c.name, c.dataType) for c in spark.read.table(table).schema if c.name not in ADDED])


def _first(names: list[str], schema: StructType) -> StructType:
    return StructType(sorted(schema, key=lambda column: column.name not in names))


def _with_shared_columns(source: Source, schemas: dict[str, StructType], declared: list[Source]) -> StructType:
    """The schema with the columns that raw, emergency and rejected objects of one table share.

    So a table that has had no object yet has its columns nevertheless, and queries of it work.
    """
    as_stored = [
        other
        for other in declared
        if other.table == source.table and (other.type in ("raw", "emergency") or other.rejected)
    ]
    own = schemas[source.name]
    if source not in as_stored:
        return StructType(own.fields)
    names = {column.name.lower() for column in own} | {"_errors", "_schema_version"}
    fields = list(own.fields)
    for other in as_stored:
        for column in schemas[other.name]:
            if column.name.lower() not in names:
                names.add(column.name.lower())
                fields.append(column)
    return StructType(fields)
