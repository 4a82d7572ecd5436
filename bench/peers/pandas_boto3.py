"""SQLite to Parquet in S3 with pandas and boto3: pandas_boto3.py DATABASE TABLE s3://bucket"""

import io
import sqlite3
import sys

import boto3
import pandas

database, table, destination = sys.argv[1:]
with sqlite3.connect(database) as connection:
    frame = pandas.read_sql(f"SELECT * FROM {table}", connection)
body = io.BytesIO()
frame.to_parquet(body, engine="pyarrow", compression="snappy", index=False)
# Endpoint, region and credentials come from the environment.
boto3.client("s3").put_object(
    Bucket=destination.removeprefix("s3://"), Key=f"{table}.parquet", Body=body.getvalue()
)
