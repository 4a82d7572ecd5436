import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import type { PipelineType } from "../../src/core/types.ts";
import { createSystemd } from "../../src/observe/systemd.ts";
import { listenAsSystemd, missingForSystemd } from "../support/notify-socket.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { noLog } from "../support/run-in-process.ts";
import { suiteWith } from "../support/suite-with.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { startProgram } from "../support/uploader-process.ts";
import { shippingOf } from "./shipping.ts";

suiteWith(missingForSystemd(), "systemd", () => {
  test("a unit hears that it is ready, its type, a change of it, and that it stops, in this order", async () => {
    const { path, lines } = await listenAsSystemd(temporaryFolder());
    const systemd = createSystemd({
      env: { ...process.env, NOTIFY_SOCKET: path },
      isWell: () => true,
      log: noLog,
    });
    let type: PipelineType = "raw";
    systemd.started(shippingOf({ pipelineType: () => type }));
    systemd.cycleFinished([]);
    type = "emergency";
    systemd.cycleFinished([]);
    systemd.stopping();
    systemd.ended();
    await systemd.close();
    await until("all is heard", () => lines().length === 5);
    expect(lines()).toEqual([
      "READY=1",
      "STATUS=Ships raw",
      "STATUS=Ships emergency",
      "STOPPING=1",
      "STATUS=Finishes what is in hand",
    ]);
  });

  test("the watchdog hears from it while it is well, and no longer when it is not", async () => {
    const { path, lines } = await listenAsSystemd(temporaryFolder());
    let asked = 0;
    let isWell = false;
    const env = { ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: "20000" };
    const systemd = createSystemd({
      env,
      isWell: () => {
        asked++;
        return isWell;
      },
      log: noLog,
    });
    onTestFinished(() => systemd.close());
    await until("it was asked often", () => asked > 10);
    expect(lines()).toEqual([]);
    isWell = true;
    await until("it is heard again and again", () => lines().length > 2);
    expect(new Set(lines())).toEqual(new Set(["WATCHDOG=1"]));
    isWell = false;
    const untilAskedAgain = async () => {
      const before = asked;
      await until("it was asked often again", () => asked > before + 10);
    };
    await untilAskedAgain();
    const heard = lines().length;
    await untilAskedAgain();
    expect(lines()).toHaveLength(heard);
  });

  test("a watchdog that is meant for another process is left alone", async () => {
    const { path, lines } = await listenAsSystemd(temporaryFolder());
    const env = { ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: "1000", WATCHDOG_PID: "1" };
    let asked = 0;
    const isWell = () => {
      asked++;
      return true;
    };
    const systemd = createSystemd({ env, isWell, log: noLog });
    systemd.started(shippingOf());
    await until("it is ready", () => lines().includes("READY=1"));
    await systemd.close();
    expect(asked).toBe(0);
  });

  test("an uploader in a unit is ready when it ships, is watched, and stops when it is told to", async () => {
    const folder = temporaryFolder();
    const { path, lines } = await listenAsSystemd(folder);
    const database = join(folder, "sensor.db");
    appendReadings(openReadings(database), 10);
    const flags = ["--sqlite", database, "--directory", join(folder, "lake"), "--interval", "0.1"];
    const env = { STATE_DIR: "state", NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000" };
    const uploader = startProgram("uploader", flags, { cwd: folder, env });
    const others = () => lines().filter((line) => line !== "WATCHDOG=1");
    await until("it is ready, and the watchdog has heard from it", () => {
      return others().length === 2 && lines().includes("WATCHDOG=1");
    });
    expect(others()).toEqual(["READY=1", "STATUS=Ships raw"]);
    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0 });
    await until("it is heard that it stops", () => others().length === 4);
    expect(others().slice(2)).toEqual(["STOPPING=1", "STATUS=Finishes what is in hand"]);
  });
});

test("without systemd-notify it ships all the same, and says so once", async () => {
  const warnings: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => warnings.push(JSON.parse(line).msg) });
  const env = { PATH: temporaryFolder(), NOTIFY_SOCKET: "/nowhere" };
  const systemd = createSystemd({ env, isWell: () => true, log });
  systemd.started(shippingOf());
  systemd.stopping();
  await systemd.close();
  expect(warnings).toEqual(["systemd was not told READY=1"]);
});
