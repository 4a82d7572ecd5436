import { readFileSync } from "node:fs";
import { formatCount, formatTable } from "../src/cli/text-table.ts";

/** Prints what the fault campaign has written down, one line for each scenario; fails where one was violated. */
interface Line {
  readonly scenario: string;
  readonly cases: number;
  readonly rows: number;
  readonly objects: number;
  readonly violations: number;
}

const text = readFileSync(process.argv[2] ?? "", "utf8");
const lines = text
  .split("\n")
  .filter((line) => line !== "")
  .map((line): Line => JSON.parse(line))
  .sort((a, b) => a.scenario.localeCompare(b.scenario));
const right = { align: "right" } as const;
const columns = [
  { heading: "scenario" },
  { heading: "cases run", ...right },
  { heading: "objects", ...right },
  { heading: "rows checked", ...right },
  { heading: "violations", ...right },
];
const rows = lines.map(({ scenario, ...figures }) => [
  scenario,
  ...[figures.cases, figures.objects, figures.rows, figures.violations].map(formatCount),
]);
process.stdout.write(`${formatTable(columns, rows)}\n`);
if (lines.some(({ violations }) => violations > 0)) process.exitCode = 1;
