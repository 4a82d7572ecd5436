import { type Document, isAlias, isMap, isScalar, isSeq, type Node } from "yaml";

export interface PlainValues {
  /** Maps are objects without a prototype; null where the file is empty. */
  readonly root: unknown;
  /** The line, from 1, of a key or list item; of what is not there, that of the nearest part around it. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

/** How many values a file may stand for, each use of an alias counted anew. */
const MAX_VALUES = 20_000;

/** Aliases can lead deeper than the text does, and in circles. */
const MAX_DEPTH = 100;

type ReportAt = (path: readonly PropertyKey[], message: string, line: number) => void;

interface Walk {
  readonly lineAt: (offset: number) => number;
  readonly report: ReportAt;
  readonly lines: Map<string, number>;
  readonly anchors: Map<string, Node>;
  values: number;
}

/** A part of the document, and where it stands. */
interface Place {
  readonly path: readonly PropertyKey[];
  readonly line: number;
  /** Whether an alias led here; its lines are then those of the alias. */
  readonly aliased: boolean;
}

/**
 * A document without syntax errors as plain values. Integers that a double cannot hold, duplicate keys,
 * `__proto__` and unknown aliases are reported; the rest is there all the same, so that it can be checked too.
 *
 * @returns null where aliases explode, which is reported
 */
export function plainValues(
  document: Document.Parsed,
  lineAt: (offset: number) => number,
  report: ReportAt,
): PlainValues | null {
  const walk: Walk = { lineAt, report, lines: new Map(), anchors: new Map(), values: 0 };
  const root = plain(document.contents, { path: [], line: 1, aliased: false }, walk) ?? null;
  if (walk.values > MAX_VALUES) return null;
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length--) {
      const line = walk.lines.get(pathId(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  };
  return { root, lineOf };
}

function plain(node: Node | null, place: Place, walk: Walk): unknown {
  const { path, line } = place;
  walk.values += 1;
  if (walk.values > MAX_VALUES || path.length > MAX_DEPTH) {
    if (walk.values < Number.POSITIVE_INFINITY)
      walk.report(
        [],
        `stands for more than ${MAX_VALUES} values, or nests too deep, once its aliases are followed`,
        line,
      );
    walk.values = Number.POSITIVE_INFINITY;
    return undefined;
  }
  walk.lines.set(pathId(path), line);
  if (isAlias(node)) {
    const target = walk.anchors.get(node.source);
    if (target) return plain(target, { ...place, aliased: true }, walk);
    walk.report(
      path,
      "is an alias (*name) of an anchor that is not there; put quotes around a text that begins with *",
      line,
    );
    return undefined;
  }
  if (!place.aliased && node && "anchor" in node && node.anchor) walk.anchors.set(node.anchor, node);
  if (isMap(node)) return plainMap(node.items, place, walk);
  if (isSeq(node)) return plainList(node.items, place, walk);
  return isScalar(node) ? plainScalar(node.value, place, walk) : null;
}

function plainMap(
  pairs: readonly { readonly key: unknown; readonly value: unknown }[],
  place: Place,
  walk: Walk,
): Record<string, unknown> {
  const map: Record<string, unknown> = Object.create(null);
  for (const pair of pairs) {
    const key = pair.key as Node | null;
    const line = lineOfNode(key, place, walk);
    const name = isScalar(key) ? String(key.value ?? "") : "";
    const path = [...place.path, name];
    if (name === "__proto__") walk.report(path, "is not allowed as a key", line);
    else if (name === "") walk.report(place.path, "has a key without a name", line);
    else if (name in map)
      walk.report(path, `is there twice; the first is on line ${walk.lines.get(pathId(path))}`, line);
    else map[name] = plain(pair.value as Node | null, { path, line, aliased: place.aliased }, walk);
  }
  return map;
}

function plainList(items: readonly unknown[], place: Place, walk: Walk): unknown[] {
  return items.map((item, index) => {
    const node = item as Node | null;
    return plain(node, { ...place, path: [...place.path, index], line: lineOfNode(node, place, walk) }, walk);
  });
}

function plainScalar(value: unknown, { path, line }: Place, walk: Walk): unknown {
  if (typeof value !== "bigint") return value;
  if (!Number.isSafeInteger(Number(value)))
    walk.report(
      path,
      "is a whole number beyond 2^53, which cannot be kept exactly; put quotes around it if it is a text",
      line,
    );
  return Number(value);
}

function lineOfNode(node: Node | null, place: Place, walk: Walk): number {
  return place.aliased || !node?.range ? place.line : walk.lineAt(node.range[0]);
}

function pathId(path: readonly PropertyKey[]): string {
  return JSON.stringify(path);
}
