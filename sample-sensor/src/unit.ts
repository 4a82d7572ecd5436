import type { Logger } from "./logger.ts";

/** The unit of systemd that this sensor may be: it is told that the sensor writes, is well, and stops. */
export interface Unit {
  ready(): void;
  /** Resolves when what was said last has been sent. */
  close(): Promise<void>;
}

/**
 * Nobody is told where NOTIFY_SOCKET is not set. With WatchdogSec= the unit hears from the sensor as long as its event
 * loop turns: readings that are held while the database is busy or the disk is full are no reason to end it.
 */
export async function openUnit(env: NodeJS.ProcessEnv, logger: Logger, signal: AbortSignal): Promise<Unit> {
  if (!env.NOTIFY_SOCKET) return { ready() {}, close: async () => {} };
  const { createNotifier } = await import("../../src/observe/notify-systemd.ts");
  const { send, close } = createNotifier({ env, isWell: () => true, log: logger });
  return {
    ready() {
      send("READY=1", "STATUS=Writes readings");
      signal.addEventListener("abort", () => send("STOPPING=1", "STATUS=Writes what is in hand"));
    },
    close,
  };
}
