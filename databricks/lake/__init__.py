"""The lake side: from the objects that the uploader wrote to bronze tables and the proof that nothing is missing.

All modules are pure functions from DataFrame to DataFrame, but for `runtime.py`, which holds what differs between
Databricks and open-source Spark, and `schemas.py` and `streams.py`, which read objects and write tables.
"""
