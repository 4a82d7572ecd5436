import { type ErrorCode, UploaderError } from "../core/errors.ts";

/**
 * An error on its way between threads, which keep of an Error no more than its name, message and stack
 * (https://developer.mozilla.org/docs/Web/API/Web_Workers_API/Structured_clone_algorithm): `code` and `syscall`, by
 * which a full disk is known, and the hint of an {@link UploaderError} would be lost.
 */
export interface PackedError {
  readonly isUploaderError: boolean;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
  readonly syscall: string | undefined;
  readonly hint: string | undefined;
  readonly cause: PackedError | undefined;
}

export function packError(error: unknown): PackedError {
  const { name, message, stack, code, syscall, hint, cause } = (
    error instanceof Error ? error : new Error(String(error))
  ) as Error & { code?: string; syscall?: string; hint?: string };
  return {
    isUploaderError: error instanceof UploaderError,
    ...{ name, message, stack, code, syscall, hint },
    cause: cause === undefined ? undefined : packError(cause),
  };
}

export function unpackError(packed: PackedError): Error {
  const { isUploaderError, message, code, hint, name, stack, syscall } = packed;
  const cause = packed.cause && unpackError(packed.cause);
  if (isUploaderError)
    return new UploaderError({
      code: code as ErrorCode,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
    });
  const error = new Error(message, cause === undefined ? undefined : { cause });
  Object.assign(
    error,
    { name, stack },
    code === undefined ? {} : { code },
    syscall === undefined ? {} : { syscall },
  );
  return error;
}
