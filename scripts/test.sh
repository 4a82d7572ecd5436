#!/usr/bin/env bash
# Installs what the tests need and runs all of them: lint, types, build, the audit of the production dependencies,
# unit, property, contract, end to end, faults, then the lake side (scripts/test-lake.sh: Spark, Delta, dbt). Needs
# Node.js and npm; the S3 suites also Go (versitygw) and Python (moto), the lake Java 17, Python 3.11 and Maven. The
# fault campaign runs at full length but for the soak and the 200 random kills, of which a shorter form is here (all of
# it: `npm run test:faults`, `npm run soak`). Its last lines are the campaign's table, each suite that did not run and
# why, which with CI=true is a failure, and the count of the tests.
# Where a Docker engine runs, the containers are tried as well (scripts/test-containers.sh), as one test; where none
# does, that is no failure, not even of CI, and is named.
# Arguments go to vitest, as in `scripts/test.sh test/sink`, and the lake and the containers are then left out.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failed_steps=()
# Of the containers: passed or failed; empty where they were not tried.
containers=""

main() {
  step "install and build" ./scripts/install.sh
  ./scripts/setup-test-tools.sh

  step lint npm run --silent lint
  step typecheck npm run --silent typecheck
  export UPLOADER_TEST_SKIPPED="$work/skipped"
  UPLOADER_NOT_ASKED="$work/not-asked" step audit ./scripts/audit.sh
  export UPLOADER_FAULTS_REPORT="$work/faults"
  step tests npx vitest run --reporter=default --reporter=json --outputFile.json="$work/results.json" "$@"
  if [ $# -eq 0 ]; then
    test_lake
    test_containers
  fi
  if [ -s "$UPLOADER_FAULTS_REPORT" ]; then
    step faults node --import tsx scripts/faults-report.ts "$UPLOADER_FAULTS_REPORT"
  fi
  summarise
}

test_lake() {
  local program missing=()
  for program in java python3 mvn; do command -v "$program" >/dev/null || missing+=("$program"); done
  if [ ${#missing[@]} -gt 0 ]; then
    printf 'the lake: not installed: %s\n' "${missing[*]}" >>"$UPLOADER_TEST_SKIPPED"
    return
  fi
  LAKE_RESULTS="$work/lake.xml" step lake ./scripts/test-lake.sh
}

test_containers() {
  if ! docker info >/dev/null 2>&1; then
    echo "containers: no Docker engine" >>"$work/not-asked"
  elif ! docker compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; then
    echo "containers: no Docker Compose" >>"$work/not-asked"
  elif ! has_image "${BASE_IMAGE:-node:24-bookworm-slim}"; then
    echo "containers: the base image is not here and cannot be pulled" >>"$work/not-asked"
  else
    local before=${#failed_steps[@]}
    step containers ./scripts/test-containers.sh
    if [ ${#failed_steps[@]} -eq "$before" ]; then containers=passed; else containers=failed; fi
  fi
}

has_image() {
  docker image inspect "$1" >/dev/null 2>&1 || timeout 300 docker pull --quiet "$1" >/dev/null 2>&1
}

step() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  "$@" || failed_steps+=("$name")
}

summarise() {
  printf '\n'
  if [ -s "$work/not-asked" ]; then sed 's/^/did not run: /' "$work/not-asked"; fi
  if [ -s "$UPLOADER_TEST_SKIPPED" ]; then
    sort -u "$UPLOADER_TEST_SKIPPED" | sed 's/^/did not run: /'
    if [ "${CI:-}" = true ]; then failed_steps+=("suites that did not run"); fi
  fi
  local name
  for name in ${failed_steps[@]+"${failed_steps[@]}"}; do printf 'failed: %s\n' "$name"; done
  node - "$work/results.json" "$work/lake.xml" "${#failed_steps[@]}" "$containers" <<'JS'
const { readFileSync } = require("node:fs");
const [path, lakePath, failedSteps] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const containers = process.argv[5];
const read = (path) => { try { return readFileSync(path, "utf8"); } catch { return ""; } };
const results = JSON.parse(read(path) || "{}");
// JUnit's XML, as pytest writes it.
const lake = (name) => Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(read(lakePath))?.[1] ?? 0);
const skipped = (results.numPendingTests ?? 0) + lake("skipped");
const lakeFailed = lake("failures") + lake("errors");
const lakePassed = lake("tests") - lakeFailed - lake("skipped");
const passed = (results.numPassedTests ?? 0) + lakePassed + (containers === "passed" ? 1 : 0);
const numFailedTests = (results.numFailedTests ?? 0) + lakeFailed + (containers === "failed" ? 1 : 0);
// A step that failed without a failed test, such as lint or a suite that does not load, counts as one.
const failed = Math.max(numFailedTests, failedSteps);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failedSteps > 0 || failed > 0 ? 1 : 0);
JS
}

main "$@"
