import { expect, test } from "vitest";
import type { CaseOutcome, Verdict } from "../../bench/case.ts";
import { CASES } from "../../bench/cases.ts";
import { reportCase } from "../../bench/results-page.ts";
import { WHY_MISSED } from "../../bench/why-missed.ts";

const verdict = (measured: number): Verdict => ({
  ...{ what: "as fast as DuckDB", unit: "×", bound: "at least", limit: 1 },
  measured,
});

function report(name: string, ...verdicts: Verdict[]): string {
  const outcome: CaseOutcome = {
    columns: [{ heading: "program" }],
    cells: [["uploader"]],
    verdicts,
    commands: [],
  };
  const run = () => Promise.resolve(outcome);
  return reportCase({ benchCase: { name, title: "A backlog", run }, outcome });
}

test("why a case misses a target stands under its table, as long as it misses one", () => {
  const why = WHY_MISSED["backlog-1m"] as string;
  expect(report("backlog-1m", verdict(1.2), verdict(0.8))).toMatch(/MISSED[\s\S]*\n\nWhy missed: The start/);
  expect(report("backlog-1m", verdict(1.2), verdict(0.8))).toContain(why);
  expect(report("backlog-1m", verdict(1.2), verdict(1))).not.toContain("Why missed");
  expect(report("no-such-case", verdict(0.8))).not.toContain("Why missed");
});

test("every reason is one of a case", () => {
  const names = CASES.map(({ name }) => name);
  for (const name of Object.keys(WHY_MISSED)) expect(names).toContain(name);
});
