import { compareSensor, formatByType } from "./pipeline/compare-sensor.ts";

/**
 * `compare-containers.ts DATABASE BUCKETS`: for scripts/test-containers.sh, holds all rows of the sensor in a database
 * against the objects in a folder of buckets. Its last line says what was compared; it ends with 1 where something is
 * missing, double or different.
 */
const SHOWN = 20;

const [database, buckets] = process.argv.slice(2);
if (database === undefined || buckets === undefined) {
  process.stderr.write("Usage: compare-containers.ts DATABASE BUCKETS\n");
  process.exit(2);
}

// As deploy/local-s3.yaml and docker-compose.yml have it.
const comparison = await compareSensor(database, buckets, { node: "edge-1", windowSeconds: 10 });
const { rows, found, objects, violations } = comparison;
for (const violation of violations.slice(0, SHOWN)) console.log(violation);
console.log(
  `containers: ${rows} rows in SQLite, ${found} found by content in ${objects} objects (${formatByType(comparison)}): ${violations.length === 0 ? "each exactly once" : `${violations.length} violations`}`,
);
process.exit(violations.length === 0 ? 0 : 1);
