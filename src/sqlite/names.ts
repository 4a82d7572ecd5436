/** An identifier in double quotes, whatever it contains. https://sqlite.org/lang_keywords.html */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text literal. Values are bound wherever SQLite allows it; DDL and `json_object` keys need literals. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
