import { bucketNameFault, derivedBucketName } from "../../src/config/bucket-names.ts";
import { UploaderError } from "../../src/core/errors.ts";
import { PIPELINE_TYPES, type PipelineType } from "../../src/core/types.ts";

export interface Bucket {
  readonly type: PipelineType;
  readonly name: string;
}

/** Where the options of the command line that name the buckets are described, once for all scripts. */
export const BUCKET_OPTIONS = {
  prefix: {
    type: "string",
    demandOption: true,
    description: "Buckets are named {prefix}-databricks-{type}-{region}",
  },
  region: { type: "string", demandOption: true, description: "The region of the buckets, such as us-west-2" },
} as const;

/** @throws {UploaderError} CONFIG_INVALID where a name cannot be a bucket's */
export function bucketsOf(prefix: string, region: string): Bucket[] {
  return PIPELINE_TYPES.map((type) => {
    const name = derivedBucketName(prefix, type, region);
    const fault = bucketNameFault(name);
    if (fault)
      throw new UploaderError({
        code: "CONFIG_INVALID",
        message: `A bucket cannot be named ${JSON.stringify(name)}: it ${fault}.`,
        hint: "Choose another prefix.",
      });
    return { type, name };
  });
}

/** Below these the uploader puts a bucket's objects (docs/OBJECTS.md); what else is there is not data. */
export function dataFolders(type: PipelineType): string[] {
  return type === "schematized" ? [`${type}/`, `rejected/${type}/`] : [`${type}/`];
}

/** Below this lie the ownership markers, in the raw bucket alone. */
export const OWNER_FOLDER = "_owner/";
