import { execFile } from "node:child_process";
import type { Logger } from "./logger.ts";
import { type Monitor, noMonitor, type Shipping } from "./monitor.ts";

export interface SystemdOptions {
  /** NOTIFY_SOCKET is set in it by a unit with Type=notify or WatchdogSec=. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isWell: () => boolean;
  readonly log: Logger;
}

export interface Systemd extends Monitor {
  /** Ends the watchdog's timer, and resolves when what was said last has been sent. */
  close(): Promise<void>;
}

/** systemd answers within milliseconds; one that does not must not hold up the end of the program. */
const SEND_TIMEOUT_MS = 5_000;

/**
 * Tells systemd that the uploader is ready, its pipeline type, that it is well (for WatchdogSec=), and that it stops
 * (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html).
 *
 * Node.js has no datagram sockets of the Unix kind, so `systemd-notify` sends them; a unit needs NotifyAccess=all
 * therefore. One message is sent after the other, and a watchdog's is left out while an earlier message is on its way,
 * so that they cannot pile up.
 */
export function createSystemd({ env, isWell, log }: SystemdOptions): Systemd {
  let sending: Promise<void> = Promise.resolve();
  let isSending = false;
  let shipping: Shipping | null = null;
  let told = "";
  let isMissing = false;

  function send(...lines: readonly string[]): void {
    sending = sending.then(async () => {
      if (isMissing) return;
      isSending = true;
      const failure = await notify(lines, env);
      isSending = false;
      isMissing = failure?.code === "ENOENT";
      if (failure) log.warn({ err: failure.message }, `systemd was not told ${lines.join(", ")}`);
    });
  }

  function tellStatus(): void {
    if (shipping === null) return;
    const status = `STATUS=Ships ${shipping.pipelineType()}`;
    if (status !== told) send(status);
    told = status;
  }

  const periodMs = watchdogPeriodMs(env);
  const timer =
    periodMs === null
      ? undefined
      : setInterval(() => {
          if (!isSending && isWell()) send("WATCHDOG=1");
        }, periodMs).unref();

  return {
    ...noMonitor,
    started(started) {
      shipping = started;
      send("READY=1");
      tellStatus();
    },
    cycleFinished: tellStatus,
    stopping: () => send("STOPPING=1", "STATUS=Finishes what is in hand"),
    ended() {
      shipping = null;
    },
    close: async () => {
      clearInterval(timer);
      await sending;
    },
  };
}

/** Half of the time after which systemd takes the program for hung; null where this process is not watched. */
function watchdogPeriodMs({ WATCHDOG_USEC, WATCHDOG_PID }: SystemdOptions["env"]): number | null {
  const microseconds = Number(WATCHDOG_USEC);
  if (!(microseconds > 0)) return null;
  if (WATCHDOG_PID && Number(WATCHDOG_PID) !== process.pid) return null;
  return Math.max(1, microseconds / 2_000);
}

/** @returns why it failed, by which nothing of the rows is lost; null where it did not */
function notify(
  lines: readonly string[],
  { PATH, NOTIFY_SOCKET }: SystemdOptions["env"],
): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const env = { PATH, NOTIFY_SOCKET };
    execFile("systemd-notify", lines, { env, timeout: SEND_TIMEOUT_MS }, (error) =>
      resolve(error as NodeJS.ErrnoException | null),
    );
  });
}
