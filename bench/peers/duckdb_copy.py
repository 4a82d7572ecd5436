"""SQLite to Parquet with DuckDB: duckdb_copy.py DATABASE TABLE DESTINATION [unordered]

DESTINATION is a folder or s3://bucket; `unordered` lets DuckDB write the rows in any order.
"""

import os
import sys
from urllib.parse import urlsplit

from duckdb_offline import attach_source, connect

database, table, destination, *options = sys.argv[1:]
if destination.startswith("s3://"):
    connection = connect("sqlite_scanner", "httpfs")
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL_S3"])
    connection.execute(
        f"""CREATE SECRET (TYPE s3, KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}',
            SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}', REGION '{os.environ["AWS_REGION"]}',
            ENDPOINT '{endpoint.netloc}', URL_STYLE 'path', USE_SSL false)"""
    )
else:
    connection = connect("sqlite_scanner")
attach_source(connection, database)
if "unordered" in options:
    connection.execute("SET preserve_insertion_order = false")
connection.execute(
    f"COPY source.{table} TO '{destination}/{table}.parquet' (FORMAT parquet, COMPRESSION snappy)"
)
