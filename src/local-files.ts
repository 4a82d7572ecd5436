import type { Settings } from "./config/settings.ts";
import { UploaderError } from "./core/errors.ts";
import type { Logger } from "./observe/logger.ts";
import { networkFileSystem, type ReadFileSystem, readFileSystem } from "./sqlite/file-system.ts";

/**
 * Makes sure that the databases and the state lie on a disk of this machine.
 *
 * @throws {UploaderError} NETWORK_FILE_SYSTEM, unless `allow_network_filesystem` is set, which is then said
 */
export function assertLocalFiles(
  settings: Pick<Settings, "sqlitePath" | "pipelineDbPath" | "stateDir" | "allowNetworkFileSystem">,
  log: Logger,
  read: ReadFileSystem = readFileSystem,
): void {
  const places = [
    ["The database", settings.sqlitePath],
    ["The database with the control tables", settings.pipelineDbPath],
    ["The state folder", settings.stateDir],
  ] as const;
  for (const [what, path] of places) {
    const found = path === null ? null : read(path);
    const name = found && networkFileSystem(found);
    if (!name) continue;
    const message = `${what}, ${path}, is on a network or shared file system (${name}), where SQLite's locks and shared memory do not hold and a database can be damaged without an error`;
    if (!settings.allowNetworkFileSystem)
      throw new UploaderError({
        code: "NETWORK_FILE_SYSTEM",
        message: `${message}.`,
        hint: "Put it on a disk of the machine that writes the rows and run the uploader there (in containers: on a volume, not in a folder of the host), or take the risk with --allow-network-filesystem.",
      });
    log.warn(message);
  }
}
