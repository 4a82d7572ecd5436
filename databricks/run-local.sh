#!/usr/bin/env bash
# The whole way on this machine: two sensors write to SQLite, the real uploader ships through all four pipeline
# types, the bronze pipeline (spark-pipelines) takes the objects in two runs, dbt builds and tests silver and gold, and
# a table holds what came of it against what the sensors wrote. Exit code 1 where a line of it does not hold.
#   --s3           over S3 (versitygw and S3A, 641 MB of jars the first time) instead of a folder
#   --work FOLDER  where everything is made, .lake-run by default; emptied first
#   --rows N       rows for each node and type in the first round, 4000 by default
# Needs Node.js, Java 17, Python 3.11, and Maven for the jars; it fetches the rest (databricks/local/setup.sh).
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(dirname "$here")"
cache="${UPLOADER_TEST_CACHE:-$HOME/.cache/databricks-uploader}"

work="$root/.lake-run"
setup=()
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --s3) setup+=(--s3); arguments+=(--s3) ;;
    --work) work=$2; shift ;;
    --rows) arguments+=(--rows "$2"); shift ;;
    *) echo "run-local: unknown argument $1" >&2; exit 2 ;;
  esac
  shift
done

# Whatever lies in another folder is not ours to remove.
if [ -e "$work" ] && [ -n "$(ls -A "$work")" ] && [ ! -f "$work/conf/spark-defaults.conf" ]; then
  echo "run-local: $work is neither empty nor the folder of an earlier run" >&2
  exit 2
fi
rm -rf "$work"
"$root/scripts/install.sh"
if [ ${#setup[@]} -gt 0 ]; then "$root/scripts/setup-test-tools.sh"; fi
"$here/local/setup.sh" ${setup[@]+"${setup[@]}"} --work "$work"
exec "$cache/venv-lake/bin/python" "$here/local/run.py" --work "$work" ${arguments[@]+"${arguments[@]}"}
