import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { UploaderError } from "../../src/core/errors.ts";
import type { Variables } from "./credential-files.ts";

const MARKER = "# Written by scripts/setup-credentials.sh, which writes all of it anew.";

export interface EnvFile {
  readonly variables: Variables;
  /** Its permissions: 0o600. */
  readonly mode: number;
}

/**
 * Our `.env`, or null where there is none.
 *
 * @throws {UploaderError} USAGE where there is one that something else has written
 */
export function readEnvFile(path: string): EnvFile | null {
  if (!existsSync(path)) return null;
  const lines = readFileSync(path, "utf8").split("\n");
  if (lines[0] !== MARKER)
    throw new UploaderError({
      code: "USAGE",
      message: `${path} was not written by this script, and is left as it is.`,
      hint: "Move it away to have one written.",
    });
  const pairs = lines.slice(1).flatMap((line) => {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  return { variables: Object.fromEntries(pairs), mode: statSync(path).mode & 0o777 };
}

/** Writes it whole, for its owner alone from its first moment on: by another name, and then in the old one's place. */
export function writeEnvFile(path: string, variables: Variables): void {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const temporary = `${path}.tmp`;
  try {
    rmSync(temporary, { force: true });
    const file = openSync(temporary, "wx", 0o600);
    try {
      writeSync(file, [MARKER, ...lines, ""].join("\n"));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw unwritable(path, error);
  }
}

export function removeEnvFile(path: string): void {
  try {
    rmSync(path);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): UploaderError {
  return new UploaderError({
    code: "STATE_UNWRITABLE",
    message: `${path} could not be written: ${(error as NodeJS.ErrnoException).code ?? "unknown"}.`,
    hint: "Check the permissions of its folder, and the space on its disk.",
  });
}
