#!/usr/bin/env bash
# create|status|logs|destroy: a spot instance that runs the uploader, with a volume that outlives it. docs/SPOT.md describes it.
# From a clone, or alone: curl … | bash -s -- create --repository https://host/path …, which clones that first.
# It needs Node.js 20.19 or later with npm, alone git too, and credentials of AWS where the SDK looks for them.
set -euo pipefail

main() {
  local here
  here=$(own_folder)
  if [ -z "$here" ]; then
    here=$(fetch_project "$@")/scripts/spot
  fi
  exec "$here/../aws/run.sh" ../spot/fleet-program "$@"
}

# Nothing where bash reads this from a pipe, or where this file was saved alone.
own_folder() {
  local file=${BASH_SOURCE[0]:-} folder
  [ -f "$file" ] || return 0
  folder=$(cd "$(dirname "$file")" && pwd)
  if [ -f "$folder/fleet-program.ts" ]; then echo "$folder"; fi
}

# Clones the project as --repository and --revision name it, or UPLOADER_REPOSITORY and UPLOADER_REVISION; prints where.
fetch_project() {
  local repository revision folder
  repository=$(value_of --repository "$@")
  revision=$(value_of --revision "$@")
  repository=${repository:-${UPLOADER_REPOSITORY:-}} revision=${revision:-${UPLOADER_REVISION:-HEAD}}
  [ -n "$repository" ] || refuse "This is not a clone of the project: name one with --repository or UPLOADER_REPOSITORY."
  # Before git writes it into a file.
  [[ ! $repository =~ ^[A-Za-z+]+://[^/]*@ ]] ||
    refuse "git has to read the project without credentials: leave the user out of its address."
  for program in git node npm; do
    command -v "$program" >/dev/null || refuse "$program is missing; git and Node.js 20.19 or later with npm are needed."
  done
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/databricks-uploader/source
  mkdir -p "$folder"
  git -C "$folder" init -q
  git -C "$folder" config remote.origin.url "$repository"
  git -C "$folder" fetch -q --depth 1 -- "$repository" "$revision" >&2 ||
    refuse "git could not fetch $revision; give a commit in full, or a tag."
  git -C "$folder" -c advice.detachedHead=false checkout -q --force FETCH_HEAD >&2
  echo "$folder"
}

# The value of an option, as --option VALUE or --option=VALUE; nothing where it is not there.
value_of() {
  local option=$1
  shift
  while [ $# -gt 0 ]; do
    case $1 in
      "$option") echo "${2:-}"; return ;;
      "$option="*) echo "${1#*=}"; return ;;
    esac
    shift
  done
}

refuse() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 2
}

main "$@"
