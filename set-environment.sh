# shellcheck shell=bash
# For `source ./set-environment.sh` in bash or zsh: exports what the scripts and programs take from the environment,
# S3_PREFIX, S3_REGION, the names of the four buckets, CONFIG_PATH and SENSOR_DB_PATH, after what is in `.env` if there
# is one. What is set already stays. No value of `.env` is printed but those of these names.

_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" && pwd)"

if [ -f "$_root/.env" ]; then
  # What is set already comes before the file, as it does with Compose.
  _set="$(export -p)"
  set -a
  # shellcheck disable=SC1091
  . "$_root/.env"
  set +a
  eval "$_set"
  unset _set
fi

export S3_PREFIX="${S3_PREFIX:-${S3_BUCKET_PREFIX:-}}"
export S3_REGION="${S3_REGION:-${AWS_REGION:-us-west-2}}"
export CONFIG_PATH="${CONFIG_PATH:-$_root/databricks-uploader-config.yaml}"
export SENSOR_DB_PATH="${SENSOR_DB_PATH:-$_root/sample-sensor/data/sensor_data.db}"

if [ -n "$S3_PREFIX" ]; then
  export S3_BUCKET_RAW="${S3_BUCKET_RAW:-$S3_PREFIX-databricks-raw-$S3_REGION}"
  export S3_BUCKET_SCHEMATIZED="${S3_BUCKET_SCHEMATIZED:-$S3_PREFIX-databricks-schematized-$S3_REGION}"
  export S3_BUCKET_AGGREGATED="${S3_BUCKET_AGGREGATED:-$S3_PREFIX-databricks-aggregated-$S3_REGION}"
  export S3_BUCKET_EMERGENCY="${S3_BUCKET_EMERGENCY:-$S3_PREFIX-databricks-emergency-$S3_REGION}"
else
  echo "set-environment: S3_PREFIX is not set, so the buckets have no names; put it into .env, or export it" >&2
fi

printf '%s=%s\n' S3_PREFIX "$S3_PREFIX" S3_REGION "$S3_REGION" \
  S3_BUCKET_RAW "${S3_BUCKET_RAW:-}" S3_BUCKET_SCHEMATIZED "${S3_BUCKET_SCHEMATIZED:-}" \
  S3_BUCKET_AGGREGATED "${S3_BUCKET_AGGREGATED:-}" S3_BUCKET_EMERGENCY "${S3_BUCKET_EMERGENCY:-}" \
  CONFIG_PATH "$CONFIG_PATH" SENSOR_DB_PATH "$SENSOR_DB_PATH"
unset _root
