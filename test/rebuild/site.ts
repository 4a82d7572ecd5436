import { rmSync } from "node:fs";
import { expect } from "vitest";
import type { Settings } from "../../src/config/settings.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { ObjectName } from "../../src/core/object-key.ts";
import { type RebuildFindings, type RebuildOptions, type Rebuilt, rebuildState } from "../../src/rebuild.ts";
import {
  type Flags,
  openSite as openShippingSite,
  type Site as ShippingSite,
  type Tally,
} from "../faults/campaign.ts";
import type { CheckedTable } from "../support/invariants.ts";
import { nameOf } from "../support/lake-place.ts";
import type { LakeObject } from "../support/lake-reader.ts";
import { noLog } from "../support/run-in-process.ts";
import type { S3Server } from "../support/s3-servers.ts";

/** A machine with a sensor's database and an uploader, whose extractions are of ten rows, and its lake. */
export interface Site
  extends Pick<ShippingSite, "folder" | "database" | "db" | "stateDir" | "setType" | "startHere"> {
  readonly settings: Settings;
  /** Ships all there is. */
  upload(): Promise<void>;
  /** Runs the uploader, which has to refuse; gives back what it says. */
  refusal(): Promise<string>;
  /** Runs the rebuild with a yes, and gives what it said before. */
  rebuild(
    options?: Pick<RebuildOptions, "unproven">,
  ): Promise<{ readonly findings: RebuildFindings; readonly rebuilt: Rebuilt }>;
  objects(): LakeObject[];
  /** Takes objects out of the lake, as if their delivery had never come about, and the state with its outbox. */
  loseState(options?: { readonly undelivered?: (name: ObjectName) => boolean }): void;
  /** Asserts I1 to I10: no row lost, none twice; left out: of the readings as they are. */
  check(tables?: readonly CheckedTable[]): Promise<void>;
}

export interface SiteOptions {
  /** Left out: a folder. */
  readonly server?: S3Server;
  readonly flags?: Flags;
}

export async function openSite(tally: Tally, { server, flags: more = {} }: SiteOptions = {}): Promise<Site> {
  const flags = { "max-batch-size": "10", ...more };
  const site = await openShippingSite({ server, isInProcess: true });
  const { folder, database, db, stateDir, place, observer, setType, startHere } = site;
  const settings = site.settings(flags);
  const lossyGenerations = new Set<number>();

  return {
    ...{ folder, database, db, stateDir, setType, startHere, settings },
    async upload() {
      const { code, printed } = await site.ship(flags);
      expect(code, printed).toBe(0);
      await observer.look();
    },
    async refusal() {
      const { code, printed } = await site.ship(flags);
      expect(code, printed).toBe(1);
      return printed;
    },
    async rebuild({ unproven = null } = {}) {
      let findings: RebuildFindings | undefined;
      const rebuilt = await rebuildState({
        settings,
        clock: systemClock,
        log: noLog,
        unproven,
        onListed: () => {},
        confirm: async (found) => {
          findings = found;
          return true;
        },
      });
      return { findings: findings as RebuildFindings, rebuilt: rebuilt as Rebuilt };
    },
    objects: () => place.objects(),
    loseState({ undelivered = () => false } = {}) {
      rmSync(stateDir, { recursive: true });
      for (const object of place.objects().filter(({ name }) => undelivered(name))) {
        rmSync(object.path);
        observer.forget(nameOf(object));
        lossyGenerations.add(object.name.generation);
        db.prepare(
          "UPDATE pipeline_executions SET status = 'pending', completed_at = NULL WHERE bucket = ? AND object_key = ?",
        ).run(object.bucket, object.key);
      }
    },
    async check(tables) {
      tally.add(await site.check(tables, { flags, lossyGenerations: [...lossyGenerations] }));
    },
  };
}
