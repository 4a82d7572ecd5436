import { existsSync, readdirSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import { pino } from "pino";
import { loadSettings } from "../../src/config/load-settings.ts";
import { openControlWriter } from "../../src/control.ts";
import { systemClock as clock, systemSleep as sleep } from "../../src/core/clock.ts";
import { startDelivery } from "../../src/deliver.ts";
import { createSink, destinationOf } from "../../src/destination.ts";
import { extract } from "../../src/extract.ts";
import type { OutboxDisk } from "../../src/extraction.ts";
import { openSource } from "../../src/outbox/sources.ts";
import { createStateFolders, openState, type State } from "../../src/outbox/state.ts";
import { syncFolder } from "../../src/outbox/sync-folder.ts";
import { createOwnership } from "../../src/ownership.ts";
import { DEFAULT_REVISION } from "../../src/pipeline/revision.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import { createSourceReader } from "../../src/read.ts";
import type { Sink } from "../../src/sink/sink.ts";
import { openSourceDatabase } from "../../src/source-database.ts";
import { filesBelow } from "../support/lake-place.ts";
import { appendReadings, openForTest, type ReadingsDatabase } from "../support/readings.ts";
import { NODE, type Site } from "./campaign.ts";

/** What a loss of power leaves whatever the operating system does: SQLite and the lake have synced it. */
export interface Durable {
  /** state.db as last committed. */
  readonly state: Buffer;
  /** The files that it lists as waiting, with their SHA-256. */
  readonly listed: ReadonlyMap<string, string>;
  /** The sensor's database. */
  readonly source: Buffer;
  /** Each file of the lake, by its path there. */
  readonly lake: ReadonlyMap<string, Buffer>;
}

/** What the uploader asked of the disk, with what was durable just before; `commit` changes that alone. */
export interface Step {
  readonly kind: "create" | "write" | "sync" | "sync folder" | "remove" | "commit";
  readonly file: string;
  readonly bytes: Buffer;
  readonly before: Durable;
}

export interface RecordedRun {
  readonly steps: readonly Step[];
  /** After the last of them. */
  readonly end: Durable;
}

export const ROWS_EACH = 50;

/** After which extractions there is a delivery, so that two objects wait for it, or four. */
const DELIVERED_AFTER = [true, true, false];

/** Extracts so many times, two objects each, and delivers now and then; all of it is recorded. */
export async function recordRun(site: Site, extractions: number): Promise<RecordedRun> {
  const settings = loadSettings({
    argv: { sqlite: site.database, directory: join(site.folder, "lake"), "state-dir": site.stateDir },
    env: { S3_ENABLED: "false" },
    cwd: site.folder,
    hostname: NODE,
  });
  const log = pino({ level: "silent" });
  const state = openState(createStateFolders(site.stateDir), 0);
  const db = openSourceDatabase(site.database);
  const destination = destinationOf(settings.sink);
  openSource(state, NODE, "readings", destination);
  setPipelineType(site.db, { type: "emergency", by: "test", now: clock.now() });
  const revision = { ...DEFAULT_REVISION, id: 1, type: "emergency" as const };
  const recorder = createRecorder(site, state);
  const sink = recorder.watch(await createSink(settings.sink));
  const control = openControlWriter({ path: site.database, mayCreate: false, state, clock, log });
  const ownership = createOwnership({ state, sink, place: destination.place, clock });
  const extractor = {
    state,
    reader: createSourceReader({
      db,
      table: "readings",
      timestampColumn: null,
      settings: settings.queries,
      readRevision: () => revision,
      now: clock.now,
    }),
    ...{ node: NODE, table: "readings", destination, compression: "snappy" as const, clock },
    maxRows: ROWS_EACH,
    disk: recorder.disk,
  };
  for (let extraction = 0; extraction < extractions; extraction++) {
    appendReadings(site.db, ROWS_EACH);
    const { signal } = new AbortController();
    const outcome = await extract(extractor, { targetBytes: 1e6, shipOpenWindows: true, signal });
    if (outcome.kind !== "extracted" || outcome.objects.length !== 2) throw new Error(outcome.kind);
    if (!DELIVERED_AFTER[extraction % DELIVERED_AFTER.length]) continue;
    const options = { state, sink, ownership, clock, sleep, random: Math.random, log };
    const delivery = startDelivery({ ...options, giveUpAfterMs: 0, onDelivered: () => {} });
    await delivery.settled();
    await delivery.stop();
    control.recordExecutions();
  }
  const run = { steps: recorder.steps, end: recorder.end() };
  for (const opened of [recorder, control, sink, db, state]) opened.close();
  return run;
}

/** Records what is asked of the disk, and does it. */
function createRecorder({ folder, database, stateDir }: Site, state: State) {
  const steps: Step[] = [];
  const outbox = state.files.outbox;
  const committed = {
    state: openCommitted(join(stateDir, "state.db"), (db, image) => ({ state: image, listed: listedIn(db) })),
    source: openCommitted(database, (_, image) => ({ source: image })),
  };
  const files = new Set<string>();
  let lake: Durable["lake"] = new Map();

  const durable = (): Durable => ({ ...committed.state.read(), ...committed.source.read(), lake });
  function note(kind: Step["kind"], path = "", bytes: Uint8Array = Buffer.alloc(0)): void {
    const before = durable();
    const left = new Set(existsSync(outbox) ? readdirSync(outbox) : []);
    for (const file of files)
      if (!left.has(file)) {
        files.delete(file);
        steps.push({ kind: "remove", file, bytes: Buffer.alloc(0), before });
      }
    const file = basename(path);
    if (kind === "create") files.add(file);
    steps.push({ kind, file, bytes: Buffer.from(bytes), before });
  }

  // Within the transaction, so that what was removed too early is seen while it is listed.
  state.db.function("note_commit", () => {
    note("commit");
    return null;
  });
  const changes = ["INSERT ON objects", "UPDATE ON objects", "DELETE ON objects", "UPDATE ON sources"];
  for (const [index, change] of changes.entries())
    state.db.exec(`CREATE TEMP TRIGGER note_${index} AFTER ${change} BEGIN SELECT note_commit(); END`);

  const disk: OutboxDisk = {
    async createFile(path) {
      const file = await open(path, "wx", 0o600);
      note("create", path);
      return {
        async write(chunk, offset) {
          // Whoever writes has to go on where the disk stopped.
          const end = offset === 0 ? Math.ceil(chunk.byteLength / 2) : chunk.byteLength;
          const part = chunk.subarray(offset, end);
          note("write", path, part);
          await file.writeFile(part);
          return { bytesWritten: part.byteLength };
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

  /** What the sink has confirmed is durable; before that it may be there or not. */
  function watch(sink: Sink): Sink {
    const noteLake = () => {
      note("commit");
      const root = join(folder, "lake");
      // What the other lane has under way may be gone by now.
      lake = new Map(
        filesBelow(root).flatMap((path) => {
          const bytes = readIfThere(join(root, path));
          return bytes ? [[path, bytes]] : [];
        }),
      );
    };
    return {
      ...sink,
      async put(object, signal) {
        const result = await sink.put(object, signal);
        noteLake();
        return result;
      },
      async writeMarker(...marker) {
        const version = await sink.writeMarker(...marker);
        noteLake();
        return version;
      },
    };
  }

  return {
    steps,
    disk,
    watch,
    end() {
      note("commit");
      return durable();
    },
    close() {
      for (const { db } of [committed.state, committed.source]) db.close();
    },
  };
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function listedIn(db: ReadingsDatabase): Map<string, string> {
  const rows = db.prepare("SELECT file, sha256 FROM objects WHERE delivered_at IS NULL").raw().all();
  return new Map(rows as [string, string][]);
}

/** Looks at a database as another process would, which sees what is committed; again only where that changed. */
function openCommitted<Seen>(path: string, look: (db: ReadingsDatabase, image: Buffer) => Seen) {
  const db = openForTest(path, { readonly: true });
  let version: unknown;
  let seen: Seen;
  return {
    db,
    read(): Seen {
      const now = db.pragma("data_version", { simple: true });
      if (now !== version) seen = look(db, db.serialize());
      version = now;
      return seen;
    },
  };
}
