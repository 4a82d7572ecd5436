import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadSettings } from "../../src/config/load-settings.ts";
import { destinationOf } from "../../src/destination.ts";
import { extract } from "../../src/extract.ts";
import type { OutboxDisk } from "../../src/extraction.ts";
import { openSource } from "../../src/outbox/sources.ts";
import { createStateFolders, openState, type State } from "../../src/outbox/state.ts";
import { syncFolder } from "../../src/outbox/sync-folder.ts";
import { DEFAULT_REVISION } from "../../src/pipeline/revision.ts";
import { createSourceReader } from "../../src/read.ts";
import { openSourceDatabase } from "../../src/uploader.ts";
import { appendReadings } from "../support/readings.ts";
import { createRandom } from "../support/seeded-random.ts";
import { IS_FULL, openSite, SEED, tallyScenario } from "./campaign.ts";

const EXTRACTIONS = IS_FULL ? 30 : 6;
/** How many of the ways in which unsynced writes can be lost are tried, where there are more. */
const MOST_WAYS = 64;

const tally = tallyScenario("1 power loss (outbox model)");

/** What the outbox asked of the disk, with what state.db listed just before. */
interface Step {
  readonly kind: "create" | "write" | "sync" | "sync folder";
  readonly file: string;
  readonly bytes: Buffer;
  readonly listed: ReadonlyMap<string, string>;
}

/** Records what is asked of the disk, and does it. */
function createRecorder(state: State): { readonly disk: OutboxDisk; readonly steps: Step[] } {
  const steps: Step[] = [];
  const note = (kind: Step["kind"], path: string, bytes: Uint8Array = Buffer.alloc(0)) =>
    steps.push({ kind, file: basename(path), bytes: Buffer.from(bytes), listed: readListed(state) });
  const disk: OutboxDisk = {
    async createFile(path) {
      const file = await open(path, "wx", 0o600);
      note("create", path);
      return {
        async write(chunk, offset) {
          // Whoever writes has to go on where the disk stopped.
          const half = chunk.subarray(offset, offset + Math.ceil((chunk.byteLength - offset) / 2));
          note("write", path, half);
          await file.writeFile(half);
          return { bytesWritten: half.byteLength };
        },
        async sync() {
          await file.sync();
          note("sync", path);
        },
        close: () => file.close(),
      };
    },
    async syncFolder(path) {
      await syncFolder(path);
      note("sync folder", path);
    },
  };
  return { disk, steps };
}

function readListed(state: State): Map<string, string> {
  const rows = state.db.prepare("SELECT file, sha256 FROM objects").raw().all() as [string, string][];
  return new Map(rows);
}

/**
 * Cuts the power before each step and after the last: what state.db lists, which SQLite keeps, must be whole
 * however the operating system chose among the writes that were not synced.
 *
 * @returns how many outcomes there were, and those in which a listed file was not whole
 */
function cutPower(steps: readonly Step[], finallyListed: ReadonlyMap<string, string>) {
  const random = createRandom(SEED);
  const violations = new Set<string>();
  let outcomes = 0;
  for (let cut = 0; cut <= steps.length; cut++) {
    const done = steps.slice(0, cut);
    const listed = steps[cut]?.listed ?? finallyListed;
    for (const [file, sha256] of listed) {
      for (const contents of possibleContents(done, file, random)) {
        outcomes++;
        if (contents === null) violations.add(`${file}: its name is lost`);
        else if (createHash("sha256").update(contents).digest("hex") !== sha256)
          violations.add(`${file}: its contents are lost`);
      }
    }
  }
  return { outcomes, violations: [...violations] };
}

/** null: the file is not there */
function* possibleContents(
  done: readonly Step[],
  file: string,
  random: () => number,
): Generator<Buffer | null> {
  const created = done.findLastIndex((step) => step.kind === "create" && step.file === file);
  if (created < 0 || !done.slice(created).some(({ kind }) => kind === "sync folder")) yield null;
  if (created < 0) return;
  const own = done.slice(created).filter((step) => step.file === file && step.kind !== "create");
  const synced = own.findLastIndex(({ kind }) => kind === "sync");
  const writes = own.map((step, index) => ({ ...step, isSynced: index <= synced })).filter(isWrite);
  const loose = writes.filter(({ isSynced }) => !isSynced).length;
  // Each loose write is kept, lost, or torn in its middle.
  const ways = 3 ** loose;
  for (let way = 0; way < Math.min(ways, MOST_WAYS); way++) {
    let fates = ways <= MOST_WAYS ? way : Math.floor(random() * ways);
    const pieces = writes.map(({ bytes, isSynced }) => {
      if (isSynced) return bytes;
      const fate = fates % 3;
      fates = Math.floor(fates / 3);
      const kept = fate === 0 ? bytes.byteLength : fate === 1 ? 0 : Math.floor(bytes.byteLength / 2);
      return Buffer.concat([bytes.subarray(0, kept), Buffer.alloc(bytes.byteLength - kept)]);
    });
    yield Buffer.concat(pieces);
  }
}

function isWrite({ kind }: Step): boolean {
  return kind === "write";
}

async function recordExtractions() {
  const site = await openSite();
  const { folder, database, stateDir, db: writer } = site;
  const settings = loadSettings({
    argv: { sqlite: database, directory: "lake" },
    env: {},
    cwd: folder,
    hostname: "press-7",
  });
  const state = openState(createStateFolders(stateDir), 0);
  const db = openSourceDatabase(database);
  const close = () => {
    state.close();
    db.close();
  };
  onTestFinished(close);
  const destination = destinationOf(settings.sink);
  openSource(state, "press-7", "readings", destination);
  const { disk, steps } = createRecorder(state);
  const clock = { now: () => Date.UTC(2026, 0, 1) };
  const options = {
    state,
    reader: createSourceReader({
      db,
      table: "readings",
      timestampColumn: null,
      settings: settings.queries,
      readRevision: () => ({ ...DEFAULT_REVISION, id: 1, type: "emergency" as const }),
      now: clock.now,
    }),
    node: "press-7",
    table: "readings",
    destination,
    compression: "snappy" as const,
    maxRows: 50,
    clock,
    disk,
  };
  for (let extraction = 0; extraction < EXTRACTIONS; extraction++) {
    appendReadings(writer, 50);
    const { signal } = new AbortController();
    const outcome = await extract(options, { targetBytes: 1e6, shipOpenWindows: true, signal });
    expect(outcome).toMatchObject({ kind: "extracted", objects: [{}, {}] });
  }
  const listed = readListed(state);
  close();
  return { site, steps, listed, rows: EXTRACTIONS * 50 };
}

test("whatever state.db lists is whole, wherever the power is cut", async () => {
  const { site, steps, listed, rows } = await recordExtractions();
  expect(listed.size).toBe(EXTRACTIONS * 2);
  const { outcomes, violations } = cutPower(steps, listed);
  expect(violations).toEqual([]);
  expect(outcomes).toBeGreaterThan(steps.length);
  const findings = await site.check();
  expect(findings).toMatchObject({ rows, objects: listed.size });
  tally.add(findings);

  // The model would find a sync that is left out.
  const without = (kind: Step["kind"]) =>
    cutPower(
      steps.filter((step) => step.kind !== kind),
      listed,
    );
  expect(without("sync").violations).toContainEqual(expect.stringContaining("contents are lost"));
  expect(without("sync folder").violations).toContainEqual(expect.stringContaining("name is lost"));
});
