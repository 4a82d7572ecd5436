import { spawnSync } from "node:child_process";

/** What of systemd a suite needs that this machine does not have, or null; scripts/setup-test-tools.sh installs it. */
export function whySystemdIsMissing(): string | null {
  for (const tool of ["systemd-analyze", "systemd-sysusers", "systemd-tmpfiles"])
    if (spawnSync(tool, ["--version"]).status !== 0) return `${tool} is not installed`;
  return null;
}
