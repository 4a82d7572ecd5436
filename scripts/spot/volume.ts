import { DescribeVolumesCommand, type Volume } from "@aws-sdk/client-ec2";
import { UploaderError } from "../../src/core/errors.ts";
import { type Fleet, fleetFilter } from "./fleet.ts";

/** The name under which instances attach it, on every one the same. */
export const DEVICE = "/dev/sdf";

/**
 * The volume with the database, the state and the outbox; null where there is none.
 *
 * @throws {UploaderError} USAGE where there are several, since one of them has what was not delivered
 */
export async function findVolume({ ec2, name }: Fleet): Promise<Volume | null> {
  const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({ Filters: [fleetFilter(name)] }));
  const kept = Volumes.filter(({ State }) => State !== "deleting" && State !== "deleted");
  if (kept.length <= 1) return kept[0] ?? null;
  throw new UploaderError({
    code: "USAGE",
    message: `The fleet ${name} has several volumes: ${kept.map(({ VolumeId }) => VolumeId).join(", ")}.`,
    hint: "Find out which one has the data, and delete the others.",
  });
}

/** One line: `vol-…: 20 GiB gp3, encrypted, in us-west-2a`. */
export function volumeText({ VolumeId, Size, VolumeType, Encrypted, AvailabilityZone }: Volume): string {
  const encrypted = Encrypted ? "encrypted" : "NOT encrypted";
  return `${VolumeId ?? "a new one"}: ${Size} GiB ${VolumeType}, ${encrypted}, in ${AvailabilityZone}`;
}
