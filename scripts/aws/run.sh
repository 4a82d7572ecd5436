#!/usr/bin/env bash
# Runs scripts/aws/NAME.ts from the root of the repository, with what is installed, or after installing it.
# Usage: run.sh NAME [ARGUMENTS]
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ ! -x node_modules/.bin/tsx ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  ./scripts/install.sh >&2
fi
program=$1
shift
exec node --import tsx "scripts/aws/$program.ts" "$@"
