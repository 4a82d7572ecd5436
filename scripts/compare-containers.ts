import { compareSensor, formatByType } from "./pipeline/compare-sensor.ts";

/**
 * `compare-containers.ts BUCKETS NODE=DATABASE…`: for scripts/test-containers.sh, holds all rows of the sensor in each
 * node's database against the node's objects in a folder of buckets, in which the first node has shipped all four
 * pipeline types and the others raw. It says of each what was compared, and ends with 1 where something is missing,
 * double or different, or of a node that is not named.
 */
const SHOWN = 20;

const [buckets, ...pairs] = process.argv.slice(2);
const nodes = pairs.map((pair) => pair.split("=", 2));
if (buckets === undefined || nodes.length === 0 || nodes.some(({ length }) => length < 2)) {
  process.stderr.write("Usage: compare-containers.ts BUCKETS NODE=DATABASE...\n");
  process.exit(2);
}

const names = nodes.map(([node = ""]) => node);
let violated = false;
for (const [index, [node = "", database = ""]] of nodes.entries()) {
  const comparison = await compareSensor(database, buckets, {
    node,
    // As deploy/local-s3.yaml has it.
    windowSeconds: 10,
    neighbours: names.filter((name) => name !== node),
    ...(index > 0 && { types: ["raw"] as const }),
  });
  const { rows, found, objects, violations } = comparison;
  for (const violation of violations.slice(0, SHOWN)) console.log(violation);
  const verdict = violations.length === 0 ? "each exactly once" : `${violations.length} violations`;
  console.log(
    `containers: ${node}: ${rows} rows in SQLite, ${found} found by content in ${objects} objects (${formatByType(comparison)}): ${verdict}`,
  );
  violated ||= violations.length > 0 || rows === 0;
}
process.exit(violated ? 1 : 0);
