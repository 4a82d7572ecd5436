"""Finds objects whose footer is whole and whose rows cannot be read, before a stream takes them and stops.

The file source has `ignoreCorruptFiles`, which would let the stream go on: but it keeps the rows before the damage, is
told of nothing, and takes a network that is down for damage. Here it only finds who is under suspicion, in one reading
of all; an object is set aside when its bytes can be had and its rows cannot.
"""

from __future__ import annotations

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lake.object_keys import key_of, object_key, parse_path

REASON = "its footer is whole, but its rows cannot be read"


def damaged_objects(spark: SparkSession, schema: StructType, paths: list[str]) -> dict[str, str]:
    """:data:`REASON` by key. `schema` must be one that all these objects fit.

    Reads all of their rows. Raises what Spark raises where an object's bytes cannot be read either.
    """
    rows = _rows_by_key(spark, schema, paths) if paths else {}
    suspected = [path for path in paths if rows.get(key_of(path), 0) != _rows_of_name(path)]
    return {key_of(path): REASON for path in suspected if _is_damaged(spark, schema, path)}


def _rows_by_key(spark: SparkSession, schema: StructType, paths: list[str]) -> dict[str, int]:
    """How many rows of each object can be read, with the values of all columns."""
    readable = spark.read.schema(schema).option("ignoreCorruptFiles", True).parquet(*paths)
    # Without the hash of all columns the rows would be counted by the footer.
    hashed = readable.select(object_key(F.col("_metadata.file_path")).alias("key"), F.expr("xxhash64(*)").alias("hash"))
    counted = hashed.groupBy("key").agg(F.count("*").alias("rows"), F.bit_xor("hash"))
    return {row["key"]: row["rows"] for row in counted.collect()}


def _rows_of_name(path: str) -> int:
    parsed = parse_path(path)
    assert parsed is not None
    return parsed.rows


def _is_damaged(spark: SparkSession, schema: StructType, path: str) -> bool:
    """Whether the bytes of an object can be read, and its rows cannot."""
    try:
        spark.read.schema(schema).parquet(path).write.format("noop").mode("overwrite").save()
    except (PySparkException, Py4JError):
        # If this fails too, it is not the object.
        spark.read.format("binaryFile").load(path).select(F.xxhash64("content")).collect()
        return True
    return False
