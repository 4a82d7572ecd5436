"""Runs one SELECT on DuckDB, of a SQLite database attached as `source` or of files, and prints JSON rows.

query_duckdb.py SQL [DATABASE]
"""

import json
import sys

from duckdb_offline import attach_source, connect

sql, *database = sys.argv[1:]
connection = connect("sqlite_scanner")
for path in database:
    attach_source(connection, path)
print(json.dumps(connection.execute(sql).fetchall(), default=str))
