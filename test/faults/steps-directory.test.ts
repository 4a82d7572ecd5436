import { describe } from "vitest";
import { FAILPOINTS } from "../../src/core/failpoints.ts";
import { killAtEachOf, ONLY_S3 } from "./kill-at-steps.ts";

describe("a kill at every step, into a directory", () => {
  killAtEachOf(FAILPOINTS.filter((name) => !ONLY_S3.includes(name)));
});
