import { type Monitor, noMonitor, type Shipping } from "./monitor.ts";
import { createNotifier, type NotifierOptions } from "./notify-systemd.ts";

export interface Systemd extends Monitor {
  /** Ends the watchdog's timer, and resolves when what was said last has been sent. */
  close(): Promise<void>;
}

/** Tells systemd that the uploader is ready, its pipeline type, that it is well (for WatchdogSec=), and that it stops. */
export function createSystemd(options: NotifierOptions): Systemd {
  const { send, close } = createNotifier(options);
  let shipping: Shipping | null = null;
  let told = "";

  function tellStatus(): void {
    if (shipping === null) return;
    const status = `STATUS=Ships ${shipping.pipelineType()}`;
    if (status !== told) send(status);
    told = status;
  }

  return {
    ...noMonitor,
    started(started) {
      shipping = started;
      send("READY=1");
      tellStatus();
    },
    cycleFinished: tellStatus,
    stopping: () => send("STOPPING=1", "STATUS=Finishes what is in hand"),
    ended() {
      shipping = null;
    },
    close,
  };
}
