import { setTimeout as delay } from "node:timers/promises";

const LOOK_EVERY_MS = 100;

/**
 * Waits until there is something, and gives back after how many seconds.
 *
 * @throws {Error} that says `what` is missing, after `patienceMs`
 */
export async function untilArrived(
  what: string,
  isThere: () => boolean | Promise<boolean>,
  patienceMs: number,
): Promise<number> {
  const began = Date.now();
  while (!(await isThere())) {
    if (Date.now() - began > patienceMs) throw new Error(`no ${what} within ${patienceMs / 1000} s`);
    await delay(LOOK_EVERY_MS);
  }
  return (Date.now() - began) / 1000;
}
