/**
 * The steps between which the program may die or fail, in the order of a row's way, then those of the commands
 * `state rebuild` and `outbox set-aside`. test/faults ends it, or makes the step fail, at each of them.
 */
export const FAILPOINTS = [
  "before-generation",
  "after-generation",
  "before-hold",
  "after-hold",
  "before-open",
  "after-open",
  "before-write",
  "after-write",
  "before-file-sync",
  "after-file-sync",
  "before-folder-sync",
  "after-folder-sync",
  "before-commit",
  "after-commit",
  "before-intent",
  "after-intent",
  "before-rename-of-marker",
  "after-marker",
  "before-put",
  "before-link",
  "after-link",
  "before-part",
  "after-part",
  "before-completion",
  "after-completion",
  "before-confirm",
  "after-put",
  "after-strike",
  "after-delete",
  "before-record",
  "after-record",
  "after-mark-recorded",
  "before-replace",
  "after-outbox-aside",
  "after-state-aside",
  "after-replace",
  "after-note",
  "after-copy-aside",
  "before-forget",
  "after-forget",
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

interface Plan {
  /** `*`: any of them. */
  readonly name: string;
  /** `kill`, `exit`, or the code of the error to throw, such as ENOSPC. */
  readonly action: string;
  /** Which time it is passed: 1, 2, 3, … */
  readonly hit: number;
}

const plan = readPlan(process.env.UPLOADER_FAILPOINT);
let hits = 0;

/**
 * Does nothing, unless the environment variable UPLOADER_FAILPOINT names this step when the program starts:
 * `after-put:kill:3` ends the process as SIGKILL does when it comes here for the third time (left out: the first),
 * `before-write:exit` ends the thread that comes here, `before-write:ENOSPC` throws what Node.js throws on a full disk.
 */
export const failpoint: (name: Failpoint) => void = plan === null ? () => {} : (name) => pass(plan, name);

function pass({ name: wanted, action, hit }: Plan, name: Failpoint): void {
  if ((wanted !== "*" && wanted !== name) || ++hits !== hit) return;
  if (action === "kill") process.kill(process.pid, "SIGKILL");
  if (action === "exit") process.exit(1);
  throw Object.assign(new Error(`${action}: told by UPLOADER_FAILPOINT`), { code: action, syscall: name });
}

function readPlan(text: string | undefined): Plan | null {
  const [, name = "", action = "", hit = "1"] = /^([a-z*-]+):(\w+)(?::(\d+))?$/.exec(text ?? "") ?? [];
  return name === "" ? null : { name, action, hit: Number(hit) };
}
