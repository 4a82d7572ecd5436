import { randomBytes } from "node:crypto";
import { appendReadings, type ReadingsDatabase } from "../support/readings.ts";

/** Rows for an object that does not go in one request: of 1 MB each, that cannot be compressed. */
export function appendLarge(db: ReadingsDatabase, rows = 17): void {
  for (let row = 0; row < rows; row++)
    appendReadings(db, 1, { location: randomBytes(750_000).toString("base64") });
}
