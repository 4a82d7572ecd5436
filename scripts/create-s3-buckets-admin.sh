#!/usr/bin/env bash
# Makes the four buckets, or puts them right; --delete takes them away.
# docs/AWS.md describes it; --help names its options.
exec "$(dirname "$0")/aws/run.sh" create-s3-buckets-admin "$@"
