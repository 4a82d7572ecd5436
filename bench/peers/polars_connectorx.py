"""SQLite to Parquet with polars and connectorx: polars_connectorx.py DATABASE TABLE FOLDER [PARTITIONS]"""

import sys

import polars

database, table, folder, *partitions = sys.argv[1:]
partitioning = {"partition_on": "id", "partition_num": int(partitions[0])} if partitions else {}
frame = polars.read_database_uri(f"SELECT * FROM {table}", f"sqlite://{database}", **partitioning)
frame.write_parquet(f"{folder}/{table}.parquet", compression="snappy")
