#!/usr/bin/env bash
# Shows the whole way on this machine, with nothing but Node.js: a sensor writes to SQLite, the uploader ships to
# a folder, and pipeline-manager switches through the four pipeline types.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/install.sh
exec node --import tsx scripts/demo.ts
