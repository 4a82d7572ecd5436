import { type State, writeState } from "./state.ts";

/** Remembers that all there was has been delivered before the machine ends. */
export function markDrained(state: State, now: number): void {
  const at = new Date(now).toISOString();
  writeState(state, () => state.db.prepare("UPDATE identity SET drained_at = ?").run(at));
}

/**
 * When the run before this one was drained, which is forgotten, since this one extracts on.
 *
 * @returns a time in ISO 8601; null where it ended in another way
 */
export function takeDrained(state: State): string | null {
  const at = readDrained(state.db);
  if (at !== null) writeState(state, () => state.db.prepare("UPDATE identity SET drained_at = NULL").run());
  return at;
}

/** As `takeDrained`, and leaves it; a state that is only looked at may be of an earlier version. */
export function readDrained(db: State["db"]): string | null {
  const row = db.prepare("SELECT * FROM identity").get() as
    | { readonly drained_at?: string | null }
    | undefined;
  return row?.drained_at ?? null;
}
