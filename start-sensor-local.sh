#!/usr/bin/env bash
# Starts the sample sensor on this machine, without Docker, until Ctrl-C.
set -euo pipefail

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'TEXT'
Usage: ./start-sensor-local.sh [options of sensor]

Writes readings to SENSOR_DB_PATH [default: sample-sensor/data/sensor_data.db], without Docker, until Ctrl-C.
`sensor --help` lists its options, such as --rate 100.
TEXT
  exit 0
fi

root="$(cd "$(dirname "$0")" && pwd)"
"$root/scripts/install.sh"
export SENSOR_DB_PATH="${SENSOR_DB_PATH:-$root/sample-sensor/data/sensor_data.db}"
exec node "$root/dist/sample-sensor/src/cli.js" "$@"
