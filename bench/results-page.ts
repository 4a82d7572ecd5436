import { type BenchCase, type CaseOutcome, type Column, isMet, type Verdict } from "./case.ts";
import { WHY_MISSED } from "./why-missed.ts";

/** How a case ended. */
export interface CaseResult {
  readonly benchCase: BenchCase;
  readonly outcome: CaseOutcome | Error;
}

/** The tables of one case, in Markdown that reads well on a terminal too. */
export function reportCase({ benchCase, outcome }: CaseResult): string {
  const title = `## ${benchCase.name}: ${benchCase.title}`;
  if (outcome instanceof Error) return `${title}\n\nFAILED: ${outcome.message}`;
  const { columns, cells, verdicts } = outcome;
  const parts = [title, markdownTable(columns, cells), verdictTable(verdicts)];
  const why = WHY_MISSED[benchCase.name];
  if (why !== undefined && !verdicts.every(isMet)) parts.push(`Why missed: ${why}`);
  return parts.join("\n\n");
}

/** The whole page. */
export function resultsPage(
  results: readonly CaseResult[],
  machine: readonly (readonly [name: string, value: string])[],
  { invocation, finishedAt }: { readonly invocation: string; readonly finishedAt: Date },
): string {
  const commands = results.flatMap(({ outcome }) => (outcome instanceof Error ? [] : outcome.commands));
  const facts: (readonly [string, string])[] = [["finished", finishedAt.toISOString()], ...machine];
  return [
    "# Results of the benchmark",
    `Written by \`${invocation}\`; do not edit. Absolute times are those of one machine: compare ratios.`,
    facts.map(([name, value]) => `- ${name}: ${value}`).join("\n"),
    [
      "Every program runs as a process of its own, in turn with the others, from its start to its end; figures are medians.",
      "All write snappy Parquet with the source's columns, of the same types, to which ours adds five of its own, which is read back and compared with the source by count and checksum.",
      "Ours also syncs every file to disk, keeps a state that survives power loss, and hashes what it ships; the peers do not.",
      "Peak memory is the largest resident set, MB are 10⁶ bytes, and file caches are warm.",
    ].join("\n"),
    ...results.map(reportCase),
    ...(commands.length > 0 ? ["## Commands", ["```", ...new Set(commands), "```"].join("\n")] : []),
    "",
  ].join("\n\n");
}

function verdictTable(verdicts: readonly Verdict[]): string {
  return markdownTable(
    [
      { heading: "target" },
      { heading: "measured", align: "right" },
      { heading: "wanted", align: "right" },
      { heading: "" },
    ],
    verdicts.map((verdict) => [
      verdict.what,
      amount(verdict.measured, verdict),
      `${verdict.bound} ${amount(verdict.limit, verdict)}`,
      isMet(verdict) ? "met" : "MISSED",
    ]),
  );
}

function amount(value: number, { unit }: Verdict): string {
  const digits = unit === "MB" || unit === "ms" ? 0 : 2;
  return unit === "×" ? `${value.toFixed(digits)}×` : `${value.toFixed(digits)} ${unit}`;
}

/** Cells below their headings, padded to the width of their column. */
export function markdownTable(columns: readonly Column[], cells: readonly (readonly string[])[]): string {
  const rows = [columns.map(({ heading }) => heading), ...cells];
  const widths = columns.map((_, index) => Math.max(3, ...rows.map((row) => row[index]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${columns
      .map(({ align }, index) => {
        const [cell, width] = [row[index] ?? "", widths[index] ?? 0];
        return align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(" | ")} |`;
  const rule = columns.map(({ align }, index) => {
    const dashes = "-".repeat(widths[index] ?? 0);
    return align === "right" ? `${dashes.slice(1)}:` : dashes;
  });
  return [line(rows[0] ?? []), line(rule), ...cells.map(line)].join("\n");
}
