import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** What the writer has met so far. */
export interface WriterReport {
  readonly rows: number;
  /** How often it met SQLITE_BUSY. */
  readonly busy: number;
  readonly longestWaitMs: number;
  readonly largestWalBytes: number;
}

export interface Writer {
  report(): WriterReport;
  /** Ends it after the transaction in hand. */
  stop(): Promise<WriterReport>;
}

/** Starts test/support/writer.ts on a database of its own or one that is there. */
export function startWriter(database: string, rowsPerSecond: number): Writer {
  const program = join(import.meta.dirname, "writer.ts");
  const args = ["--import", import.meta.resolve("tsx"), program, database, String(rowsPerSecond)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const closed = once(child, "close");
  let rest = "";
  let latest: WriterReport = { rows: 0, busy: 0, longestWaitMs: 0, largestWalBytes: 0 };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    const line = lines.at(-1);
    if (line) latest = JSON.parse(line);
  });
  return {
    report: () => latest,
    async stop() {
      child.kill("SIGTERM");
      const [code] = await closed;
      if (code !== 0) throw new Error(`the writer ended with ${code}`);
      return latest;
    },
  };
}
