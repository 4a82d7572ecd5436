import { checkKeys, loadConfigFile } from "./config-file.ts";
import { type Layers, type ResolvedSettings, resolveSettings } from "./layers.ts";
import { type Problem, throwIfAny } from "./problems.ts";
import { loadSchemas } from "./schematized-schemas.ts";
import { settingKey } from "./setting.ts";
import { CONFIG_FILE, SETTINGS } from "./setting-table.ts";
import type { Settings } from "./settings.ts";
import { sinkSettings } from "./sink-settings.ts";
import { type ReadFile, readBounded } from "./yaml-file.ts";

export interface SettingsInput {
  /** What yargs made of the flags in `uploaderOptions()`; what is not in there counts as not given. */
  readonly argv: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path. */
  readonly cwd: string;
  readonly hostname: string;
  /** Throws as `node:fs` does. */
  readonly readFile?: ReadFile;
}

const BYTES_PER_MB = 1024 * 1024;

/**
 * The settings of `uploader`: flags over environment over the YAML file over defaults.
 *
 * @throws {UploaderError} CONFIG_INVALID, with every problem there is
 */
export function loadSettings({ argv, env, cwd, hostname, readFile = readBounded }: SettingsInput): Settings {
  const problems: Problem[] = [];
  const { file, broken } = loadConfigFile(
    { configPath: argv[CONFIG_FILE.flag], env, cwd, readFile },
    problems,
  );
  if (file) checkKeys(file, problems);
  const layers: Layers = { argv, env, file, cwd };
  const resolved = resolveSettings(layers, problems);
  // Without its file everything would seem to be missing.
  if (broken) throwIfAny(problems);

  checkTogether(resolved, hostname, problems);
  const sink = sinkSettings(resolved, problems);
  const schemas = loadSchemas(resolved.schema, layers, readFile, problems);
  throwIfAny(problems);

  const sqlitePath = resolved.sqlite.value as string;
  const pipelineDbPath = resolved.pipelineDb.value;
  return {
    sqlitePath,
    tables: resolved.tables.value,
    timestampColumn: resolved.timestampColumn.value,
    autoDetection: resolved.autoDetection.value,
    pipelineDbPath: pipelineDbPath === sqlitePath ? null : pipelineDbPath,
    nodeId: resolved.nodeId.value ?? hostname,
    stateDir: resolved.stateDir.value,
    allowNetworkFileSystem: resolved.allowNetworkFileSystem.value,
    intervalSeconds: resolved.intervalSeconds.value,
    emergencyIntervalSeconds: resolved.emergencyIntervalSeconds.value,
    maxBatchRows: resolved.maxBatchRows.value,
    outboxMaxBytes: Math.round(resolved.outboxMaxMb.value * BYTES_PER_MB),
    statusAddress: resolved.statusAddress.value,
    spotNotices: resolved.spotNotices.value,
    targetObjectBytes: Math.round(resolved.batchSizeMb.value * BYTES_PER_MB),
    compression: resolved.compression.value,
    sink,
    queries: {
      emergency: { filter: resolved.emergencyFilter.value },
      schematized: { schemas, enrich: resolved.enrich.value },
      aggregated: {
        windowSeconds: resolved.windowSeconds.value,
        groupBy: resolved.groupBy.value,
        metrics: resolved.metrics.value,
      },
    },
    once: resolved.once.value,
    dryRun: resolved.dryRun.value,
    logLevel: resolved.logLevel.value,
  };
}

/** What no setting can say by itself. */
function checkTogether(resolved: ResolvedSettings, hostname: string, problems: Problem[]): void {
  const { sqlite, nodeId, autoDetection, tables, timestampColumn, outboxMaxMb, batchSizeMb } = resolved;
  const add = (key: string, message: string, origin: string | null): void => {
    problems.push({ key, message, origin });
  };
  if (sqlite.from === "default")
    add(
      settingKey(SETTINGS.sqlite),
      "is required: the SQLite database that the sensor writes; set it in the file, in SQLITE_PATH or with --sqlite",
      null,
    );
  if (nodeId.from === "default" && hostname.trim() === "")
    add(settingKey(SETTINGS.nodeId), "is required, since this machine has no hostname", null);
  if (!autoDetection.value) {
    const needed = `must be named, since ${settingKey(SETTINGS.autoDetection)} is false`;
    if (tables.from === "default" || tables.value === "*")
      add(settingKey(SETTINGS.tables), needed, tables.origin ?? autoDetection.origin);
    if (timestampColumn.from === "default")
      add(settingKey(SETTINGS.timestampColumn), needed, autoDetection.origin);
  }
  if (outboxMaxMb.value < batchSizeMb.value && outboxMaxMb.valid && batchSizeMb.valid)
    add(
      settingKey(SETTINGS.outboxMaxMb),
      `is ${outboxMaxMb.value}, too small for one object of ${settingKey(SETTINGS.batchSizeMb)} ${batchSizeMb.value}`,
      outboxMaxMb.origin ?? batchSizeMb.origin,
    );
}
