"""SQLite to Parquet with pandas: pandas_pyarrow.py DATABASE TABLE FOLDER"""

import sqlite3
import sys

import pandas

database, table, folder = sys.argv[1:]
with sqlite3.connect(database) as connection:
    frame = pandas.read_sql(f"SELECT * FROM {table}", connection)
frame.to_parquet(f"{folder}/{table}.parquet", engine="pyarrow", compression="snappy", index=False)
