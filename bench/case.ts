import type { S3Server } from "../test/support/s3-servers.ts";

/** What a case needs to run. */
export interface Bench {
  /** Asked for by `--runs`; null: as many as the case finds enough. */
  readonly runs: number | null;
  /** A short form, whose figures mean nothing. */
  readonly quick: boolean;
  /** The interpreter of bench/.venv. */
  readonly python: string;
  /** versitygw on loopback, started when it is first asked for. */
  readonly server: () => Promise<S3Server>;
  /** Progress, for a person. */
  readonly say: (text: string) => void;
}

export interface Column {
  readonly heading: string;
  readonly align?: "right";
}

/** A target of issue 5 and what was measured. */
export interface Verdict {
  readonly what: string;
  readonly measured: number;
  readonly unit: "×" | "MB" | "ms" | "% of a core";
  readonly bound: "at least" | "at most";
  readonly limit: number;
}

export interface CaseOutcome {
  readonly columns: readonly Column[];
  readonly cells: readonly (readonly string[])[];
  readonly verdicts: readonly Verdict[];
  /** What was run, as one would type it. */
  readonly commands: readonly string[];
}

export interface BenchCase {
  /** For the command line. */
  readonly name: string;
  readonly title: string;
  /** @throws where a run fails or rows are not what they should be */
  readonly run: (bench: Bench) => Promise<CaseOutcome>;
}

export function isMet({ measured, bound, limit }: Verdict): boolean {
  return bound === "at least" ? measured >= limit : measured <= limit;
}
