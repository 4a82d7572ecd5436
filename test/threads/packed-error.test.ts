import { open } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import { packError, unpackError } from "../../src/threads/packed-error.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** As it comes out on the other side of a thread. */
function sent(error: unknown): Error {
  return unpackError(structuredClone(packError(error)));
}

test("an error for the operator keeps its code, hint and cause", () => {
  const cause = Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR" });
  const error = new UploaderError({
    code: "SOURCE_UNREADABLE",
    message: "sensor.db cannot be used.",
    hint: "Check it.",
    cause,
  });
  const received = sent(error);
  expect(received).toBeInstanceOf(UploaderError);
  expect(received).toMatchObject({
    name: "UploaderError",
    code: "SOURCE_UNREADABLE",
    message: "sensor.db cannot be used.",
    hint: "Check it.",
    exitCode: 1,
    cause: { message: "disk I/O error", code: "SQLITE_IOERR" },
  });
});

test("an error of the file system keeps what it is known by", async () => {
  const path = join(temporaryFolder(), "nowhere", "object.parquet");
  const error = await open(path, "wx").catch((error: unknown) => error);
  const received = sent(error);
  expect(received).toMatchObject({ code: "ENOENT", syscall: "open", message: (error as Error).message });
  expect(received.stack).toBe((error as Error).stack);
});

test("what is thrown and is no error becomes one", () => {
  expect(sent("the cable is out")).toMatchObject({ message: "the cable is out" });
});
