// Runs each program once, so that what V8 has compiled of it is kept for later starts, unless this Node.js has what it
// can use: src/run-bundle.ts says how. A start without it takes longer: no failure.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const BUNDLES = join(ROOT, "dist/bundles");
const { loadBundle } = createRequire(import.meta.url)("../dist/src/run-bundle.js");

/** More rows than one read takes, so that the threads run as well. */
const ROWS = 20_000;
/** What programs do most, with the database and the folders of the one before. */
const RUNS = [
  `sample-sensor/src/cli.js --db sensor.db --backfill ${ROWS}`,
  "src/cli/pipeline-manager.js set raw --db sensor.db",
  "src/cli/uploader.js --once --sqlite sensor.db --node-id build --state-dir state --directory lake",
];

const bundles = readdirSync(BUNDLES).filter((name) => name.endsWith(".js"));
if (!bundles.every((name) => loadBundle(join(BUNDLES, name)).cachedDataRejected === false)) {
  const reason = compile();
  if (reason) console.log(`compiled: ${reason}; programs take longer to start`);
}

/** @returns {string | undefined} why something is missing */
function compile() {
  const folder = mkdtempSync(join(tmpdir(), "uploader-build-"));
  try {
    for (const [program, ...args] of RUNS.map((run) => run.split(" "))) {
      const hook = ["--require", join(import.meta.dirname, "keep-compiled.cjs")];
      const { status, stderr } = spawnSync(
        process.execPath,
        [...hook, join(ROOT, "dist", program), ...args],
        // Nothing but these, so that no setting of whoever builds leads elsewhere.
        { cwd: folder, env: { HOME: folder, TMPDIR: tmpdir() }, encoding: "utf8" },
      );
      if (status !== 0) return `${program} failed: ${stderr.trim().split("\n")[0]}`;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return undefined;
}
