"""Keys are taken apart as docs/OBJECTS.md defines them."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lake.object_keys import key_columns, parse_path

FOLDER = "raw/sensor_readings/ingest_date=2026-11-21"
KEY = f"{FOLDER}/edge-7-0001-0000000042-1of2-n0000000000000000005-0000000000000352256-8192.parquet"

NO_KEYS = [
    f"s3://bucket/{FOLDER}/part-00000.parquet",
    "s3://bucket/_owner/edge-7/sensor_readings.json",
    f"s3://bucket/{KEY}.tmp",
    "s3://bucket/" + KEY.replace("raw/", "cooked/"),
    "s3://bucket/" + KEY.replace("-1of2-", "-1-"),
    "s3://bucket/" + KEY.replace("/edge-7", "/-edge"),
]


def columns_of(spark: SparkSession, path: str) -> dict:
    frame = spark.createDataFrame([(path,)], "path string")
    return frame.select(key_columns(F.col("path"))).first().asDict()


def test_is_read_from_its_right_end(spark: SparkSession) -> None:
    found = columns_of(spark, f"s3://a-bucket-0001/{KEY}")
    assert {**found, "ingest_date": str(found["ingest_date"])} == {
        "object_key": KEY,
        "rejected": False,
        "type": "raw",
        "table": "sensor_readings",
        "ingest_date": "2026-11-21",
        "node": "edge-7",
        "generation": 1,
        "sequence": 42,
        "part": 1,
        "parts": 2,
        "first_rowid": -5,
        "last_rowid": 352256,
        "rows": 8192,
    }


def test_says_that_rows_were_rejected(spark: SparkSession) -> None:
    key = "rejected/schematized/" + KEY.removeprefix("raw/")
    found = columns_of(spark, f"file:/lake/bucket/{key}")
    assert (found["object_key"], found["rejected"], found["type"]) == (key, True, "schematized")


def test_whatever_is_no_key_of_ours_says_nothing(spark: SparkSession) -> None:
    for path in NO_KEYS:
        assert set(columns_of(spark, path).values()) == {None}, path
        assert parse_path(path) is None, path


def test_python_and_spark_agree(spark: SparkSession) -> None:
    for key in (KEY, "rejected/schematized/" + KEY.removeprefix("raw/")):
        path = f"s3://bucket/{key}"
        found = columns_of(spark, path)
        parsed = parse_path(path)
        assert parsed is not None
        assert {name: found[name] for name in found if name not in ("object_key", "ingest_date")} == {
            name: getattr(parsed, name) for name in found if name not in ("object_key", "ingest_date")
        }
