#!/usr/bin/env bash
# Looks at a SQLite database, empties its write-ahead log, or saves what can be saved of a damaged one:
#   scripts/fix_sensor_database_corruption.sh [--check | --checkpoint | --repair] [DB]
# Without DB it is the database that databricks-uploader-config.yaml or SQLITE_PATH names. docs/DATABASE.md says how
# damage comes about.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
if [ ! -x "$root/node_modules/.bin/tsx" ]; then "$root/scripts/install.sh"; fi
exec "$root/node_modules/.bin/tsx" "$root/scripts/database/fix-database.ts" "$@"
