/** Tells of each change as it is made, or with a dry run would be, and counts them. */
export interface ChangeReport {
  readonly dryRun: boolean;
  title(text: string): void;
  made(what: string, value?: string): void;
  changed(what: string, from: string, to: string): void;
  removed(what: string, value?: string): void;
  alreadySo(what: string, value?: string): void;
  note(text: string): void;
  /** How many there were, or would have been, so far. */
  changes(): number;
  /** The last line. */
  summary(): void;
}

export function createChangeReport(dryRun: boolean, print: (line: string) => void): ChangeReport {
  const counts = { made: 0, changed: 0, removed: 0, alreadySo: 0 };
  const words = dryRun
    ? { made: "would make", changed: "would change", removed: "would remove" }
    : { made: "made", changed: "changed", removed: "removed" };
  const withValue = (what: string, value: string | undefined) => (value ? `${what}: ${value}` : what);
  return {
    dryRun,
    title: print,
    made(what, value) {
      counts.made += 1;
      print(`  ${words.made} ${withValue(what, value)}`);
    },
    changed(what, from, to) {
      counts.changed += 1;
      print(`  ${words.changed} ${what} from ${from} to ${to}`);
    },
    removed(what, value) {
      counts.removed += 1;
      print(`  ${words.removed} ${withValue(what, value)}`);
    },
    alreadySo(what, value) {
      counts.alreadySo += 1;
      print(`  already so: ${withValue(what, value)}`);
    },
    changes: () => counts.made + counts.changed + counts.removed,
    note: (text) => print(`  note: ${text}`),
    summary() {
      const { made, changed, removed, alreadySo } = counts;
      const done = `${made} made, ${changed} changed, ${removed} removed, ${alreadySo} already so`;
      print(dryRun ? `Dry run, nothing was changed. It would be: ${done}.` : `${done}.`);
    },
  };
}
