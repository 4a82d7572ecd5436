import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { EC2Client } from "@aws-sdk/client-ec2";
import type { IAMClient } from "@aws-sdk/client-iam";
import { UploaderError } from "../../src/core/errors.ts";
import { type Connection, clientSettings, iamClient } from "../aws/connection.ts";

/** What carries a fleet's name: all that belongs to it, and nothing else. */
export const FLEET_TAG = "databricks-uploader-fleet";
const MANAGED_BY = { Key: "managed-by", Value: "databricks-uploader" };

/** Which fleet, and how AWS is asked about it. */
export interface Fleet {
  /** The name of its group, launch template, security group and node. */
  readonly name: string;
  readonly region: string;
  /** IAM's names are not of a region, so the role and the instance profile have it in theirs. */
  readonly role: string;
  readonly ec2: EC2Client;
  readonly scaling: AutoScalingClient;
  readonly iam: IAMClient;
  close(): void;
}

/** @throws {UploaderError} CONFIG_INVALID */
export function openFleet(name: string, connection: Connection): Fleet {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(name))
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `A fleet cannot be named ${JSON.stringify(name)}.`,
      hint: "Choose a --name of at most 32 small letters, digits and hyphens that begins with a letter.",
    });
  const ec2 = new EC2Client(clientSettings(connection));
  const scaling = new AutoScalingClient(clientSettings(connection));
  const iam = iamClient(connection);
  return {
    name,
    region: connection.region,
    role: `${name}-${connection.region}`,
    ec2,
    scaling,
    iam,
    close: () => [ec2, scaling, iam].forEach((client) => void client.destroy()),
  };
}

/** The tags of everything that belongs to the fleet. */
export function fleetTags(name: string): { readonly Key: string; readonly Value: string }[] {
  return [MANAGED_BY, { Key: FLEET_TAG, Value: name }, { Key: "Name", Value: name }];
}

/** For EC2's Describe calls. */
export function fleetFilter(name: string): { readonly Name: string; readonly Values: string[] } {
  return { Name: `tag:${FLEET_TAG}`, Values: [name] };
}

/** A tag as the SDKs give it. */
type Tag = { readonly Key?: string | undefined; readonly Value?: string | undefined };

/** @throws {UploaderError} USAGE for something of the fleet's name that the fleet has not made */
export function assertOfFleet(fleet: string, what: string, tags: readonly Tag[] = []): void {
  if (tags.some(({ Key, Value }) => Key === FLEET_TAG && Value === fleet)) return;
  throw new UploaderError({
    code: "USAGE",
    message: `There is a ${what} that this fleet has not made, and it is left as it is.`,
    hint: `Choose another --name, or hand it over with the tag ${FLEET_TAG}=${fleet}.`,
  });
}
