"""SQLite to Parquet with ADBC's driver, batch by batch: adbc_pyarrow.py DATABASE TABLE FOLDER"""

import sys

import adbc_driver_sqlite.dbapi
import pyarrow.parquet

database, table, folder = sys.argv[1:]
with adbc_driver_sqlite.dbapi.connect(database) as connection, connection.cursor() as cursor:
    # The driver tells a column's type by the first batch; 1,024 rows, its default, may all be null.
    cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": "65536"})
    cursor.execute(f"SELECT * FROM {table}")
    reader = cursor.fetch_record_batch()
    with pyarrow.parquet.ParquetWriter(
        f"{folder}/{table}.parquet", reader.schema, compression="snappy"
    ) as writer:
        for batch in reader:
            writer.write_batch(batch)
