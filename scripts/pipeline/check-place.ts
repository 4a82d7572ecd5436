import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { S3SinkSettings } from "../../src/config/settings.ts";
import { safeName } from "../../src/core/names.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { createS3Api } from "../../src/sink/s3-api.ts";
import { describeS3Error } from "../../src/sink/s3-errors.ts";

/** Where objects end up, brought to a folder that is laid out as `{bucket}/{key}`. */
export interface CheckPlace {
  readonly folder: string;
  /** Brings what has arrived since. */
  refresh(): Promise<void>;
  close(): void;
}

/** The node id of one check: no other has it, and it stands in keys as it is, however long the machine's name. */
export function checkNode(machine: string, began: Date): string {
  return safeName(`check-${machine.toLowerCase()}-${began.toISOString().replace(/\D/g, "").slice(0, 14)}`);
}

/** A folder that the uploader ships to itself. */
export function folderPlace(folder: string): CheckPlace {
  return { folder, refresh: async () => {}, close() {} };
}

/**
 * Buckets, of which the objects of one node are copied to a folder. Only the days since `began` are listed.
 *
 * @throws {UploaderError} from `refresh`, as the uploader says what is wrong with S3
 */
export function s3Place(sink: S3SinkSettings, folder: string, node: string, began: Date): CheckPlace {
  const api = createS3Api(sink);
  mkdirSync(folder, { recursive: true });

  async function bring(bucket: string, prefix: string): Promise<void> {
    let token: string | undefined;
    do {
      const page = await api.listObjects(bucket, prefix, token);
      for (const { key } of page.objects) {
        const path = join(folder, bucket, key);
        if (existsSync(path)) continue;
        const { bytes } = await api.getObject(bucket, key);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
      token = page.next;
    } while (token !== undefined);
  }

  return {
    folder,
    async refresh() {
      for (const type of PIPELINE_TYPES)
        for (const kind of ["", "rejected/"])
          for (const date of daysSince(began)) {
            const prefix = `${kind}${type}/sensor_readings/ingest_date=${date}/${node}-`;
            const bucket = sink.buckets[type];
            await bring(bucket, prefix).catch((error: unknown) => {
              throw describeS3Error(error, `Reading s3://${bucket}/${prefix}`);
            });
          }
    },
    close: () => api.close(),
  };
}

function daysSince(began: Date): string[] {
  return [...new Set([began, new Date()].map((date) => date.toISOString().slice(0, 10)))];
}
