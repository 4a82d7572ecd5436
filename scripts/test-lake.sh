#!/usr/bin/env bash
# Checks the lake side: ruff, sqlfluff, then the tests in test/databricks (Spark, Delta, dbt), on objects that the built
# uploader writes. Installs what they need (databricks/local/setup.sh); needs Java, Python, and Maven the first time.
# Arguments go to pytest. With LAKE_RESULTS the results are written there too, as JUnit XML.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

./databricks/local/setup.sh
programs="${UPLOADER_TEST_CACHE:-$HOME/.cache/databricks-uploader}/venv-lake/bin"
export PATH="$programs:$PATH"

failed=0
ruff format --quiet --check databricks test/databricks || { echo "test-lake: ruff format would change files"; failed=1; }
ruff check --quiet databricks test/databricks || failed=1
(cd databricks/dbt && sqlfluff lint --nocolor models tests/data_quality tests/integration) || failed=1
pytest -q -p no:cacheprovider ${LAKE_RESULTS:+--junit-xml="$LAKE_RESULTS"} "${@:-test/databricks}" || failed=1
exit "$failed"
