import { readFileSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type { Logger } from "./observe/logger.ts";
import { mountOf } from "./sqlite/file-system.ts";

/** Set by the container image, since nothing else tells one kind of root file system from another. */
const IN_CONTAINER = "UPLOADER_IN_CONTAINER";

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of /proc/self/mountinfo. */
  readonly readMounts: () => string;
}

const SYSTEM: Surroundings = {
  env: process.env,
  readMounts: () => readFileSync("/proc/self/mountinfo", "utf8"),
};

/**
 * Warns where the state would be lost with the container: the next one, without a state, may not ship what belongs to
 * this one, and stops.
 */
export function warnOfLostState(stateDir: string, log: Logger, surroundings: Surroundings = SYSTEM): void {
  if (surroundings.env[IN_CONTAINER] !== "true" || outlivesContainer(stateDir, surroundings)) return;
  log.warn(
    `the state folder ${stateDir} is on no volume and is lost with this container, after which the uploader stops until \`uploader state rebuild\`; mount one, as with -v uploader-state:${stateDir}`,
  );
}

/** Whether it lies on a mount other than the container's root and other than memory; nobody can say: yes. */
function outlivesContainer(stateDir: string, { readMounts }: Surroundings): boolean {
  try {
    const mount = mountOf(nearest(stateDir), readMounts());
    return mount === null || (mount.point !== "/" && mount.type !== "tmpfs");
  } catch {
    return true;
  }
}

/** The real path of a folder, or of the nearest one above it that is there. */
function nearest(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (path === dirname(path)) throw error;
    return nearest(dirname(path));
  }
}
