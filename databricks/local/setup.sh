#!/usr/bin/env bash
# Makes what the lake needs on this machine, where it is not there already: a virtual environment with the pins of
# requirements.txt, and the jars of jars.txt (with --s3 also those of jars-s3.txt), in
# ${UPLOADER_TEST_CACHE:-~/.cache/databricks-uploader}. Needs Java 17 or later, Python 3.11 or later, and Maven for
# the jars.
# With --work FOLDER it also writes FOLDER/conf/spark-defaults.conf, for SPARK_CONF_DIR: warehouse, catalog and logs
# then lie in that folder.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="${UPLOADER_TEST_CACHE:-$HOME/.cache/databricks-uploader}"
venv="$cache/venv-lake"
jars="$cache/lake-jars"
lists=("$here/jars.txt")
work=""

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --s3) lists+=("$here/jars-s3.txt") ;;
      --work) work=$2; shift ;;
      *) fail "unknown argument $1" ;;
    esac
    shift
  done
  need_java
  make_environment
  copy_jars
  if [ -n "$work" ]; then write_defaults; fi
}

need_java() {
  command -v java >/dev/null || fail "Java is missing; install a JDK or JRE of 17 or later"
  local version
  version="$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)"
  [ "${version:-0}" -ge 17 ] || fail "Java ${version:-?} is too old; Spark 4 needs 17 or later"
}

make_environment() {
  if has_pins; then return; fi
  command -v python3 >/dev/null || fail "Python 3 is missing"
  echo "Making $venv (1.2 GB, a minute or two) …" >&2
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
}

has_pins() {
  [ -x "$venv/bin/python" ] || return 1
  "$venv/bin/python" - "$here/requirements.txt" "$here/../validation/requirements.txt" <<'PY'
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

for line in [line for path in sys.argv[1:] for line in Path(path).read_text().splitlines()]:
    pin = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?==(\S+)", line.strip())
    try:
        if pin and version(pin[1]) != pin[2]:
            sys.exit(1)
    except PackageNotFoundError:
        sys.exit(1)
PY
}

copy_jars() {
  mkdir -p "$jars"
  local list coordinate name
  for list in "${lists[@]}"; do
    while read -r coordinate; do
      name="$(cut -d: -f2 <<<"$coordinate")-$(cut -d: -f3 <<<"$coordinate").jar"
      if [ -f "$jars/$name" ]; then continue; fi
      command -v mvn >/dev/null || fail "Maven is missing, and $name is not in $jars"
      echo "Fetching $name …" >&2
      mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact="$coordinate" -DoutputDirectory="$jars" -Dmdep.useBaseVersion=true
    done < <(grep -v '^#' "$list")
  done
}

# The jars are on the class path, not in spark.jars, which copies them (641 MB with --s3) for each process and session.
write_defaults() {
  mkdir -p "$work/conf"
  work="$(cd "$work" && pwd)"
  local list=() file coordinate
  for file in "${lists[@]}"; do
    while read -r coordinate; do
      list+=("$jars/$(cut -d: -f2 <<<"$coordinate")-$(cut -d: -f3 <<<"$coordinate").jar")
    done < <(grep -v '^#' "$file")
  done
  sed -e "s|@WORK@|$work|g" -e "s|@JARS@|$(IFS=:; echo "${list[*]}")|" \
    "$here/spark-defaults.conf.template" >"$work/conf/spark-defaults.conf"
}

fail() {
  echo "setup: $1" >&2
  exit 1
}

main "$@"
