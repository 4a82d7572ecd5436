/**
 * Whether two documents say the same to AWS: the order of keys and list items does not count, and a list of one is
 * its item, as AWS gives policies back.
 */
export function sameDocument(left: unknown, right: unknown): boolean {
  return canonicalText(left) === canonicalText(right);
}

function canonicalText(value: unknown): string {
  if (Array.isArray(value)) {
    const items = value.map(canonicalText).sort();
    return items.length === 1 ? (items[0] as string) : `[${items.join()}]`;
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${entries
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonicalText(inner)}`)
    .sort()
    .join()}}`;
}
