/** What the time of the uploader goes to. */
export const STAGES = [
  "start",
  "read",
  "columns",
  "encode",
  "sha-256",
  "state",
  "put",
  "collect garbage",
  "other",
  "idle",
] as const;

export type Stage = (typeof STAGES)[number];

/** A function on the stack, as V8 names it. */
export interface Frame {
  readonly functionName: string;
  readonly url: string;
}

/** The first rule that a frame meets decides; a stack is looked at from its innermost frame. */
const RULES: readonly (readonly [Stage, (frame: Frame) => boolean])[] = [
  ["idle", named("(idle)")],
  ["collect garbage", named("(garbage collector)")],
  ["sha-256", within("node:internal/crypto/hash")],
  [
    "encode",
    within(
      "wasm://",
      "/parquet-wasm/",
      "/apache-arrow/",
      "/src/encode/object-writer",
      "/src/encode/native-encoder",
      "/src/encode/wasm-encoder",
      "/src/encode/ipc",
    ),
  ],
  ["columns", within("/src/encode/")],
  ["state", within("/src/outbox/", "/src/pipeline/", "/src/ownership", "/src/control.")],
  ["read", within("/src/read", "/src/source/", "/src/query/", "/src/sqlite/", "/src/revisions")],
  ["put", within("/src/sink/", "/src/deliver", "/@aws-sdk/", "/@smithy/", "node:http", "node:_http")],
  [
    "start",
    within(
      "node:internal/modules/",
      "node:internal/bootstrap/",
      "node:internal/main/",
      "/src/config/",
      "/src/cli/",
    ),
  ],
];

/** A call into SQLite belongs to reading, unless it is the state's or what comes of it are columns' own. */
const IN_SQLITE = "inSqlite";

/** Where the time of a stack goes. @param stack from the innermost frame to the outermost */
export function stageOf(stack: readonly Frame[]): Stage {
  const isInSqlite = stack[0]?.functionName === IN_SQLITE;
  for (const frame of stack)
    for (const [stage, meets] of RULES)
      if (meets(frame)) return isInSqlite && stage === "columns" ? "read" : stage;
  return "other";
}

function named(name: string): (frame: Frame) => boolean {
  return ({ functionName }) => functionName === name;
}

function within(...parts: readonly string[]): (frame: Frame) => boolean {
  return ({ url }) => parts.some((part) => url.includes(part));
}
