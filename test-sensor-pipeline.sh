#!/usr/bin/env bash
# Tries this installation from end to end and says PASS or FAIL: ./test-sensor-pipeline.sh [--s3] [--config FILE] [--keep]
set -euo pipefail
root="$(cd "$(dirname "$0")" && pwd)"
"$root/scripts/install.sh"
exec "$root/node_modules/.bin/tsx" "$root/scripts/pipeline/check-pipeline.ts" "$@"
