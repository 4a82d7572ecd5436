#!/usr/bin/env bash
# Starts the sample sensor in a container; `./start-sensor.sh --help` says how.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: ./start-sensor.sh [options of sensor]

Starts the sample sensor in the container databricks-sensor, which writes /data/sensor_data.db in the volume
sensor-data, where ./start-uploader.sh finds it. Without Docker: ./start-sensor-local.sh.

  SENSOR_IMAGE   its image [default: databricks-sensor:latest, built where it is missing]
  SENSOR_DATA    another volume; on Linux also a folder, with its whole path, that user 1000 may write to

Stop it with `docker stop databricks-sensor`.
TEXT
}

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then usage; exit 0; fi

root="$(cd "$(dirname "$0")" && pwd)"
image="${SENSOR_IMAGE:-databricks-sensor:latest}"
data="${SENSOR_DATA:-sensor-data}"

if [ "$(uname -s)" != Linux ] && [[ $data == */* ]]; then
  echo "start-sensor: $data is a folder of this machine, and Docker's is another one: SQLite would be damaged. Name a volume." >&2
  exit 2
fi
docker image inspect "$image" >/dev/null 2>&1 || "$root/scripts/build.sh"
if [ "$(docker container inspect -f '{{.State.Running}}' databricks-sensor 2>/dev/null)" = true ]; then
  echo "start-sensor: the container databricks-sensor runs already; \`docker stop databricks-sensor\` ends it" >&2
  exit 1
fi
docker rm databricks-sensor >/dev/null 2>&1 || true
docker run --detach --name databricks-sensor --restart unless-stopped \
  --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges:true \
  --volume "$data:/data" "$image" "$@" >/dev/null
echo "The sensor writes to $data; see \`docker logs -f databricks-sensor\`."
