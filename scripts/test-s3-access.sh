#!/usr/bin/env bash
# Tries each action that the uploader needs, and that others are refused.
# docs/AWS.md describes it; --help names its options.
exec "$(dirname "$0")/aws/run.sh" test-s3-access "$@"
