import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { UploaderError } from "../../src/core/errors.ts";

/** What the instances install. */
export interface ProjectSource {
  readonly repository: string;
  /** A commit or tag. */
  readonly revision: string;
}

/**
 * As the options name it, else as this clone is.
 *
 * @throws {UploaderError} where git could not fetch it without credentials
 */
export function projectSource(repository: string | undefined, revision: string | undefined): ProjectSource {
  const url = repository ?? git("remote", "get-url", "origin");
  const commit = revision ?? git("rev-parse", "HEAD");
  if (url === null || !isPublicAddress(url))
    throw new UploaderError({
      code: repository === undefined ? "USAGE" : "CONFIG_INVALID",
      message: "It is not known from which address the instances fetch the project.",
      hint: "Name it with --repository: https://host/path, without a user, which git reads without credentials.",
    });
  if (commit === null || !/^[A-Za-z0-9][\w./-]{0,99}$/.test(commit))
    throw new UploaderError({
      code: revision === undefined ? "USAGE" : "CONFIG_INVALID",
      message: "It is not known which revision the instances install.",
      hint: "Name it with --revision: a commit in full, or a tag.",
    });
  return { repository: url, revision: commit };
}

/** Whether what is here is not in the revision that the instances install. */
export function isCloneChanged(revision: string | undefined): boolean {
  return revision === undefined && git("status", "--porcelain", "--untracked-files=no") !== "";
}

function isPublicAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && url.protocol === "https:" && !url.username && !url.password;
}

/** What git says; null where there is no git, no clone or no such thing. */
function git(...parameters: string[]): string | null {
  try {
    return execFileSync("git", ["-C", join(import.meta.dirname, "../.."), ...parameters], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return null;
  }
}
