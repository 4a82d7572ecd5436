"""Checks the bundle without a workspace: what `databricks bundle validate` would say, and some of what only runs show.

`config.py` loads it as the CLI does; each other module holds checks: functions from a `config.Bundle` to problems.
"""
