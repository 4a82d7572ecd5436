import { randomInt } from "node:crypto";
import { hostname } from "node:os";
import { runProgram } from "../../src/cli/program.ts";
import { systemClock, systemSleep } from "../../src/core/clock.ts";
import { runBackfill } from "./backfill.ts";
import { parseArguments } from "./flags.ts";
import { createFleet } from "./fleet.ts";
import { runLive } from "./live.ts";
import { chooseLevel, createLogger } from "./logger.ts";
import { createProgress } from "./progress.ts";
import { openReadingsTable } from "./readings-table.ts";
import { loadSettings } from "./settings.ts";
import { openUnit } from "./unit.ts";

/** The first signal asks for a clean stop, the second stops at once; WAL keeps the database whole. */
function listenForStop(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(1);
    controller.abort();
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  return controller.signal;
}

async function main(): Promise<void> {
  const signal = listenForStop();
  const given = parseArguments(process.argv);
  const { settings, backfill, file } = loadSettings({
    arguments: given,
    environment: process.env,
    folder: process.cwd(),
  });
  const logger = await createLogger(chooseLevel(given.debug, process.env.LOG_LEVEL));
  const { simulation, identity, database } = settings;
  const clock = systemClock;

  const seed = simulation.seed ?? randomInt(2 ** 32);
  const instanceId = identity.instanceId ?? (simulation.seed === null ? hostname() : `seed-${seed}`);
  const endMs = backfill?.untilMs ?? clock.now();
  const spanMs = ((backfill?.rows ?? 0) * 1000) / simulation.readingsPerSecond;
  const fleet = createFleet({ settings, seed: String(seed), instanceId, startMs: endMs - spanMs });
  const table = openReadingsTable(database.path);
  const unit = await openUnit(process.env, logger, signal);
  try {
    unit.ready();
    const context = { table, clock, sleep: systemSleep, logger, signal };
    logger.info({ config: file, db: database.path, ...simulation, seed, instanceId }, "sensors started");
    for (const { identity } of fleet.sensors) logger.debug(identity, "sensor");
    if (backfill) {
      const progress = createProgress(process.stderr, clock, backfill.rows);
      const startedMs = clock.now();
      const rows = await runBackfill(context, fleet, backfill.rows, progress.update);
      progress.end();
      logger.info({ rows, durationMs: clock.now() - startedMs }, "backfill written");
    }
    if (!signal.aborted && (!backfill || backfill.thenLive)) {
      const rows = await runLive(context, fleet, settings);
      logger.info({ rows }, "sensors stopped");
    }
  } finally {
    table.close();
    await unit.close();
  }
}

void runProgram("sensor", { parseAsync: main });
