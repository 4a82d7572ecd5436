import { existsSync, readdirSync } from "node:fs";
import { constants, getPriority } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openReadings } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { startProgram } from "../support/uploader-process.ts";

const LOW = constants.priority.PRIORITY_BELOW_NORMAL;

test.skipIf(!existsSync("/proc/self/task"))(
  "a running uploader leaves the CPU to the sensor, with every thread",
  async () => {
    const folder = temporaryFolder();
    const database = join(folder, "sensor.db");
    openReadings(database);
    const uploader = startProgram("uploader", ["--sqlite", database, "--table", "readings"], {
      cwd: folder,
      env: { S3_ENABLED: "false", OUTPUT_DIRECTORY: "lake", STATE_DIR: join(folder, "state") },
    });
    await uploader.untilOutput(/ships what is new/);
    const pid = uploader.process.pid as number;
    const threads = readdirSync(`/proc/${pid}/task`).map(Number);
    expect(threads.length).toBeGreaterThan(1);
    expect(new Set(threads.map((id) => getPriority(id)))).toEqual(new Set([Math.max(LOW, getPriority())]));
    uploader.process.kill("SIGTERM");
    expect((await uploader.finished).code).toBe(0);
  },
);
