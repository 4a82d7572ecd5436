/**
 * Why a case misses targets, by its name: printed under its table as long as one is missed. Each says what the design
 * or the table shows; a guess has no place here.
 */
export const WHY_MISSED: Readonly<Record<string, string>> = {
  "backlog-1m":
    "The start of the program and its threads is a good part of so short a run (see `growth`). Beside the peers' work ours syncs and hashes what it writes, keeps a state, and has five columns more.",
  "backlog-4-columns":
    "The start of the program and its threads is a good part of so short a run (see `growth`). Beside the peers' work ours syncs and hashes what it writes and keeps a state; of the nine columns that are written here five are our own, of which `_rowid`, plain as `id` is, takes 4 bytes a row.",
  "backlog-120-columns":
    "Reading takes 37 % of the CPU time and encoding 34 % (`perf`, once), on a thread each; ours also syncs and hashes what it writes, and keeps a state. A row group of all columns is held until it is whole, while up to two reads wait for it.",
  "s3-1m":
    "Beside the peers' work ours syncs and hashes what it writes, and keeps a state; an object is put when it is whole, synced and listed in the state, not while it is encoded: what is put twice has to have the same bytes.",
  growth:
    "The start of the threads is spread over few rows in the smallest table, though the start of the program is left out. A million rows are one object, which is delivered when all is encoded; of ten million rows one object is delivered while the next is encoded, and the two arenas of malloc that the blobs of reads lie in grow to 26 MB each (`/proc/PID/smaps`, once).",
  "aggregated-1m":
    "SQLite hands out the rows one by one, on one thread, which takes two thirds of the half second that the reads take (`perf`, once); DuckDB reads and groups on both cores. The rest is the start of the program and its threads, and what ours does beside the peer's work: it syncs and hashes what it writes, and keeps a state.",
  "nothing-to-do":
    "Most of it is loading the program. The rest opens the source and the state, and raises the epoch of the ownership marker, which is synced.",
};
