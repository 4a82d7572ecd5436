import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { type LakeObject, listObjects } from "./lake-reader.ts";
import type { S3Lake } from "./s3-lake.ts";
import type { S3Server } from "./s3-servers.ts";

/** Where the objects of one test end up, as the checker looks at it. */
export interface LakePlace {
  objects(): LakeObject[];
  /** Bucket and key of every object, with what changes when it is written again, be it with the same bytes. */
  versions(): Promise<Map<string, string>>;
  /** Paths of what lies in the lake beside the objects: markers. */
  markers(): string[];
  /** What an upload that was cut short has left behind. */
  leftovers(): Promise<string[]>;
  /** The user metadata of an object; null where the place keeps none. */
  metadata(object: LakeObject): Promise<Readonly<Record<string, string>> | null>;
}

/** A folder that the directory sink writes to. */
export function directoryPlace(folder: string): LakePlace {
  return {
    objects: () => listObjects(folder),
    versions: async () => new Map(listObjects(folder).map((object) => [nameOf(object), versionOf(object)])),
    markers: () =>
      filesBelow(folder)
        .filter((path) => !path.endsWith(".parquet"))
        .map((path) => join(folder, path)),
    leftovers: async () => filesBelow(folder).filter(isLeftover),
    metadata: async () => null,
  };
}

/** The buckets of one test on versitygw. */
export function s3Place(server: S3Server, lake: S3Lake): LakePlace {
  return {
    objects: () => lake.objects(),
    async versions() {
      const versions = [...(await lake.versions())].filter(([name]) => name.endsWith(".parquet"));
      const contents = new Map(lake.objects().map((object) => [nameOf(object), versionOf(object)]));
      return new Map(versions.map(([name, version]) => [name, `${version} ${contents.get(name)}`]));
    },
    markers: () =>
      PIPELINE_TYPES.flatMap((type) => {
        const folder = join(server.folder, lake.bucket(type), "_owner");
        return filesBelow(folder).map((path) => join(folder, path));
      }),
    leftovers: () => lake.openUploads(),
    async metadata({ bucket, key }) {
      const head = await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
      return head.Metadata ?? {};
    },
  };
}

export function nameOf({ bucket, key }: Pick<LakeObject, "bucket" | "key">): string {
  return `${bucket}/${key}`;
}

/** Its contents, and the file that holds them: whoever writes an object again makes a new one, or changes its time. */
function versionOf(object: LakeObject): string {
  const { ino, mtimeNs } = statSync(object.path, { bigint: true });
  return `${sha256Of(object)} ${ino} ${mtimeNs}`;
}

export function sha256Of({ path }: Pick<LakeObject, "path">): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** Whatever is no object, no marker, and not the lock of the markers. */
function isLeftover(path: string): boolean {
  const isMarker = /^[^/]+\/_owner\/[^/]+\/[^/]+\.json$/.test(path);
  const isLock = /^\.markers\.db/.test(path);
  return !isMarker && !isLock && (!path.endsWith(".parquet") || path.includes(".uploading/"));
}
