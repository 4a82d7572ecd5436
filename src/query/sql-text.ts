/** Terms that one level of an expression holds: SQLite parses `a OR b OR c …` one level deeper per term. */
const TERMS_PER_LEVEL = 32;

/** Moves every line after the first to the right, but for line breaks within quoted names and texts. */
export function indent(sql: string, spaces: number): string {
  return sql.replace(/"[^"]*"|'[^']*'|\n/g, (found) => (found === "\n" ? `\n${" ".repeat(spaces)}` : found));
}

/** The items of a list in SQL, one on each line. */
export function listLines(items: readonly string[], spaces = 2): string {
  return items.map((item) => `${" ".repeat(spaces)}${indent(item, spaces)}`).join(",\n");
}

/**
 * Terms joined by AND or OR, each in parentheses. Many are grouped, so that the expression stays far below
 * SQLite's depth of 1000: https://sqlite.org/limits.html#max_expr_depth
 */
export function joinTerms(terms: readonly string[], operator: "AND" | "OR"): string {
  if (terms.length === 0) return operator === "AND" ? "1" : "0";
  if (terms.length === 1) return terms[0] as string;
  if (terms.length > TERMS_PER_LEVEL)
    return joinTerms(
      chunk(terms, TERMS_PER_LEVEL).map((group) => joinTerms(group, operator)),
      operator,
    );
  return terms.map((term) => `(${indent(term, 2)})`).join(`\n${operator} `);
}

/** The items in groups of at most `size`. */
export function chunk<Item>(items: readonly Item[], size: number): Item[][] {
  const chunks: Item[][] = [];
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size));
  return chunks;
}
