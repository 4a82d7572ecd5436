#!/usr/bin/env bash
# Installs the dependencies where they are missing or out of date, and builds. Needs Node.js and npm; where no
# prebuilt SQLite can be had for this machine, a C++ compiler, make and Python as well.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v node >/dev/null; then
  echo "install: Node.js is missing; install 20.19 or later (https://nodejs.org)" >&2
  exit 1
fi
node -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) process.exit(0);
  console.error(`install: Node.js ${process.versions.node} is too old; 20.19 or later is needed`);
  process.exit(1);
'

# node-gyp takes the headers from beside the running node, where there are any, rather than from the network.
node_prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
if [ -z "${npm_config_nodedir:-}" ] && [ -f "$node_prefix/include/node/node.h" ]; then
  export npm_config_nodedir=$node_prefix
fi

# Those of Node.js 24.19 and later as a copy that better-sqlite3 12 can be compiled against.
use_fitting_headers() {
  local include=${npm_config_nodedir:-}/include/node
  grep -qs CleanupHook "$include/node_object_wrap.h" || return 0
  copied_headers=$(mktemp -d)
  trap 'rm -rf "$copied_headers"' EXIT
  mkdir "$copied_headers/include"
  cp -RL "$include" "$copied_headers/include/node"
  scripts/patch-node-headers.sh "$copied_headers/include/node"
  export npm_config_nodedir=$copied_headers
}

# Without tsx, `npm prune --omit=dev` has taken away what builds and what the scripts run by.
if [ ! -x node_modules/.bin/tsx ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "Installing dependencies (one or two minutes, the first time) …"
  use_fitting_headers
  npm ci --no-audit --no-fund --loglevel=error
fi
npm run --silent build
