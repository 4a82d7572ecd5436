import { rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { loadSettings } from "../../src/config/load-settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { ObjectName } from "../../src/core/object-key.ts";
import type { PipelineType } from "../../src/core/types.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import { type RebuildFindings, type Rebuilt, rebuildState } from "../../src/rebuild.ts";
import { type LakeObject, listObjects } from "../support/lake-reader.ts";
import { openReadings, type ReadingsDatabase } from "../support/readings.ts";
import { noLog, uploadOnce } from "../support/run-in-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A machine with a sensor's database and an uploader, whose extractions are of ten rows, and its lake. */
export interface Site {
  readonly folder: string;
  readonly database: string;
  readonly db: ReadingsDatabase;
  readonly stateDir: string;
  readonly settings: Settings;
  setType(type: PipelineType): void;
  upload(): Promise<0 | 1>;
  /** Runs the rebuild with a yes, and gives what it said before. */
  rebuild(): Promise<{ readonly findings: RebuildFindings; readonly rebuilt: Rebuilt }>;
  objects(): LakeObject[];
  /** Takes objects out of the lake, as if their delivery had never come about, and the state with its outbox. */
  loseState(options?: { readonly undelivered?: (name: ObjectName) => boolean }): void;
}

export interface SiteOptions {
  /** Where the objects come to lie; a folder of the site's where left out. */
  readonly lake?: { readonly environment: Readonly<Record<string, string>>; objects(): LakeObject[] };
  readonly flags?: Readonly<Record<string, unknown>>;
}

export function openSite({ lake, flags = {} }: SiteOptions = {}): Site {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  const stateDir = join(folder, "state");
  const db = openReadings(database);
  const directory = join(folder, "lake");
  const argv = {
    sqlite: database,
    table: "readings",
    "node-id": "press-7",
    "state-dir": stateDir,
    "max-batch-size": "10",
    ...(lake ? {} : { directory }),
    ...flags,
  };
  const env = lake?.environment ?? {};
  // The AWS SDK looks for credentials in the environment of the process.
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const settings = loadSettings({ argv, env, cwd: folder, hostname: hostname() });
  const objects = () => lake?.objects() ?? listObjects(directory);
  return {
    folder,
    database,
    db,
    stateDir,
    settings,
    setType: (type) => void setPipelineType(db, { type, by: "test", now: Date.now() }),
    upload: () => uploadOnce({ argv, env, cwd: folder }),
    async rebuild() {
      let findings: RebuildFindings | undefined;
      const rebuilt = await rebuildState({
        settings,
        clock: systemClock,
        log: noLog,
        onListed: () => {},
        confirm: async (found) => {
          findings = found;
          return true;
        },
      });
      return { findings: findings as RebuildFindings, rebuilt: rebuilt as Rebuilt };
    },
    objects,
    loseState({ undelivered = () => false } = {}) {
      rmSync(stateDir, { recursive: true });
      for (const { path, name } of objects()) if (undelivered(name)) rmSync(path);
    },
  };
}
