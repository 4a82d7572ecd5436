import { join } from "node:path";
import { expect, test } from "vitest";
import { listenAsSystemd, missingForSystemd } from "../support/notify-socket.ts";
import { suiteWith } from "../support/suite-with.ts";
import { until } from "../support/until.ts";
import { givenFolder } from "./given-settings.ts";
import { startSensor } from "./sensor-process.ts";

suiteWith(missingForSystemd(), "a sensor in a unit of systemd", () => {
  test("is ready once it writes, is watched, and says that it stops", async () => {
    const folder = givenFolder();
    const { path, lines } = await listenAsSystemd(folder);
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000" };
    const sensor = startSensor(folder, ["--db", join(folder, "sensor.db")], env);
    const others = () => lines().filter((line) => line !== "WATCHDOG=1");
    await until("it is ready, and the watchdog has heard from it", () => {
      return others().length === 2 && lines().includes("WATCHDOG=1");
    });
    expect(others()).toEqual(["READY=1", "STATUS=Writes readings"]);
    sensor.child.kill("SIGTERM");
    expect(await sensor.ended).toBe(0);
    await until("it is heard that it stops", () => others().length === 4);
    expect(others().slice(2)).toEqual(["STOPPING=1", "STATUS=Writes what is in hand"]);
  });
});
