// What better-sqlite3 leaves as SQLite has it: https://sqlite.org/limits.html

/** Columns of a result. */
export const MAX_COLUMNS = 2000;

/** Arguments of a function. */
export const MAX_ARGUMENTS = 1000;
