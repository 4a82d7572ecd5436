import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { S3Server } from "../test/support/s3-servers.ts";
import { readArguments } from "./arguments.ts";
import type { Bench, BenchCase, CaseOutcome } from "./case.ts";
import { CASES } from "./cases.ts";
import { describeMachine, limitCores, requireLinux } from "./machine.ts";
import { ROOT } from "./places.ts";
import { preparePython } from "./python-environment.ts";
import { type CaseResult, reportCase, resultsPage } from "./results-page.ts";
import { startServer } from "./versitygw.ts";

/** Where a run of all cases at full size writes its results. */
const RESULTS = join(import.meta.dirname, "RESULTS.md");

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
try {
  await main(process.argv.slice(2));
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
}

/** Measures the uploader and what a user would pick instead, side by side. */
async function main(args: readonly string[]): Promise<void> {
  const asked = readArguments(args, CASES, RESULTS);
  if (typeof asked === "string") return console.log(asked);
  requireLinux();
  limitCores();
  const python = preparePython(say);
  execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: "inherit" });

  const results: CaseResult[] = [];
  const servers: Promise<S3Server>[] = [];
  const server = () => {
    if (servers.length === 0) servers.push(startServer(say));
    return servers[0] as Promise<S3Server>;
  };
  try {
    for (const benchCase of asked.cases) {
      const result = { benchCase, outcome: await runCase(benchCase, { ...asked, python, server, say }) };
      results.push(result);
      console.log(`\n${reportCase(result)}\n`);
    }
  } finally {
    for (const started of servers) await started.then((running) => running.stop()).catch(() => {});
  }

  if (asked.results !== null) {
    const invocation = ["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" ");
    const page = resultsPage(results, describeMachine(python), { invocation, finishedAt: new Date() });
    writeFileSync(asked.results, page);
    say(`wrote ${relative(process.cwd(), asked.results)}`);
  }
  if (asked.quick) say("this was --quick: its figures mean nothing");
  for (const { benchCase, outcome } of results) {
    if (!(outcome instanceof Error)) continue;
    say(`FAILED ${benchCase.name}: ${outcome.message}`);
    process.exitCode = 1;
  }
}

/** A case that fails does not keep the others from running; the run as a whole fails with it. */
async function runCase(benchCase: BenchCase, bench: Bench): Promise<CaseOutcome | Error> {
  try {
    return await benchCase.run(bench);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
