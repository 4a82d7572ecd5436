import { closeSync, openSync, readSync } from "node:fs";
import { Composer, type CST, type Document, type ErrorCode, LineCounter, Parser } from "yaml";
import { formatKey, type Problem } from "./problems.ts";
import { type PlainValues, plainValues } from "./yaml-values.ts";

/** The whole of a file; throws as `node:fs` does. */
export type ReadFile = (path: string) => Uint8Array;

/** A YAML or JSON file as plain values that remember their lines. */
export interface YamlFile extends PlainValues {
  readonly path: string;
}

/** What `loadYamlFile` calls the file in its problems, and what the keys in it begin with. */
export interface YamlSubject {
  readonly key: string;
  readonly prefix: readonly string[];
}

const MAX_BYTES = 256 * 1024;

/** Deeper nesting overflows the composer's stack; it aborts the process rather than throw. */
const MAX_DEPTH = 64;

/**
 * Reads a YAML or JSON file. Anything that a configuration has no use for goes to `problems`: several
 * documents, tags, duplicate keys, aliases that blow up, more than 256 KiB.
 *
 * @returns null where it cannot be read or parsed; one with other problems is there to be checked further
 */
export function loadYamlFile(
  path: string,
  read: ReadFile,
  subject: YamlSubject,
  problems: Problem[],
): YamlFile | null {
  const add = (message: string, line?: number, inner: readonly PropertyKey[] = []): void => {
    const key = inner.length === 0 ? subject.key : formatKey([...subject.prefix, ...inner]);
    problems.push({ key, message, origin: line === undefined ? path : `${path}:${line}` });
  };
  const text = readText(path, read, add);
  if (text === null) return null;

  const lines = new LineCounter();
  const lineAt = (offset: number): number => lines.linePos(offset).line || 1;
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  if (nestingDepth(tokens) > MAX_DEPTH) {
    add(`is nested deeper than ${MAX_DEPTH} levels`, 1);
    return null;
  }
  const document = composeDocument(tokens, text.length, (message, offset) => add(message, lineAt(offset)));
  if (!document) return null;
  const values = plainValues(document, lineAt, (inner, message, line) => add(message, line, inner));
  return values && { ...values, path };
}

/** Reads a file whole, but never more of it than a little past the limit: it may be a device or a pipe. */
export function readBounded(path: string): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null);
      length += count;
      if (count === 0 || length === buffer.length) return buffer.subarray(0, length);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Whether reading failed because nothing is there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function readText(path: string, read: ReadFile, add: (message: string) => void): string | null {
  try {
    const bytes = read(path);
    if (bytes.length > MAX_BYTES) {
      add(`is larger than ${MAX_BYTES / 1024} KiB, too much for a configuration`);
      return null;
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    add(readFault(error));
    return null;
  }
}

function readFault(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR") return "there is no such file";
  if (code === "EISDIR") return "is a folder, not a file";
  if (code === "EACCES" || code === "EPERM") return "may not be read by this user";
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return "is not text in UTF-8";
  if (code !== "") return `cannot be read (${code})`;
  throw error;
}

/** Nodes within nodes, counted without recursion. */
function nestingDepth(tokens: readonly CST.Token[]): number {
  const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  let deepest = 0;
  for (let entry = open.pop(); entry; entry = open.pop()) {
    const { token, depth } = entry;
    deepest = Math.max(deepest, depth);
    if (token.type === "document" && token.value) open.push({ token: token.value, depth });
    if (!("items" in token)) continue;
    for (const item of token.items) {
      if (item.key) open.push({ token: item.key, depth: depth + 1 });
      if (item.value) open.push({ token: item.value, depth: depth + 1 });
    }
  }
  return deepest;
}

function composeDocument(
  tokens: readonly CST.Token[],
  length: number,
  add: (message: string, offset: number) => void,
): Document.Parsed | null {
  const composer = new Composer({
    schema: "core",
    merge: false,
    resolveKnownTags: false,
    stringKeys: true,
    intAsBigInt: true,
    // Looked for in yaml-values.ts, where it does not take quadratic time.
    uniqueKeys: false,
    logLevel: "silent",
  });
  const documents = [...composer.compose(tokens, true, length)];
  const first = documents[0] as Document.Parsed;
  const faults = documents.flatMap((document) => [...document.errors, ...document.warnings]);
  for (const fault of faults) add(`is not valid: ${FAULTS[fault.code] ?? OTHER_FAULT}`, fault.pos[0]);
  const second = documents[1];
  if (second) add("holds more than one YAML document; keep one", second.range[0]);
  return faults.length > 0 || second ? null : first;
}

const OTHER_FAULT = "this is not YAML; look at the indentation, the colons and the quotes here";

/** In our words, since some of the parser's repeat the text of the file, which may be a secret. */
const FAULTS: Partial<Record<ErrorCode, string>> = {
  ALIAS_PROPS: "an alias (*name) cannot have an anchor or a tag",
  BAD_ALIAS: "an alias or anchor has no proper name",
  BAD_DIRECTIVE: "a line that begins with % is a YAML directive, and not one that is known",
  BAD_DQ_ESCAPE:
    "unknown escape in a text in double quotes; a backslash is written \\\\ there, or use single quotes",
  BAD_INDENT: "the indentation does not fit the lines above, or a bracket there is still open",
  BAD_SCALAR_START: "a value that begins with this character needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "a second `key:` on this line; indent it below, or put the value in quotes",
  MISSING_CHAR: "a quote, bracket, comma, colon or blank is missing",
  MULTILINE_IMPLICIT_KEY: "a key must stand on one line; is a colon missing?",
  NON_STRING_KEY: "a key must be plain text",
  TAB_AS_INDENT: "a tab is used for indentation; use blanks",
  TAG_RESOLVE_FAILED: "tags (!name) are not allowed; put quotes around a text that begins with !",
  UNEXPECTED_TOKEN: "something stands here that does not belong; is a quote, comma or line break missing?",
};
