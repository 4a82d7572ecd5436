import { parseArgs } from "node:util";
import type { BenchCase } from "./case.ts";

export interface BenchArguments {
  readonly cases: readonly BenchCase[];
  readonly runs: number | null;
  readonly quick: boolean;
  /** Where the results go besides the terminal; null: nowhere. */
  readonly results: string | null;
}

/**
 * What the command line asks for, or the text to print instead.
 *
 * @param results where the results of a run of all cases at full size go
 * @throws where it asks for what there is not
 */
export function readArguments(
  args: readonly string[],
  cases: readonly BenchCase[],
  results: string,
): BenchArguments | string {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runs: { type: "string" },
      quick: { type: "boolean", default: false },
      results: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return usage(cases);
  const unknown = positionals.filter((name) => !cases.some((one) => one.name === name));
  if (unknown.length > 0) throw new Error(`There is no case ${unknown.join(", ")}.\n${usage(cases)}`);
  const runs = values.runs === undefined ? null : Number(values.runs);
  if (runs !== null && !(Number.isInteger(runs) && runs > 0))
    throw new Error(`--runs takes a whole number above 0, not ${values.runs}.`);
  const isWhole = positionals.length === 0 && !values.quick;
  return {
    cases: positionals.length === 0 ? cases : cases.filter(({ name }) => positionals.includes(name)),
    runs,
    quick: values.quick,
    results: values.results ?? (isWhole ? results : null),
  };
}

function usage(cases: readonly BenchCase[]): string {
  const width = Math.max(...cases.map(({ name }) => name.length));
  return [
    "Usage: npm run bench -- [CASE…] [--runs N] [--quick] [--results FILE]",
    "",
    ...cases.map(({ name, title }) => `  ${name.padEnd(width)}  ${title}`),
    "",
    "  --runs N        how often each program runs, in turn with the others",
    "  --quick         small tables and one run: shows that it works, and no more",
    "  --results FILE  write the results there; all cases at full size go to bench/RESULTS.md",
  ].join("\n");
}
