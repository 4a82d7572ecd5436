import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { until } from "./until.ts";

export interface NotifySocket {
  readonly path: string;
  /** The lines that came, in their order, without those of systemd-notify's own. */
  lines(): readonly string[];
}

/** Why no unit's socket can be played here; null: it can. */
export function missingForSystemd(): string | null {
  for (const [program, args] of [
    ["systemd-notify", ["--version"]],
    ["python3", ["--version"]],
  ] as const)
    try {
      execFileSync(program, args, { stdio: "ignore" });
    } catch {
      return `${program} is not installed`;
    }
  return null;
}

/** Listens on NOTIFY_SOCKET as systemd does, until the test ends. */
export async function listenAsSystemd(folder: string): Promise<NotifySocket> {
  const path = join(folder, "notify");
  const child = spawn("python3", [join(import.meta.dirname, "notify-socket.py"), path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const messages: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => messages.push(JSON.parse(line)));
  await until("it listens", () => messages[0] === "listening");
  const lines = () => messages.slice(1).flatMap((message) => message.trimEnd().split("\n"));
  return { path, lines: () => lines().filter((line) => line !== "BARRIER=1") };
}
