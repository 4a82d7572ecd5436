import { randomBytes } from "node:crypto";
import { appendReadings, type ReadingsDatabase } from "../support/readings.ts";

/** Rows for an object that does not go in one request: 17 of 1 MB each that cannot be compressed. */
export function appendLarge(db: ReadingsDatabase): void {
  for (let row = 0; row < 17; row++)
    appendReadings(db, 1, { location: randomBytes(750_000).toString("base64") });
}
