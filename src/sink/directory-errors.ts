import { type ErrorCode, UploaderError } from "../core/errors.ts";

/** What an error of the file system means: the codes that an operator can do something about. */
const MEANINGS: Readonly<Record<string, { readonly code: ErrorCode; readonly hint: string }>> = {
  ...each(
    "ENOSPC EDQUOT",
    "SINK_UNAVAILABLE",
    "Free space there; nothing is lost meanwhile, it is tried again.",
  ),
  ...each(
    "EIO ENODEV ENXIO ESTALE ETIMEDOUT EHOSTDOWN ENOTCONN EBUSY EAGAIN EINTR EMFILE ENFILE ENOMEM",
    "SINK_UNAVAILABLE",
    "Check the disk or network share that holds `directory`; nothing is lost meanwhile, it is tried again.",
  ),
  ...each(
    "EACCES EPERM EROFS",
    "SINK_DENIED",
    "Let the uploader's user write there, or set `directory` to a folder where it may.",
  ),
  ...each("ENOENT", "SINK_REJECTED", "Find out what removes files there, or correct `directory`."),
  ...each("ENOTDIR", "SINK_REJECTED", "Set `directory` to a folder: a file stands in the way of this one."),
  ...each(
    "EEXIST EISDIR ENAMETOOLONG ELOOP EXDEV ENOTSUP EOPNOTSUPP ENOSYS EMLINK EINVAL",
    "SINK_REJECTED",
    "Set `directory` to a folder on a file system with hard links, such as ext4, xfs or NFS.",
  ),
};

/** Turns an error of the file system into one for the operator; other errors pass through. */
export function describeFileError(error: unknown, action: string): unknown {
  if (error instanceof UploaderError || !(error instanceof Error)) return error;
  const { code = "", syscall } = error as NodeJS.ErrnoException;
  // A file system without hard links, such as FAT, refuses them as if a permission were missing.
  const meaning = MEANINGS[syscall === "link" && code === "EPERM" ? "ENOTSUP" : code];
  if (!meaning) return error;
  return new UploaderError({ ...meaning, message: `${action}: ${error.message}.`, cause: error });
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

function each(names: string, code: ErrorCode, hint: string) {
  return Object.fromEntries(names.split(" ").map((name) => [name, { code, hint }]));
}
