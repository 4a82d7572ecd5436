import { rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { UploaderError } from "../core/errors.ts";
import { type State, writeState } from "./state.ts";

/**
 * A commit that fails has not happened, or may yet come true: where its sync failed, all of it may be in the log of
 * state.db, and whoever opens state.db after a kill or a loss of power finds it there. The files that it lists are in
 * doubt then, and are kept, until a later commit of the same connection has taken its place in the log:
 *
 *   complete ── commit ───────────────────────────────► listed
 *   complete ── it surely failed ─────────────────────► removed
 *   complete ── it may come true ─────────► in doubt ── a later commit ──► removed
 *
 * Nothing is extracted in between, so that the outbox does not grow with every try.
 */

/** Whether what failed is a commit of state.db that may yet come true. */
export function mayComeTrue(error: unknown): boolean {
  if (!(error instanceof UploaderError) || !(error.cause instanceof Database.SqliteError)) return false;
  return error.code.startsWith("STATE_") && !/^SQLITE_(BUSY|FULL|READONLY|CONSTRAINT)/.test(error.cause.code);
}

/** @throws {UploaderError} STATE_UNWRITABLE or STATE_DAMAGED where there is doubt, and no commit succeeds */
export function settleDoubt(state: State): void {
  if (state.filesInDoubt.size === 0) return;
  writeState(state, () => commitNoChange(state));
  const isListed = state.db.prepare("SELECT 1 FROM objects WHERE file = ?");
  for (const file of state.filesInDoubt) {
    if (!isListed.get(file)) rmSync(join(state.files.outbox, file), { force: true });
    state.filesInDoubt.delete(file);
  }
}

/** Pages that have changed and changed back are written to the log all the same. */
function commitNoChange({ db }: State): void {
  db.transaction(() => {
    for (const by of [1, -1]) db.prepare("UPDATE sources SET epoch = epoch + ?").run(by);
  })();
}
