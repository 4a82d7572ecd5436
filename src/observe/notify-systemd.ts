import { execFile } from "node:child_process";
import type { Logger } from "./logger.ts";

export interface NotifierOptions {
  /** NOTIFY_SOCKET is set in it by a unit with Type=notify or WatchdogSec=. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isWell: () => boolean;
  readonly log: Logger;
}

export interface Notifier {
  /** Each line is an assignment of sd_notify(3): `READY=1`. */
  send(...lines: readonly string[]): void;
  /** Ends the watchdog's timer, and resolves when what was said last has been sent. */
  close(): Promise<void>;
}

/** systemd answers within milliseconds; one that does not must not hold up the end of the program. */
const SEND_TIMEOUT_MS = 5_000;

/**
 * Tells systemd what it is given, and that this program is well as often as WatchdogSec= wants it
 * (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html).
 *
 * Node.js has no datagram sockets of the Unix kind, so `systemd-notify` sends them; a unit needs NotifyAccess=all
 * therefore. One message is sent after the other, and a watchdog's is left out while an earlier message is on its way,
 * so that they cannot pile up.
 */
export function createNotifier({ env, isWell, log }: NotifierOptions): Notifier {
  let sending: Promise<void> = Promise.resolve();
  let isSending = false;
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

  const periodMs = watchdogPeriodMs(env);
  const timer =
    periodMs === null
      ? undefined
      : setInterval(() => {
          if (!isSending && isWell()) send("WATCHDOG=1");
        }, periodMs).unref();

  return {
    send,
    close: async () => {
      clearInterval(timer);
      await sending;
    },
  };
}

/** Half of the time after which systemd takes the program for hung; null where this process is not watched. */
function watchdogPeriodMs({ WATCHDOG_USEC, WATCHDOG_PID }: NotifierOptions["env"]): number | null {
  const microseconds = Number(WATCHDOG_USEC);
  if (!(microseconds > 0)) return null;
  if (WATCHDOG_PID && Number(WATCHDOG_PID) !== process.pid) return null;
  return Math.max(1, microseconds / 2_000);
}

/** @returns why it failed, by which nothing of the rows is lost; null where it did not */
function notify(
  lines: readonly string[],
  { PATH, NOTIFY_SOCKET }: NotifierOptions["env"],
): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const env = { PATH, NOTIFY_SOCKET };
    execFile("systemd-notify", lines, { env, timeout: SEND_TIMEOUT_MS }, (error) =>
      resolve(error as NodeJS.ErrnoException | null),
    );
  });
}
