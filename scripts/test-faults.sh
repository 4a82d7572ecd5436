#!/usr/bin/env bash
# Runs the fault campaign at its full length and prints what it found. Arguments go to vitest, as in
# `scripts/test-faults.sh test/faults/clock.test.ts`; TEST_SEED replays what was random.
set -euo pipefail
cd "$(dirname "$0")/.."

report="$(mktemp)"
trap 'rm -f "$report"' EXIT
code=0
FAULTS="${FAULTS:-full}" UPLOADER_FAULTS_REPORT="$report" npx vitest run "${@:-test/faults}" || code=$?
printf '\n'
node --import tsx scripts/faults-report.ts "$report" || code=1
exit "$code"
