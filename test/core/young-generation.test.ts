import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const MODULE = join(import.meta.dirname, "../../src/core/young-generation.ts");

/** Bytes of V8's space for new objects after many of them have each outlived a collection or two. */
function spaceAfterChurn(first: string): number {
  const program = `
    import { getHeapSpaceStatistics } from "node:v8";
    import { keepYoungGenerationSmall } from ${JSON.stringify(MODULE)};
    ${first}
    let alive = [];
    for (let count = 0; count < 3_000_000; count++) {
      alive.push({ count, values: [count] });
      if (alive.length === 20_000) alive = [];
    }
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size);`;
  const args = ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", program];
  return Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

test("the space for new objects does not grow with what outlives a collection", () => {
  expect(spaceAfterChurn("keepYoungGenerationSmall();")).toBeLessThan(spaceAfterChurn("") / 2);
});
