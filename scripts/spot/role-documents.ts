import type { PolicyDocument } from "../aws/bucket-policy.ts";
import { partitionOf } from "../aws/connection.ts";
import { uploaderPolicy } from "../aws/policy-files.ts";
import { FLEET_TAG } from "./fleet.ts";

export interface InstanceRole {
  readonly fleet: string;
  readonly region: string;
  /** 12 digits */
  readonly account: string;
  /** Of the buckets. */
  readonly prefix: string;
  /** ARN of the key that the buckets are encrypted with. */
  readonly kmsKey: string | null;
  /** Whether Session Manager gets a shell on the instance. */
  readonly sessionManager: boolean;
}

export interface RoleDocuments {
  readonly trust: PolicyDocument;
  readonly upload: PolicyDocument;
  readonly attachVolume: PolicyDocument;
  /** null: not wanted. */
  readonly sessionManager: PolicyDocument | null;
}

/** What an instance of the fleet may do. */
export function roleDocuments(role: InstanceRole): RoleDocuments {
  const { fleet, region, account, prefix, kmsKey } = role;
  const ec2 = `arn:${partitionOf(region)}:ec2:${region}:${account}`;
  return {
    trust: document([
      { Effect: "Allow", Principal: { Service: serviceOf(region) }, Action: "sts:AssumeRole" },
    ]),
    upload: uploaderPolicy(prefix, region, kmsKey),
    attachVolume: document([
      {
        Sid: "AttachOwnVolume",
        Effect: "Allow",
        Action: "ec2:AttachVolume",
        Resource: [`${ec2}:volume/*`, `${ec2}:instance/*`],
        Condition: { StringEquals: { [`aws:ResourceTag/${FLEET_TAG}`]: fleet } },
      },
    ]),
    sessionManager: role.sessionManager ? document([SESSION_MANAGER]) : null,
  };
}

/**
 * The least that a session needs; AWS's own AmazonSSMManagedInstanceCore would also read every parameter of the account.
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-add-permissions-to-existing-profile.html
 */
const SESSION_MANAGER = {
  Sid: "SessionManager",
  Effect: "Allow",
  Action: [
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
  ],
  Resource: "*",
};

/** EC2 under the name by which it takes roles on. */
function serviceOf(region: string): string {
  return partitionOf(region) === "aws-cn" ? "ec2.amazonaws.com.cn" : "ec2.amazonaws.com";
}

function document(Statement: PolicyDocument["Statement"]): PolicyDocument {
  return { Version: "2012-10-17", Statement };
}
