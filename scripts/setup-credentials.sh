#!/usr/bin/env bash
# Writes .env from the files in credentials/, says what is in it, or takes it away.
# docs/AWS.md describes it; --help names its options.
exec "$(dirname "$0")/aws/run.sh" setup-credentials "$@"
