import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { appendReadings } from "../support/readings.ts";
import { suiteWith } from "../support/suite-with.ts";
import { type Call, lostAt, traceUploader, whyNoTrace } from "../support/system-calls.ts";
import { NODE, openSite, type Site, tallyScenario } from "./campaign.ts";

const tally = tallyScenario("1 power loss: what the program syncs");

function trace({ folder, database, env }: Site, ...args: readonly string[]) {
  const flags = ["--sqlite", database, "--node-id", NODE, "--table", "readings"];
  return traceUploader([...args, ...flags], { cwd: folder, env });
}

const callsOn = (calls: readonly Call[], name: RegExp, path: RegExp) =>
  calls.filter((call) => name.test(call.name) && path.test(call.paths.at(-1) ?? ""));

/** When the state began to be told what the call follows from: its last commit before that. */
function commitBefore(calls: readonly Call[], { start }: Call): number {
  const commits = callsOn(calls, /sync/, /\/state\.db-wal$/).filter(({ end }) => end < start);
  return commits.at(-1)?.start ?? -1;
}

/** As if none of these had been asked for. */
const without = (calls: readonly Call[], path: RegExp) =>
  calls.filter((call) => !(/sync/.test(call.name) && path.test(call.paths[0] ?? "")));

suiteWith(whyNoTrace(), "what the program syncs, as the operating system is asked for it", () => {
  test("an object is durable in a new lake, with every folder above it, before the state counts it as delivered", async () => {
    const site = await openSite();
    const { folder, stateDir } = site;
    appendReadings(site.db, 20);
    const { code, calls } = await trace(site, "--once", "--max-batch-size", "10");
    expect(code).toBe(0);
    const stored = callsOn(calls, /^link/, /\.parquet$/);
    const struck = callsOn(calls, /^unlink/, /\/outbox\/.*\.parquet$/);
    expect([stored.length, struck.length]).toEqual([2, 2]);

    const marker = callsOn(calls, /^rename/, /_owner\/.*\.json$/)[0]?.paths[1] as string;
    const database = join(stateDir, "state.db");
    const lostIn = (seen: readonly Call[]) =>
      stored.flatMap(({ paths: [, object = ""], start }, index) => {
        const unlink = struck[index] as Call;
        const [sent] = callsOn(calls, /^openat/, /\.uploading\/.*-[0-9a-f]{12}$/).filter(
          ({ end }) => end > (struck[index - 1]?.end ?? -1),
        );
        return [
          ...lostAt(seen, unlink.paths[0] as string, sent?.start),
          ...lostAt(seen, database, sent?.start).filter((lost) => lost.startsWith("name")),
          ...lostAt(seen, marker, start),
          ...lostAt(seen, object, commitBefore(calls, unlink)),
        ];
      });
    expect(lostIn(calls)).toEqual([]);

    // It would be found.
    const objects = stored.map(({ paths: [, to = ""] }) => to);
    for (const [path, lost] of [
      [/\.uploading\/.*-[0-9a-f]{12}$/, `contents of ${objects[0]}`],
      [/ingest_date=[^/]*$/, `name of ${objects[0]}`],
      [/\/raw\/readings$/, /name of .*\/ingest_date=[^/]*$/],
      [/\/lake$/, /name of .*\/lake\/[^/]+$/],
      [new RegExp(`^${folder}$`), `name of ${join(folder, "lake")}`],
      [/\/outbox\/[^/]+\.parquet$/, /contents of .*\/outbox\//],
      [/\/outbox$/, /name of .*\/outbox\/[^/]+\.parquet$/],
      [/\/state$/, `name of ${join(stateDir, "outbox")}`],
      [/-marker$/, `contents of ${marker}`],
    ] as const)
      expect([path, lostIn(without(calls, path))]).toEqual([
        path,
        expect.arrayContaining([typeof lost === "string" ? lost : expect.stringMatching(lost)]),
      ]);
    tally.add(await site.check());
  });

  test("what is set aside is durable, with its note, before the state forgets it", async () => {
    const site = await openSite();
    const { folder, stateDir } = site;
    // A file in its place.
    writeFileSync(join(folder, "lake"), "");
    appendReadings(site.db, 10);
    expect(await site.start(["--once"]).finished).toMatchObject({ code: 1 });
    const { code, calls } = await trace(site, "outbox", "set-aside", "--yes");
    expect(code).toBe(0);
    const [forgotten] = callsOn(calls, /^unlink/, /\/outbox\/.*\.parquet$/);
    const aside = readdirSync(join(stateDir, "set-aside")).map((name) => join(stateDir, "set-aside", name));
    expect(aside).toHaveLength(2);
    const lostIn = (seen: readonly Call[]) =>
      aside.flatMap((path) => lostAt(seen, path, commitBefore(calls, forgotten as Call)));
    expect(lostIn(calls)).toEqual([]);
    expect(lostIn(without(calls, /\.json$/))).toEqual([expect.stringMatching(/^contents of .*\.json$/)]);
    expect(lostIn(without(calls, /\/set-aside$/))).toHaveLength(2);
    expect(lostIn(without(calls, /\/state$/))).toContain(`name of ${join(stateDir, "set-aside")}`);
    rmSync(join(folder, "lake"));
  });

  test("what a rebuild moves aside is durable before the new state takes its place, and so is that at the end", async () => {
    const site = await openSite();
    const { stateDir } = site;
    appendReadings(site.db, 10);
    expect(await site.ship()).toMatchObject({ code: 0 });
    appendReadings(site.db, 10);
    const stop = { UPLOADER_FAILPOINT: "before-put:kill" };
    expect(await site.run(["--once"], stop)).toMatchObject({ signal: "SIGKILL" });
    const { code, calls } = await trace(site, "state", "rebuild", "--yes");
    expect(code).toBe(0);
    const database = join(stateDir, "state.db");
    const [installed] = callsOn(calls, /^rename/, /\/state\.db$/);
    const moved = readdirSync(stateDir).filter((name) => name.includes(".replaced-"));
    expect(moved.length).toBeGreaterThanOrEqual(2);
    const lostIn = (seen: readonly Call[]) => [
      ...moved.flatMap((name) => lostAt(seen, join(stateDir, name), installed?.start)),
      ...lostAt(seen, database),
      ...lostAt(seen, join(stateDir, "outbox")),
    ];
    expect(lostIn(calls)).toEqual([]);
    expect(lostIn(without(calls, /\/state$/)).length).toBeGreaterThan(moved.length);
    expect(lostIn(without(calls, /\.rebuilding/))).toContain(`contents of ${database}`);
    tally.add(await site.check(undefined, { lossyGenerations: [1] }));
  });
});
