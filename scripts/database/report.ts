import { formatBytes, formatCount, formatFields, formatTable, oneLine } from "../../src/cli/text-table.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type Examination, isSound } from "./examine.ts";
import type { Holders } from "./file-holders.ts";
import type { Method, Repair } from "./repair.ts";
import type { SalvagedTable } from "./salvage.ts";

export function reportExamination(examination: Examination): string {
  const { path, bytes, walBytes, pages, holders, faults } = examination;
  const fields: [string, string][] = [
    ["Database", path],
    ["Size", formatBytes(bytes)],
    ["Write-ahead log", walBytes > 0 ? formatBytes(walBytes) : "empty or none"],
  ];
  if (pages) {
    const free = `${formatCount(pages.free)} of them free`;
    fields.push(["Journal mode", pages.journalMode]);
    fields.push(["Pages", `${formatCount(pages.count)} of ${formatBytes(pages.pageBytes)}, ${free}`]);
  }
  if (examination.hasJournal)
    fields.push(["Rollback journal", "there is one: a writer is at work, or was interrupted"]);
  if (examination.networkFileSystem !== null)
    fields.push(["File system", `${examination.networkFileSystem}: SQLite's locks do not hold there`]);
  fields.push(["Write lock", writeLock(examination)], ["Integrity", isSound(examination) ? "ok" : "DAMAGED"]);
  return paragraphs([formatFields(fields), holdersText(holders), faultsText(faults)]);
}

function writeLock({ hasWriter, holders }: Examination): string {
  if (hasWriter === null) return holders === null ? "not known" : "free";
  return hasWriter ? "held by another process" : "free at this moment";
}

export function reportCheckpoint({ path, walBytesBefore, walBytesAfter, busy, holders }: Checkpoint): string {
  if (!busy) return `The write-ahead log of ${path} is empty; it had ${formatBytes(walBytesBefore)}.`;
  return paragraphs([
    `The write-ahead log of ${path} could not be emptied: another connection reads or writes. It has ${formatBytes(walBytesAfter)}.`,
    holdersText(holders),
    "Try again when that is done, or stop it.",
  ]);
}

const METHODS: Readonly<Record<Method, string>> = {
  backup: "SQLite's backup, since nothing was damaged",
  recover: "the sqlite3 shell's .recover",
  salvage:
    "reading table by table, since there is no sqlite3 shell whose .recover works on it (sqlite.org/download.html has one, which may find more; UPLOADER_SQLITE_SHELL names it)",
};

export function reportRepair({ path, keptAs, method, faults, rows, salvaged }: Repair): string {
  const counts = [...rows].map(([table, count]) => [table, formatCount(count)]);
  return paragraphs([
    `${path} is a new file now, made by ${METHODS[method]}.`,
    formatTable([{ heading: "Table" }, { heading: "Rows recovered", align: "right" }], counts),
    faultsText(faults),
    ...salvaged.flatMap(lossText),
    rows.has("lost_and_found")
      ? "lost_and_found has rows of which nothing said to which table they belong: columns c0, c1, … are theirs."
      : "",
    `The old file is kept, with its log if it had one: ${keptAs}`,
    "To the uploader the new file is another one. At its next start it compares the row at its cursor, and says if it begins a new generation (docs/GUARANTEES.md). Rows that were lost before they were shipped are gone.",
  ]);
}

function lossText({ table, gaps, leftOut }: SalvagedTable): string[] {
  if (leftOut !== null) return [oneLine(`${table} was left out: ${leftOut}.`)];
  return gaps.map(({ first, last }) => {
    const [from, to] = [first ?? "the first one", last ?? "the last one"];
    return oneLine(`${table}: nothing could be read from rowid ${from} to ${to}.`);
  });
}

function faultsText(faults: readonly string[]): string {
  if (faults.length === 0) return "";
  return ["What SQLite says is wrong:", ...faults.map((fault) => `  ${oneLine(fault)}`)].join("\n");
}

function holdersText(holders: Holders | null): string {
  if (holders === null) return "Which processes have it open cannot be seen here: that needs Linux's /proc.";
  const hidden =
    holders.hidden > 0
      ? `${holders.hidden} processes of other users could not be looked at; root could.`
      : "";
  if (holders.found.length === 0)
    return `No process that can be seen from here has it open. ${hidden}`.trimEnd();
  const rows = holders.found.map(({ pid, command, files }) => [String(pid), files.join(", "), command]);
  const columns = [
    { heading: "PID", align: "right" },
    { heading: "Has open" },
    { heading: "Command" },
  ] as const;
  return paragraphs([formatTable(columns, rows), hidden]);
}

function paragraphs(parts: readonly string[]): string {
  return parts.filter(Boolean).join("\n\n");
}
