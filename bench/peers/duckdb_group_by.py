"""One-minute windows with DuckDB's GROUP BY: duckdb_group_by.py DATABASE TABLE DESTINATION METRIC..."""

import sys

from duckdb_offline import attach_source, connect

database, table, destination, *metrics = sys.argv[1:]
figures = ", ".join(
    f"count({m}) AS {m}_count, sum({m}) AS {m}_sum, min({m}) AS {m}_min, max({m}) AS {m}_max, "
    f"avg({m}) AS {m}_avg, sum({m} * {m}) AS {m}_sum_sq"
    for m in metrics
)
connection = connect("sqlite_scanner")
attach_source(connection, database)
connection.execute(
    f"""COPY (
          SELECT time_bucket(INTERVAL 1 minute, CAST(timestamp AS TIMESTAMP)) AS window_start,
                 window_start + INTERVAL 1 minute AS window_end, sensor_id, location,
                 count(*) AS reading_count, count(*) FILTER (anomaly_flag <> 0) AS anomaly_count, {figures}
          FROM source.{table} GROUP BY window_start, sensor_id, location
        ) TO '{destination}/{table}.parquet' (FORMAT parquet, COMPRESSION snappy)"""
)
