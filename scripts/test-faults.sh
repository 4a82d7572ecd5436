#!/usr/bin/env bash
# Runs the fault campaign at its full length, with the other folders whose tests docs/GUARANTEES.md and
# docs/SECURITY.md name, and prints what the campaign found. Its last lines name each suite that did not run and why.
# Arguments go to vitest in place of the folders, as in `scripts/test-faults.sh test/faults/clock.test.ts`; TEST_SEED
# replays what was random.
set -euo pipefail
cd "$(dirname "$0")/.."

named=(faults e2e rebuild spot outbox sink source sqlite config core query docs)
if [ $# -eq 0 ]; then set -- "${named[@]/#/test/}"; fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
touch "$work/report"
export FAULTS="${FAULTS:-full}" UPLOADER_FAULTS_REPORT="$work/report" UPLOADER_TEST_SKIPPED="$work/skipped"
code=0
npx vitest run "$@" || code=$?
printf '\n'
node --import tsx scripts/faults-report.ts "$work/report" || code=1
if [ -s "$work/skipped" ]; then sort -u "$work/skipped" | sed 's/^/did not run: /'; fi
exit "$code"
