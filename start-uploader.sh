#!/usr/bin/env bash
# Starts the uploader in a container; `./start-uploader.sh --help` says how.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: ./start-uploader.sh CONFIG [options of uploader]

Starts the uploader in the container databricks-uploader with the file CONFIG as its configuration; with --once,
--dry-run or a command such as `state show` it runs here and ends. The database's folder is /data in the container and
the state is kept in a volume, so `sqlite` in CONFIG is /data/sensor_data.db for the sensor of ./start-sensor.sh.

  UPLOADER_IMAGE   its image [default: databricks-uploader:latest, built where it is missing]
  SENSOR_DATA      the volume with the database; on Linux also a folder, with its whole path [default: sensor-data]
  UPLOADER_STATE   the volume with the state [default: uploader-state]
  NODE_ID          this machine's name in keys and rows [default: the hostname]

AWS's credentials and the uploader's other variables (S3_PREFIX, S3_REGION, …) are passed on where they are set, here
or in `.env`. Stop it with `docker stop databricks-uploader`.
TEXT
}

case "${1:-}" in
  --help | -h) usage; exit 0 ;;
  "") usage >&2; exit 2 ;;
esac

root="$(cd "$(dirname "$0")" && pwd)"
config=$1
shift
if [ ! -f "$config" ]; then
  echo "start-uploader: there is no file $config" >&2
  exit 2
fi
config="$(cd "$(dirname "$config")" && pwd)/$(basename "$config")"

if [ -f "$root/.env" ]; then
  # What is set already comes before the file, as it does with Compose.
  set_before="$(export -p)"
  set -a
  # shellcheck disable=SC1091
  . "$root/.env"
  set +a
  eval "$set_before"
  unset set_before
fi
image="${UPLOADER_IMAGE:-databricks-uploader:latest}"
data="${SENSOR_DATA:-sensor-data}"
state="${UPLOADER_STATE:-uploader-state}"

if [ "$(uname -s)" != Linux ] && [[ $data == */* || $state == */* ]]; then
  echo "start-uploader: a folder of this machine is on another one than Docker's: SQLite would be damaged. Name a volume." >&2
  exit 2
fi

# By name alone, so that no value stands in a list of processes.
variables=(AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3
  S3_ENABLED S3_REGION S3_PREFIX S3_BUCKET_PREFIX S3_BUCKET_RAW S3_BUCKET_SCHEMATIZED S3_BUCKET_AGGREGATED
  S3_BUCKET_EMERGENCY SQLITE_TABLE_NAME TIMESTAMP_COL UPLOAD_INTERVAL MAX_BATCH_SIZE OUTBOX_MAX_MB OUTPUT_DIRECTORY
  PIPELINE_DB ALLOW_NETWORK_FILESYSTEM STATUS_ADDRESS SPOT_NOTICES LOG_LEVEL)
options=(--env "NODE_ID=${NODE_ID:-$(hostname)}")
for name in "${variables[@]}"; do
  if [ -n "${!name:-}" ]; then
    export "${name?}"
    options+=(--env "$name")
  fi
done
options+=(--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges:true
  --volume "$data:/data" --volume "$state:/state" --volume "$config:/config.yaml:ro")

docker image inspect "$image" >/dev/null 2>&1 || "$root/scripts/build.sh"
case " $* " in
  *" --once "* | *" --dry-run "* | *" state "* | *" outbox "* | *" --help "* | *" --version "*)
    # `state rebuild` asks.
    if [ -t 0 ] && [ -t 1 ]; then options=(--interactive --tty "${options[@]}"); fi
    exec docker run --rm "${options[@]}" "$image" "$@"
    ;;
esac
if [ "$(docker container inspect -f '{{.State.Running}}' databricks-uploader 2>/dev/null)" = true ]; then
  echo "start-uploader: the container databricks-uploader runs already; \`docker stop databricks-uploader\` ends it" >&2
  exit 1
fi
docker rm databricks-uploader >/dev/null 2>&1 || true
# Docker's ten seconds are short for the object in hand on a thin line.
docker run --detach --name databricks-uploader --restart unless-stopped --stop-timeout 60 "${options[@]}" "$image" "$@" >/dev/null
echo "The uploader ships what is in $data; see \`docker logs -f databricks-uploader\`."
