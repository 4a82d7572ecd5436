#!/usr/bin/env bash
# Makes the IAM role by which Databricks reads the buckets, or puts it right.
# docs/AWS.md describes it; --help names its options.
exec "$(dirname "$0")/aws/run.sh" create-databricks-access "$@"
