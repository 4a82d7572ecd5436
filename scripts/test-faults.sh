#!/usr/bin/env bash
# Runs the fault campaign at its full length, with the other folders whose tests docs/GUARANTEES.md and
# docs/SECURITY.md name; then everything happens at once, as `npm run soak` has it, for SOAK_MINUTES (left out: 30; 0: not
# at all). Its last lines are what the campaign found, scenario by scenario, and each suite that did not run and why.
# Arguments go to vitest in place of the folders, without a soak, as in `scripts/test-faults.sh
# test/faults/clock.test.ts`; TEST_SEED replays what was random.
set -euo pipefail
cd "$(dirname "$0")/.."

named=(faults e2e rebuild spot outbox sink source sqlite config core query native docs)
soak_minutes=0
if [ $# -eq 0 ]; then
  set -- "${named[@]/#/test/}"
  soak_minutes="${SOAK_MINUTES:-30}"
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
touch "$work/report"
export FAULTS="${FAULTS:-full}" UPLOADER_FAULTS_REPORT="$work/report" UPLOADER_TEST_SKIPPED="$work/skipped"
code=0
npx vitest run "$@" || code=$?
if [ "${SOAK_MINUTES:-}" = 0 ]; then echo 'the soak: SOAK_MINUTES is 0' >>"$work/skipped"; fi
if [ "$soak_minutes" != 0 ]; then
  npm run --silent soak -- --minutes "$soak_minutes" ${TEST_SEED:+--seed "$TEST_SEED"} || code=1
fi
printf '\n'
node --import tsx scripts/faults-report.ts "$work/report" || code=1
if [ -s "$work/skipped" ]; then sort -u "$work/skipped" | sed 's/^/did not run: /'; fi
exit "$code"
