"""The lake side: from the objects that the uploader wrote to bronze tables and the proof that nothing is missing.

All modules are pure functions from DataFrame to DataFrame, but for `runtime.py`, which holds what differs between
Databricks and open-source Spark, `schemas.py`, `damage.py` and `streams.py`, which read objects and write tables,
`setup_sql.py`, which makes statements of the files in setup/, and `dbt_run.py` and `dbt_task.py`, which run dbt in a
job.
"""
