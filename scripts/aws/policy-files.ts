import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { PolicyDocument, Statement } from "./bucket-policy.ts";
import { partitionOf } from "./connection.ts";

const ROOT = join(import.meta.dirname, "../..");

/**
 * A policy document of this repository with its capital words, such as PREFIX, replaced, and its ARNs in the region's
 * partition.
 *
 * @param path relative to the root: `docs/iam-policy.json`
 */
export function readPolicy(
  path: string,
  words: { readonly REGION: string; readonly [word: string]: string },
): PolicyDocument {
  const text = readFileSync(join(ROOT, path), "utf8");
  const filled = text
    .replaceAll("arn:aws:", `arn:${partitionOf(words.REGION)}:`)
    .replace(/[A-Z][A-Z_]{3,}/g, (word) => JSON.stringify(words[word] ?? word).slice(1, -1));
  return JSON.parse(filled) as PolicyDocument;
}

/** What an uploader may do, and no more: docs/iam-policy.json, which docs/SECURITY.md explains and the tests hold. */
export function uploaderPolicy(prefix: string, region: string, kmsKey: string | null): PolicyDocument {
  const policy = readPolicy("docs/iam-policy.json", { PREFIX: prefix, REGION: region });
  return kmsKey === null ? policy : withKey(policy, kmsKey, ["kms:Decrypt", "kms:GenerateDataKey"]);
}

/** The policy with the use of the buckets' KMS key. */
export function withKey(policy: PolicyDocument, kmsKey: string, actions: readonly string[]): PolicyDocument {
  const key: Statement = { Sid: "Key", Effect: "Allow", Action: actions, Resource: kmsKey };
  return { ...policy, Statement: [...policy.Statement, key] };
}

/** The actions that a policy allows, in their order. */
export function allowedActions({ Statement }: PolicyDocument): string[] {
  return Statement.flatMap(({ Action }) => [Action].flat() as string[]);
}
