import { readFileSync } from "node:fs";

/** Linux counts the time of processes in units of 10 ms, whatever the machine (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** CPU time that a running process has used, user and system, all threads. See proc_pid_stat(5). */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name, in parentheses, may hold anything; the state, the third field, comes behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The largest resident set of a running process so far. */
export function peakBytesOf(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  if (kib === undefined) throw new Error(`/proc/${pid}/status does not tell the peak memory`);
  return Number(kib) * 1024;
}
