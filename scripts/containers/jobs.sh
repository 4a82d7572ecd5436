# Read by scripts/test-containers.sh, whose functions and variables it uses: the other ways of running the uploader's
# image, each on a database that a sensor of the fleet has left.
# shellcheck shell=bash disable=SC2154

# The container of Bacalhau's daemon.
daemon=""

# Bacalhau's batch job ends by itself, its daemon at SIGTERM, both with 0; they ship to the compose project's server.
run_bacalhau_jobs() {
  local arguments code
  lay_out_node line-7
  read_job batch line-7
  docker run --rm --network "${project}_default" "${arguments[@]}" >"$work/batch.log" 2>&1 || { cat "$work/batch.log"; fail "Bacalhau's batch job ended with an error"; }
  until_objects raw line-7

  lay_out_node line-8
  read_job daemon line-8
  daemon="$(docker run --detach --network "${project}_default" "${arguments[@]}")"
  until_objects raw line-8
  docker stop --time 60 "$daemon" >/dev/null
  code="$(docker inspect --format '{{.State.ExitCode}}' "$daemon")"
  [ "$code" = 0 ] || { docker logs --tail 20 "$daemon"; fail "Bacalhau's daemon ended with $code at SIGTERM"; }
}

# What deploy/bacalhau/README.md wants of a node, below $work/NODE.
lay_out_node() {
  local root="$work/$1"
  mkdir -p "$root/var/lib/sensor" "$root/var/lib/databricks-uploader" "$root/etc/databricks-uploader"
  cp "$work/data-2/"* "$root/var/lib/sensor"
  { cat deploy/local-s3.yaml; printf 'node_id: %s\n' "$1"; } >"$root/etc/databricks-uploader/config.yaml"
  printf '[default]\naws_access_key_id = local-access-key\naws_secret_access_key = local-secret-key\n' \
    >"$root/etc/databricks-uploader/credentials"
  give_to 1000 "$root"
}

# Into `arguments`, an array of the caller's.
read_job() {
  local argument
  node --import tsx scripts/containers/job-arguments.ts "deploy/bacalhau/$1.yaml" "$work/$2" "$UPLOADER_IMAGE" >"$work/arguments"
  arguments=()
  while IFS= read -r argument; do arguments+=("$argument"); done <"$work/arguments"
}

# By a container, since only root may give files away.
give_to() {
  docker run --rm --user 0 --entrypoint chown --volume "$2:/given" "$UPLOADER_IMAGE" -R "$1" /given
}

# ./start-uploader.sh with --once, to a folder in the state's volume, without a terminal.
run_start_script() {
  local state="${project}_script-state"
  printf 'sqlite: /data/sensor_data.db\nnode_id: line-9\ndirectory: /state/lake\ns3_configuration: { enabled: false }\n' >"$work/script.yaml"
  SENSOR_DATA="${project}_data-3" UPLOADER_STATE="$state" NODE_ID=line-9 ./start-uploader.sh "$work/script.yaml" --once \
    >"$work/script.log" 2>&1 </dev/null || { cat "$work/script.log"; fail "start-uploader.sh --once ended with an error"; }
  docker run --rm --volume "$state:/state" --entrypoint find "$UPLOADER_IMAGE" /state/lake -name '*.parquet' | grep -q . \
    || { cat "$work/script.log"; fail "start-uploader.sh --once shipped nothing"; }
}

take_down_jobs() {
  local node
  if [ -n "$daemon" ]; then docker rm --force "$daemon" >/dev/null || true; fi
  docker volume rm --force "${project}_script-state" >/dev/null 2>&1 || true
  for node in line-7 line-8; do
    if [ -d "$work/$node" ]; then give_to "$(id -u)" "$work/$node" || true; fi
  done
}
