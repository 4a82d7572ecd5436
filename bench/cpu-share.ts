import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench, CaseOutcome } from "./case.ts";
import { DATA, makeFolder } from "./places.ts";
import { cpuSecondsOf, peakBytesOf } from "./process-cost.ts";
import { median } from "./statistics.ts";

/** What one watch of a running uploader found. */
export interface Share {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly peakBytes: number;
  /** Read back when it was over. */
  readonly rows: number;
}

/**
 * Watches a process for a while.
 *
 * @param settleSeconds what is let pass before, for the start and the first cycles
 */
export async function watchProcess(
  pid: number,
  { settleSeconds, watchSeconds }: { readonly settleSeconds: number; readonly watchSeconds: number },
): Promise<Omit<Share, "rows">> {
  await delay(settleSeconds * 1000);
  const cpuBefore = cpuSecondsOf(pid);
  const began = performance.now();
  await delay(watchSeconds * 1000);
  const wallSeconds = (performance.now() - began) / 1000;
  return { cpuSeconds: cpuSecondsOf(pid) - cpuBefore, wallSeconds, peakBytes: peakBytesOf(pid) };
}

export interface ShareOptions {
  readonly name: string;
  /** For people. */
  readonly what: string;
  /** The most of one core, in percent. */
  readonly limit: number;
  /** What is watched, as one would type it. */
  readonly command: string;
  /** One watch, in a folder of its own. */
  readonly watch: (folder: string, bench: Bench) => Promise<Share>;
}

/** The share of a core that a running uploader takes: the median of several watches, by default of one. */
export async function cpuShare(options: ShareOptions, bench: Bench): Promise<CaseOutcome> {
  const { name, what, limit, command, watch } = options;
  const folder = join(DATA, "runs", name);
  const percents: number[] = [];
  const cells: string[][] = [];
  for (let run = 1; run <= (bench.runs ?? 1); run++) {
    bench.say(`${name}, run ${run}`);
    rmSync(folder, { recursive: true, force: true });
    const { cpuSeconds, wallSeconds, peakBytes, rows } = await watch(makeFolder(folder), bench);
    const percent = (100 * cpuSeconds) / wallSeconds;
    percents.push(percent);
    cells.push([
      `uploader, ${what}`,
      wallSeconds.toFixed(1),
      cpuSeconds.toFixed(2),
      percent.toFixed(2),
      (peakBytes / 1e6).toFixed(0),
      rows.toLocaleString("en-US"),
    ]);
  }
  rmSync(folder, { recursive: true, force: true });
  const numbers = ["watched s", "CPU s", "% of a core", "peak MB", "rows read back"];
  return {
    columns: [{ heading: "program" }, ...numbers.map((heading) => ({ heading, align: "right" as const }))],
    cells,
    verdicts: [{ what, measured: median(percents), unit: "% of a core", bound: "at most", limit }],
    commands: [command],
  };
}
