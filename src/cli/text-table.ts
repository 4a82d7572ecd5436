/** Rows of cells below their headings, each column as wide as its widest cell; numbers go to the right. */
export function formatTable(
  columns: readonly { readonly heading: string; readonly align?: "right" }[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [columns.map((column) => column.heading), ...rows].map((line) => line.map(oneLine));
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => width(line[index] ?? ""))));
  return lines
    .map((line) =>
      line
        .map((cell, index) => {
          const blanks = " ".repeat((widths[index] ?? 0) - width(cell));
          return columns[index]?.align === "right" ? blanks + cell : cell + blanks;
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `Name:  value` lines, the values below each other. */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const longest = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${`${name}:`.padEnd(longest + 2)} ${oneLine(value)}`).join("\n");
}

/** What somebody wrote into a table must neither break the lines nor steer the terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, " ").trim();
}

/** 1,234,567 */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** "512 B", "1.5 kB", "20.3 MB": decimal units, as S3 bills and disks are sold. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let amount = bytes;
  let unit = 0;
  while (amount >= 999.95 && unit < units.length - 1) {
    amount /= 1_000;
    unit += 1;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`;
}

function width(text: string): number {
  return [...text].length;
}
