import { setTimeout as delay } from "node:timers/promises";
import {
  CreateRoleCommand,
  GetRoleCommand,
  type IAMClient,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import { UploaderError } from "../../src/core/errors.ts";
import { orNull } from "./aws-errors.ts";
import type { PolicyDocument } from "./bucket-policy.ts";
import type { Property } from "./desired-state.ts";
import { inlinePolicy, parseDocument } from "./inline-policy.ts";
import { readPolicy, withKey } from "./policy-files.ts";

/** The role by which Unity Catalog reads the buckets. */
export interface DatabricksRole {
  readonly name: string;
  /** 12 digits */
  readonly account: string;
  readonly prefix: string;
  readonly region: string;
  /** ARN of Databricks' own role, which takes ours on. */
  readonly unityCatalogRole: string;
  readonly externalId: string;
  readonly fileEvents: boolean;
  readonly eventQueues: boolean;
  readonly kmsKey: string | null;
}

export const READ_POLICY = "databricks-read";
export const FILE_EVENTS_POLICY = "databricks-file-events";
export const EVENT_QUEUES_POLICY = "databricks-event-queues";
export const MANAGED_BY = { Key: "managed-by", Value: "databricks-uploader" };

export interface RoleDocuments {
  readonly trust: PolicyDocument;
  readonly read: PolicyDocument;
  readonly fileEvents: PolicyDocument;
  readonly eventQueues: PolicyDocument;
}

/** The documents in databricks/setup, filled in. */
export function roleDocuments(role: DatabricksRole): RoleDocuments {
  const words = {
    PREFIX: role.prefix,
    REGION: role.region,
    ACCOUNT: role.account,
    ROLE: role.name,
    UNITY_CATALOG_IAM_ARN: role.unityCatalogRole,
    EXTERNAL_ID: role.externalId,
  };
  const read = readPolicy("databricks/setup/iam-policy.json", words);
  return {
    trust: readPolicy("databricks/setup/iam-trust-policy.json", words),
    read: role.kmsKey === null ? read : withKey(read, role.kmsKey, ["kms:Decrypt"]),
    fileEvents: readPolicy("databricks/setup/iam-file-events-policy.json", words),
    eventQueues: readPolicy("databricks/setup/iam-event-queues-policy.json", words),
  };
}

export function desiredDatabricksRole(iam: IAMClient, role: DatabricksRole): Property[] {
  const documents = roleDocuments(role);
  const holder = { kind: "role", name: role.name } as const;
  return [
    trustedRole(iam, role, documents.trust),
    inlinePolicy(iam, holder, READ_POLICY, documents.read),
    inlinePolicy(iam, holder, FILE_EVENTS_POLICY, role.fileEvents ? documents.fileEvents : null),
    inlinePolicy(iam, holder, EVENT_QUEUES_POLICY, role.eventQueues ? documents.eventQueues : null),
  ];
}

/** The role, which is whom it trusts. */
function trustedRole(
  iam: IAMClient,
  { name: RoleName, unityCatalogRole }: DatabricksRole,
  trust: PolicyDocument,
): Property<PolicyDocument> {
  return {
    name: "role",
    async read() {
      const found = (await orNull(iam.send(new GetRoleCommand({ RoleName }))))?.Role;
      if (!found) return null;
      assertOurs(RoleName, found.Tags);
      return parseDocument(found.AssumeRolePolicyDocument ?? '{"Statement":[]}');
    },
    wanted: () => trust,
    async write(wanted) {
      if ((await orNull(iam.send(new GetRoleCommand({ RoleName })))) === null)
        await iam.send(
          new CreateRoleCommand({
            RoleName,
            Description: "Unity Catalog reads the buckets of the databricks-uploader",
            Tags: [MANAGED_BY],
            AssumeRolePolicyDocument: JSON.stringify(trusting(wanted, unityCatalogRole)),
          }),
        );
      await updateTrust(iam, RoleName, wanted);
    },
    text: ({ Statement }) => [Statement].flat().map(trustText).join("; "),
  };
}

/** A role cannot name itself before it is there, so it is made with the other principal alone. */
function trusting(trust: PolicyDocument, principal: string): PolicyDocument {
  return {
    ...trust,
    Statement: trust.Statement.map((statement) => ({ ...statement, Principal: { AWS: principal } })),
  };
}

const ATTEMPTS = 15;
const PAUSE_MS = 2_000;

/** IAM does not know a new role as a principal for some seconds, and calls the document malformed until then. */
async function updateTrust(iam: IAMClient, RoleName: string, trust: PolicyDocument): Promise<void> {
  const PolicyDocument = JSON.stringify(trust);
  for (let attempt = 1; ; attempt++)
    try {
      await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument }));
      return;
    } catch (error) {
      const isUnknown = error instanceof Error && error.name === "MalformedPolicyDocumentException";
      if (!isUnknown || attempt === ATTEMPTS) throw error;
      await delay(PAUSE_MS);
    }
}

function trustText({ Principal, Condition }: Record<string, unknown>): string {
  const principals = Object.values(Principal ?? {}).flat();
  return `trusts ${principals.join(" and ") || "nobody"} if ${JSON.stringify(Condition ?? {})}`;
}

/** @throws {UploaderError} USAGE for a role that somebody else has made */
export function assertOurs(
  role: string,
  tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] = [],
): void {
  if (tags.some(({ Key, Value }) => Key === MANAGED_BY.Key && Value === MANAGED_BY.Value)) return;
  throw new UploaderError({
    code: "USAGE",
    message: `There is a role ${role} that this script has not made, and it is left as it is.`,
    hint: `Choose another --role, or hand it over with the tag ${MANAGED_BY.Key}=${MANAGED_BY.Value}.`,
  });
}
