import { existsSync, readdirSync } from "node:fs";
import { listWaiting, setAsideFolder, type WaitingObject } from "../outbox/set-aside.ts";
import { openStateForReading, stateFiles } from "../outbox/state.ts";
import { formatBytes, formatCount, formatTable } from "./text-table.ts";

/** What `uploader outbox list --json` prints. Rowids are strings, since JSON numbers need not hold 64 bits. */
export interface OutboxDocument {
  readonly stateDir: string;
  readonly waiting: readonly (Omit<WaitingObject, "id" | "firstRowid" | "lastRowid"> & {
    readonly firstRowid: string;
    readonly lastRowid: string;
  })[];
  /** Paths of the files that were set aside. */
  readonly setAside: readonly string[];
}

/** Reads the outbox; an uploader may be running. */
export function outboxDocument(stateDir: string): OutboxDocument {
  const files = stateFiles(stateDir);
  const folder = setAsideFolder(files);
  const setAside = existsSync(folder) ? readdirSync(folder).filter((name) => !name.endsWith(".json")) : [];
  const db = openStateForReading(files);
  try {
    const waiting = db ? listWaiting(db) : [];
    return {
      stateDir,
      waiting: waiting.map(({ id: _, ...object }) => ({
        ...object,
        firstRowid: String(object.firstRowid),
        lastRowid: String(object.lastRowid),
      })),
      setAside: setAside.sort().map((name) => `${folder}/${name}`),
    };
  } finally {
    db?.close();
  }
}

export function reportOutbox({ stateDir, waiting, setAside }: OutboxDocument): string {
  const lines = [waiting.length === 0 ? `Nothing waits in the outbox of ${stateDir}.` : tableOf(waiting)];
  if (setAside.length > 0)
    lines.push("", `Set aside: ${count(setAside.length, "file")} in ${stateDir}/set-aside`);
  return lines.join("\n");
}

/** What `uploader outbox set-aside` says before it asks. */
export function reportChosen(objects: readonly WaitingObject[]): string {
  const rows = objects.reduce((sum, object) => sum + object.rows, 0);
  return [
    tableOf(objects),
    "",
    `${count(objects.length, "object")} with ${count(rows, "row")} will leave the outbox and not be delivered any more. The files are kept in set-aside/, each with a note of its bucket, key and checksum. The sequence keeps a gap, by which the lake names what is missing.`,
  ].join("\n");
}

export function reportSetAside(paths: readonly string[]): string {
  return [
    ...paths.map((path) => `Set aside: ${path}`),
    "To deliver one after all, put it under the bucket and key in its note; or run `uploader state rebuild`, which reads its rows from the table again.",
  ].join("\n");
}

function count(number: number, what: string): string {
  return `${formatCount(number)} ${what}${number === 1 ? "" : "s"}`;
}

function tableOf(
  objects: readonly Pick<WaitingObject, "bucket" | "key" | "rows" | "bytes" | "extractedAt" | "error">[],
) {
  return formatTable(
    [
      { heading: "EXTRACTED" },
      { heading: "ROWS", align: "right" },
      { heading: "SIZE", align: "right" },
      { heading: "OBJECT" },
      { heading: "LAST ERROR" },
    ],
    objects.map(({ bucket, key, rows, bytes, extractedAt, error }) => [
      extractedAt,
      formatCount(rows),
      formatBytes(bytes),
      `${bucket}/${key}`,
      error ?? "not tried yet",
    ]),
  );
}
