#!/usr/bin/env bash
# Grants an IAM user or role what the uploader needs, and no more.
# docs/AWS.md describes it; --help names its options.
exec "$(dirname "$0")/aws/run.sh" grant-s3-access-to-user "$@"
