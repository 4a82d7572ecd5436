#!/bin/sh
# Makes Node.js's headers in a folder (…/include/node) fit for compiling better-sqlite3 12; those before 24.19 stay as
# they are. Since then they have each object of a native module give up a hook when it is collected, which aborts the
# process (`Assertion failed: (env) != nullptr`) where the collector runs beside JavaScript. better-sqlite3 13 is not
# affected, but does not run on Node.js 20.
# Usage: scripts/patch-node-headers.sh FOLDER
set -eu
header=$1/node_object_wrap.h
sed -E '/^ +(Add|Remove)EnvironmentCleanupHook\(.*, CleanupHook, this\);$/d' "$header" >"$header.patched"
mv "$header.patched" "$header"
