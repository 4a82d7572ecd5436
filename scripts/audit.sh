#!/usr/bin/env bash
# Asks the registry whether a production dependency has a known vulnerability, and fails if one has. A registry that
# cannot be asked is no failure, not even of CI: it is named in the file UPLOADER_NOT_ASKED, for the last lines of test.sh.
set -uo pipefail
cd "$(dirname "$0")/.."

report="$(npm audit --omit=dev --json 2>/dev/null)"
node - "$report" <<'JS'
const { appendFileSync } = require("node:fs");
let report = null;
try { report = JSON.parse(process.argv[2]); } catch {}
if (!report?.metadata?.vulnerabilities) {
  console.log("npm audit did not run: the registry does not answer it");
  const file = process.env.UPLOADER_NOT_ASKED;
  if (file) appendFileSync(file, "npm audit of the production dependencies: the registry does not answer it\n");
  process.exit(0);
}
const found = Object.values(report.vulnerabilities ?? {});
for (const { name, severity, range } of found) console.log(`${severity}: ${name} ${range}`);
console.log(`npm audit: ${found.length} vulnerable production dependencies`);
process.exit(found.length > 0 ? 1 : 0);
JS
