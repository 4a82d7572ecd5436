import { describe, expect, it } from "vitest";
import { inspectTable } from "../../src/source/inspect.ts";
import { createInvalidTextTest, readInvalidText } from "../../src/source/invalid-text.ts";
import { openMemory } from "../query/tables.ts";

/** In a UTF-16be database the bytes are given as UTF-16le, too, and turned. */
const CASES: readonly (readonly [
  what: string,
  encoding: "UTF-8" | "UTF-16",
  hex: string,
  isValid: boolean,
])[] = [
  ["plain text", "UTF-8", "6162", true],
  ["a character of four bytes", "UTF-8", "f09f9880", true],
  ["U+FFFD itself", "UTF-8", "efbfbd", true],
  ["a byte order mark", "UTF-8", "efbbbf61", true],
  ["NUL", "UTF-8", "610062", true],
  ["a byte that is never valid", "UTF-8", "61ff62", false],
  ["a character that is cut off", "UTF-8", "61c3", false],
  ["a surrogate", "UTF-8", "eda080", false],
  ["an overlong form", "UTF-8", "c080", false],
  ["a character beyond U+10FFFF", "UTF-8", "f4908080", false],
  ["plain text", "UTF-16", "61006200", true],
  ["a pair of surrogates", "UTF-16", "3dd800de", true],
  ["U+FFFD itself", "UTF-16", "fdff", true],
  ["a byte order mark", "UTF-16", "fffe6100", true],
  ["a surrogate at the end", "UTF-16", "61003dd8", false],
  ["a surrogate before another character", "UTF-16", "3dd86100", false],
  ["the second half of a pair before another character", "UTF-16", "00de6100", false],
  ["the halves of a pair the wrong way round", "UTF-16", "00de3dd8", false],
];

describe.each(["UTF-8", "UTF-16le", "UTF-16be"])("text in a database of %s", (encoding) => {
  const cases = CASES.filter(([, of]) => encoding.startsWith(of));

  it.each(cases)("that is %s (%s %s) is valid: %s", (_, __, hex, isValid) => {
    const stored = Buffer.from(hex, "hex");
    if (encoding === "UTF-16be") stored.swap16();
    const db = openMemory();
    db.pragma(`encoding = '${encoding}'`);
    db.exec("CREATE TABLE readings (id INTEGER PRIMARY KEY, x TEXT)");
    db.prepare("INSERT INTO readings VALUES (7, CAST(? AS TEXT))").run(stored);
    const schema = inspectTable(db, "readings", { timestampColumn: null });
    expect(readInvalidText(db, schema, 7n, "x")).toEqual(isValid ? null : stored);
    const text = db.prepare("SELECT x FROM readings").pluck().get() as string;
    if (!isValid) expect(createInvalidTextTest(db)(text)).toBe(true);
    else expect(text).toBe(new TextDecoder(encoding, { ignoreBOM: true }).decode(stored));
  });

  it("is not read again where it is plain", () => {
    const db = openMemory();
    db.pragma(`encoding = '${encoding}'`);
    expect(createInvalidTextTest(db)("Temperaturfühler \u20ac")).toBe(false);
  });
});
