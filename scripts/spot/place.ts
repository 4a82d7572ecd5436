import {
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  DescribeSubnetsCommand,
  type _InstanceType as InstanceType,
  type Subnet,
} from "@aws-sdk/client-ec2";
import { UploaderError } from "../../src/core/errors.ts";
import type { Fleet } from "./fleet.ts";

/** Where the fleet is: in one zone, since a volume is. */
export interface Place {
  readonly subnet: string;
  readonly vpc: string;
  readonly zone: string;
  readonly architecture: Architecture;
  /** Types that the zone does not offer; the group does without them. */
  readonly notOffered: readonly string[];
}

export type Architecture = "arm64" | "x86_64";

export interface PlaceOptions {
  readonly instanceTypes: readonly string[];
  /** null: the default subnet of the zone that offers most of the types. */
  readonly subnet: string | null;
  /** Of the volume that is there already. */
  readonly volumeZone: string | null;
}

/** @throws {UploaderError} where there is no such place; what the SDK throws */
export async function choosePlace(fleet: Fleet, options: PlaceOptions): Promise<Place> {
  const architecture = await architectureOf(fleet, options.instanceTypes);
  const offered = await offeredTypes(fleet, options.instanceTypes);
  const inZone = ({ AvailabilityZone = "" }: Subnet) => offered.get(AvailabilityZone)?.size ?? 0;
  const [best] = (await findSubnets(fleet, options)).sort(
    (left, right) =>
      inZone(right) - inZone(left) ||
      (left.AvailabilityZone ?? "").localeCompare(right.AvailabilityZone ?? ""),
  );
  const { SubnetId: subnet = "", VpcId: vpc = "", AvailabilityZone: zone = "" } = best ?? {};
  if (!best || inZone(best) === 0) throw noPlace(options, zone);
  const notOffered = options.instanceTypes.filter((type) => !offered.get(zone)?.has(type));
  return { subnet, vpc, zone, architecture, notOffered };
}

async function architectureOf({ ec2 }: Fleet, instanceTypes: readonly string[]): Promise<Architecture> {
  const { InstanceTypes = [] } = await ec2.send(
    new DescribeInstanceTypesCommand({ InstanceTypes: [...instanceTypes] as InstanceType[] }),
  );
  const withoutSpot = InstanceTypes.filter(
    ({ SupportedUsageClasses }) => !SupportedUsageClasses?.includes("spot"),
  );
  if (withoutSpot.length > 0)
    throw badTypes(`There are no spot instances of ${names(withoutSpot).join(", ")}.`);
  for (const architecture of ["arm64", "x86_64"] as const)
    if (InstanceTypes.every((type) => type.ProcessorInfo?.SupportedArchitectures?.includes(architecture)))
      return architecture;
  throw badTypes(`${names(InstanceTypes).join(", ")} are not of one architecture, arm64 or x86_64.`);
}

function names(types: readonly { readonly InstanceType?: string | undefined }[]): string[] {
  return types.map(({ InstanceType = "?" }) => InstanceType);
}

function badTypes(message: string): UploaderError {
  return new UploaderError({
    code: "CONFIG_INVALID",
    message,
    hint: "Choose other --instance-types; the same image runs on all of them.",
  });
}

/** The types that each zone of the region offers. */
async function offeredTypes(
  { ec2 }: Fleet,
  instanceTypes: readonly string[],
): Promise<Map<string, Set<string>>> {
  const zones = new Map<string, Set<string>>();
  let NextToken: string | undefined;
  do {
    const answer = await ec2.send(
      new DescribeInstanceTypeOfferingsCommand({
        LocationType: "availability-zone",
        Filters: [{ Name: "instance-type", Values: [...instanceTypes] }],
        ...(NextToken ? { NextToken } : {}),
      }),
    );
    for (const { Location = "", InstanceType = "" } of answer.InstanceTypeOfferings ?? [])
      zones.set(Location, (zones.get(Location) ?? new Set()).add(InstanceType));
    NextToken = answer.NextToken;
  } while (NextToken);
  return zones;
}

async function findSubnets({ ec2 }: Fleet, { subnet, volumeZone }: PlaceOptions): Promise<Subnet[]> {
  const { Subnets = [] } = await ec2.send(
    new DescribeSubnetsCommand(
      subnet ? { SubnetIds: [subnet] } : { Filters: [{ Name: "default-for-az", Values: ["true"] }] },
    ),
  );
  return Subnets.filter(({ AvailabilityZone }) => volumeZone === null || AvailabilityZone === volumeZone);
}

function noPlace({ subnet, volumeZone }: PlaceOptions, zone: string): UploaderError {
  const of = volumeZone === null ? "" : ` in ${volumeZone}, where the volume is`;
  const message = zone
    ? `${zone} offers none of the instance types.`
    : subnet
      ? `The subnet ${subnet} is not${of}.`
      : `There is no default subnet${of}.`;
  return new UploaderError({
    code: "CONFIG_INVALID",
    message,
    hint: "Name a --subnet whose instances reach the internet, or other --instance-types.",
  });
}
