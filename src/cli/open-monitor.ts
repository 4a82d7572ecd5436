import type { Settings } from "../config/settings.ts";
import { systemClock } from "../core/clock.ts";
import type { Logger } from "../observe/logger.ts";
import { type Monitor, noMonitor, tellAll } from "../observe/monitor.ts";

export interface OpenedMonitor {
  readonly monitor: Monitor;
  close(): Promise<void>;
}

/**
 * Opens what answers for the uploader: the server on `status_address`, and the word to systemd. What is not asked for is
 * not loaded.
 *
 * @throws {UploaderError} CONFIG_INVALID where the address cannot be listened on
 */
export async function openMonitor(
  { statusAddress, intervalSeconds }: Settings,
  env: NodeJS.ProcessEnv,
  log: Logger,
): Promise<OpenedMonitor> {
  if (statusAddress === null && !env.NOTIFY_SOCKET) return { monitor: noMonitor, close: async () => {} };
  const { createHealth } = await import("../observe/health.ts");
  const health = createHealth({ intervalSeconds, clock: systemClock });
  const monitors: Monitor[] = [health];
  const closes: (() => Promise<void>)[] = [];
  if (statusAddress !== null) {
    const { createMetrics } = await import("../observe/metrics.ts");
    const { serveStatus } = await import("../observe/status-server.ts");
    const metrics = createMetrics(systemClock);
    const server = await serveStatus({ address: statusAddress, judge: health.judge, metrics });
    monitors.push(metrics);
    closes.push(server.close);
  }
  if (env.NOTIFY_SOCKET) {
    const { createSystemd } = await import("../observe/systemd.ts");
    const systemd = createSystemd({ env, isWell: () => health.judge().status === "ok", log });
    monitors.push(systemd);
    closes.push(systemd.close);
  }
  return {
    monitor: tellAll(monitors),
    close: async () => {
      for (const close of closes) await close();
    },
  };
}
