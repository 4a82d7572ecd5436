# Read by scripts/test-containers.sh, whose variables it uses: the services of docker-compose.yml, started, stopped, killed
# and waited for.
# shellcheck shell=bash disable=SC2154

find_compose() {
  if docker compose version >/dev/null 2>&1; then compose_command=(docker compose)
  elif command -v docker-compose >/dev/null; then compose_command=(docker-compose)
  else fail "neither docker compose nor docker-compose is installed"; fi
}

compose() {
  "${compose_command[@]}" --project-name "$project" --profile fleet "$@" </dev/null
}

# The profile aws, as docs/CONTAINERS.md has it started.
compose_aws() {
  "${compose_command[@]}" --project-name "$project-aws" --profile aws "$@" </dev/null
}

# It has a sensor and its uploader, and nothing of the local server; there is no AWS to start them for.
check_aws_profile() {
  local made
  compose_aws up --no-start uploader-aws >"$work/aws.log" 2>&1 || { cat "$work/aws.log"; fail "the profile aws cannot be made"; }
  made="$(docker ps --all --filter "label=com.docker.compose.project=$project-aws" \
    --format '{{.Label "com.docker.compose.service"}}' | sort | tr '\n' ' ')"
  [ "$made" = "sensor uploader-aws " ] || fail "the profile aws has $made"
}

# The id of a service's container, running or not.
container() {
  docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$1" --filter "label=com.docker.compose.oneoff=False"
}

start() {
  docker start "$(container "$1")" >/dev/null
}

kill_hard() {
  docker kill --signal KILL "$(container "$1")" >/dev/null
  echo "$1 is killed"
}

# SIGTERM drains: exit code 0, and the program's last word.
stop_cleanly() {
  local id code
  id="$(container "$1")"
  docker stop --time 60 "$id" >/dev/null
  code="$(docker inspect --format '{{.State.ExitCode}}' "$id")"
  [ "$code" = 0 ] || { docker logs --tail 20 "$id"; fail "$1 ended with $code at docker stop"; }
  docker logs --tail 1 "$id" 2>&1 | grep -q "\"msg\":\"$2\"" || { docker logs --tail 5 "$id"; fail "$1 did not say that it stopped"; }
  echo "$1 is stopped"
}

until_objects() {
  local bucket="/buckets/local-databricks-$1-us-east-1"
  wait_for "no $1 object of $2 arrived" docker exec "$(container s3)" sh -c "find $bucket -path '*$2*' -name '*.parquet' | grep -q ."
  echo "$1 objects of $2 are there"
}

until_healthy() {
  wait_for "$1 is not healthy" has_health "$1" healthy
  echo "$1 is healthy"
}

has_health() {
  [ "$(docker inspect --format '{{.State.Health.Status}}' "$(container "$1")")" = "$2" ]
}

# Waits two minutes for a command to succeed.
wait_for() {
  local complaint=$1 began=$SECONDS
  shift
  until "$@" >/dev/null 2>&1; do
    if [ $((SECONDS - began)) -gt 120 ]; then
      compose ps --all || true
      compose logs --tail 20 || true
      fail "$complaint within two minutes"
    fi
    sleep 0.5
  done
}
