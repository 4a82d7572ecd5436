#!/usr/bin/env bash
# Tries the images and docker-compose.yml for real; `scripts/test-containers.sh --help` says what it does.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Usage: scripts/test-containers.sh

With the Docker engine that is there: builds both images, brings docker-compose.yml with its profile fleet up under a name
of its own, switches the first node through the four pipeline types until each has brought objects, stops and kills
containers on the way, runs Bacalhau's jobs and ./start-uploader.sh on what the sensors left, and compares every row of
each node's SQLite with the contents of the buckets. All containers, networks and volumes are taken down again, also
where it fails; images stay, for the next run. Needs `docker compose` or docker-compose (1.29 or later), and for the S3
server's image a registry, or Go. BASE_IMAGE takes the place of node:24-bookworm-slim. It takes about a minute,
and two more where the images are not built yet.
TEXT
}

if [ "${1:-}" = --help ]; then usage; exit 0; fi

VERSITYGW_VERSION=v1.8.0
TYPES=(raw schematized aggregated emergency)
# Added to the base image by the uploader's.
MOST_MEGABYTES=250
export UPLOADER_IMAGE=databricks-uploader:test SENSOR_IMAGE=databricks-sensor:test
export VERSITYGW_IMAGE="${VERSITYGW_IMAGE:-versity/versitygw:$VERSITYGW_VERSION}"
export SENSOR_RATE=50 SENSOR_ANOMALY_PROBABILITY=0.2 UPLOAD_INTERVAL=1
base="${BASE_IMAGE:-node:24-bookworm-slim}"

nodes=(edge-1 edge-2 edge-3)
project="uploader-test-$$"
work="$(mktemp -d)"
# shellcheck source=scripts/containers/compose.sh
. scripts/containers/compose.sh
# shellcheck source=scripts/containers/jobs.sh
. scripts/containers/jobs.sh
trap take_down EXIT
trap 'exit 130' INT TERM

main() {
  docker info >/dev/null 2>&1 || fail "no Docker engine answers"
  find_compose
  step "build both images"
  scripts/build.sh --tag test >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; fail "the images cannot be built"; }
  have_versitygw
  check_size
  check_aws_profile

  step "three sensors, an S3 server and three uploaders"
  compose up --detach >"$work/up.log" 2>&1 || { tail -n 20 "$work/up.log"; fail "docker-compose.yml does not come up"; }
  local node
  for node in "${nodes[@]}"; do until_objects raw "$node"; done
  until_healthy uploader
  switch_types
  check_lost_state

  step "stop each sensor, then its uploader; ship the rest"
  for node in "${nodes[@]}"; do finish_node "${node#edge}"; done

  step "Bacalhau's jobs, and ./start-uploader.sh --once"
  run_bacalhau_jobs
  run_start_script

  step "compare"
  docker cp "$(container s3):/buckets" "$work/buckets"
  node --import tsx scripts/compare-containers.ts "$work/buckets" "edge-1=$work/data-1/sensor_data.db" \
    "edge-2=$work/data-2/sensor_data.db" "edge-3=$work/data-3/sensor_data.db" \
    "line-7=$work/data-2/sensor_data.db" "line-8=$work/data-2/sensor_data.db"
}

# Stops the two containers of the node with this number (-1, -2, -3), ships what they left, and takes a copy of /data.
finish_node() {
  local number=$1 suffix=${1#-1}
  stop_cleanly "sensor$suffix" "sensors stopped"
  stop_cleanly "uploader$suffix" stopped
  # Without its dependencies: they would start the sensor again.
  compose run --rm --no-deps "uploader$suffix" --once >"$work/once.log" 2>&1 || { cat "$work/once.log"; fail "uploader$suffix --once ended with an error"; }
  docker cp "$(container "sensor$suffix"):/data" "$work/data$number"
}

# Each type in turn until it has brought objects; between them the uploader is stopped and killed, the server and the
# sensor are killed.
switch_types() {
  local type
  for type in "${TYPES[@]}"; do
    step "pipeline-manager set $type"
    compose run --rm --no-deps pipeline-manager set "$type" --by test >"$work/set.log" 2>&1 || { cat "$work/set.log"; fail "the type cannot be set"; }
    case $type in
      schematized) stop_cleanly uploader stopped; start uploader ;;
      aggregated) kill_hard uploader; start uploader ;;
      emergency) kill_hard s3; kill_hard sensor; start s3; start sensor; until_healthy sensor ;;
    esac
    until_objects "$type" edge-1
  done
}

# A container without a volume on /state, and with nothing but /data, says what that means.
check_lost_state() {
  local output
  output="$(docker run --rm --volume "${project}_data:/data" --env S3_ENABLED=false --env OUTPUT_DIRECTORY=/tmp/lake \
    --env NODE_ID=without-volume "$UPLOADER_IMAGE" --config /config.yaml --once)" || fail "uploader --once ended with an error: $output"
  grep -q "the state folder /state is on no volume" <<<"$output" || fail "a state on no volume is not warned of"
}

check_size() {
  local added=$(($(size "$UPLOADER_IMAGE") - $(size "$base")))
  printf 'the uploader adds %d MB to %s\n' $((added / 1000000)) "$base"
  [ $((added / 1000000)) -lt $MOST_MEGABYTES ] || fail "that is more than $MOST_MEGABYTES MB"
}

size() {
  docker image inspect --format '{{.Size}}' "$1"
}

# The S3 server's image: the one that is here, its own from a registry, or one around the program that Go builds.
have_versitygw() {
  if docker image inspect "$VERSITYGW_IMAGE" >/dev/null 2>&1 || docker pull --quiet "$VERSITYGW_IMAGE" >/dev/null 2>&1; then return; fi
  step "build an image of the S3 server"
  local program="${UPLOADER_TEST_CACHE:-$HOME/.cache/databricks-uploader}/bin/versitygw"
  VERSITYGW_IMAGE="databricks-test-versitygw:$VERSITYGW_VERSION"
  mkdir "$work/versitygw"
  if [ "$(uname -s)" = Linux ] && [ -x "$program" ]; then
    cp "$program" "$work/versitygw/versitygw"
  else
    command -v go >/dev/null || fail "$VERSITYGW_IMAGE can neither be pulled nor built: there is no Go"
    CGO_ENABLED=0 GOOS=linux GOBIN="$work/versitygw" go install "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW_VERSION"
  fi
  docker build --quiet --file deploy/versitygw.Dockerfile --build-arg "BASE_IMAGE=$base" --tag "$VERSITYGW_IMAGE" "$work/versitygw" >/dev/null
}

step() {
  printf '\n── %s\n' "$1"
}

fail() {
  printf 'containers: %s\n' "$1"
  exit 1
}

take_down() {
  take_down_jobs
  if [ -n "${compose_command:-}" ]; then
    compose_aws down --volumes --timeout 5 >"$work/down.log" 2>&1 || cat "$work/down.log"
    compose down --volumes --remove-orphans --timeout 5 >"$work/down.log" 2>&1 || cat "$work/down.log"
  fi
  rm -rf "$work"
}

main
