#!/usr/bin/env bash
# Builds the images databricks-uploader and databricks-sensor; `scripts/build.sh --help` says how.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Usage: scripts/build.sh [options]

Builds the images databricks-uploader and databricks-sensor.

  --tag TAG           their tag [default: latest]
  --registry NAME     what stands before their names, such as ghcr.io/your-org; "local": nothing [default: nothing]
  --platforms LIST    such as linux/amd64,linux/arm64 [default: PLATFORMS, else that of the engine]
  --push              send them to the registry
  --dry-run           print the commands and run none
  --help              print this

One platform is built by `docker build`, several by `docker buildx build`, whose images cannot be kept by every engine:
push them. BASE_IMAGE takes the place of node:24-bookworm-slim.
TEXT
}

tag=latest registry="" platforms="${PLATFORMS:-}" push=false run=()

main() {
  parse "$@"
  build databricks-uploader Dockerfile
  build databricks-sensor sample-sensor/Dockerfile
}

parse() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --tag | --registry | --platforms)
        [ -n "${2:-}" ] || refuse "$1 needs a value"
        case "$1" in --tag) tag=$2 ;; --registry) registry=$2 ;; *) platforms=$2 ;; esac
        shift
        ;;
      --push) push=true ;;
      --dry-run) run=(print) ;;
      --help | -h) usage; exit 0 ;;
      *) refuse "unknown option: $1" ;;
    esac
    shift
  done
  [[ $tag =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ ]] || refuse "no tag of an image: $tag"
  if [ "$registry" = local ]; then registry=""; fi
  if $push && [ -z "$registry" ]; then refuse "--push needs --registry"; fi
  if [[ $platforms == *,* ]] && ! $push; then
    echo "build.sh: images for several platforms stay in buildx's cache; --push sends them to a registry" >&2
  fi
}

build() {
  local image="${registry:+${registry%/}/}$1:$tag" file=$2 options=()
  options=(--file "$file" --tag "$image")
  if [ -n "${BASE_IMAGE:-}" ]; then options+=(--build-arg "BASE_IMAGE=$BASE_IMAGE"); fi
  options+=(
    --build-arg "VERSION=$(version)"
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)"
    --build-arg "CREATED=$(git log -1 --format=%cI 2>/dev/null || echo unknown)"
  )
  if [ -n "$platforms" ]; then options+=(--platform "$platforms"); fi
  if [[ $platforms == *,* ]]; then
    if $push; then options+=(--push); fi
    ${run[@]+"${run[@]}"} docker buildx build "${options[@]}" .
    return
  fi
  ${run[@]+"${run[@]}"} docker build "${options[@]}" .
  if $push; then ${run[@]+"${run[@]}"} docker push "$image"; fi
}

version() {
  sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json
}

print() {
  printf '%s\n' "$*"
}

refuse() {
  printf 'build.sh: %s\nSee scripts/build.sh --help.\n' "$1" >&2
  exit 2
}

main "$@"
