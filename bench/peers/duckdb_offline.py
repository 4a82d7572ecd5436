"""DuckDB with its extensions from PyPI, for machines that cannot download them."""

import importlib
import os

import duckdb


def connect(*extensions):
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for name in extensions:
        package = importlib.import_module(f"duckdb_extension_{name}")
        path = os.path.join(
            list(package.__path__)[0], "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension"
        )
        connection.execute(f"LOAD '{path}'")
    return connection


def attach_source(connection, database):
    connection.execute(f"ATTACH '{database}' AS source (TYPE sqlite, READ_ONLY)")
