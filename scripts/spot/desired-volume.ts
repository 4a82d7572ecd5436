import {
  CreateVolumeCommand,
  type InstanceBlockDeviceMapping,
  ModifyInstanceAttributeCommand,
  ModifyVolumeCommand,
  type Volume,
  type VolumeType,
} from "@aws-sdk/client-ec2";
import { UploaderError } from "../../src/core/errors.ts";
import type { Property } from "../aws/desired-state.ts";
import { type Fleet, fleetTags } from "./fleet.ts";
import { findInstances } from "./instances.ts";
import { findVolume, volumeText } from "./volume.ts";

const TYPE: VolumeType = "gp3";

/** What the launch template has to know of what was made before it. */
export interface MadeVolume {
  volume: string | null;
}

/** The volume and that it outlives the instance; `made` gets its id. */
export function desiredVolume(
  fleet: Fleet,
  options: { readonly zone: string; readonly sizeGib: number },
  made: MadeVolume,
): Property[] {
  return [volume(fleet, options, made), outlivesInstance(fleet)];
}

function volume(
  fleet: Fleet,
  { zone, sizeGib }: { readonly zone: string; readonly sizeGib: number },
  made: MadeVolume,
): Property<Volume> {
  return {
    name: "volume",
    async read() {
      const found = await findVolume(fleet);
      if (!found) return null;
      made.volume = found.VolumeId ?? null;
      assertEncrypted(found);
      const { VolumeId, AvailabilityZone, Size = 0, VolumeType: type, Encrypted } = found;
      return { VolumeId, AvailabilityZone, Size, VolumeType: type, Encrypted };
    },
    // EBS makes no volume smaller.
    wanted: (found) => ({
      VolumeId: found?.VolumeId,
      AvailabilityZone: zone,
      Size: Math.max(sizeGib, found?.Size ?? 0),
      VolumeType: TYPE,
      Encrypted: true,
    }),
    async write({ VolumeId, Size }) {
      if (VolumeId) await fleet.ec2.send(new ModifyVolumeCommand({ VolumeId, Size, VolumeType: TYPE }));
      else
        made.volume =
          (
            await fleet.ec2.send(
              new CreateVolumeCommand({
                AvailabilityZone: zone,
                Size,
                VolumeType: TYPE,
                Encrypted: true,
                // Another default key of the account would ask the instances for grants that their role has not.
                KmsKeyId: "alias/aws/ebs",
                TagSpecifications: [{ ResourceType: "volume", Tags: fleetTags(fleet.name) }],
              }),
            )
          ).VolumeId ?? null;
    },
    text: volumeText,
    notes: ({ Size = 0 }) =>
      Size > sizeGib ? [`the volume has ${Size} GiB; EBS makes none smaller, so it stays`] : [],
  };
}

function assertEncrypted({ VolumeId, Encrypted }: Volume): void {
  if (Encrypted) return;
  throw new UploaderError({
    code: "USAGE",
    message: `The volume ${VolumeId} is not encrypted, and none can be encrypted later.`,
    hint: "Copy it by way of an encrypted snapshot, and move the tags to the copy.",
  });
}

/** Attaching leaves it so; somebody may have changed it on the instance. Nothing to see where it is not attached. */
function outlivesInstance(fleet: Fleet): Property<boolean> {
  return {
    name: "volume outlives the instance",
    async read() {
      const found = await findMapping(fleet);
      return found ? !found.mapping.Ebs?.DeleteOnTermination : null;
    },
    wanted: (found) => (found === null ? null : true),
    async write() {
      const { instance, mapping } = (await findMapping(fleet)) ?? {};
      await fleet.ec2.send(
        new ModifyInstanceAttributeCommand({
          InstanceId: instance,
          BlockDeviceMappings: [{ DeviceName: mapping?.DeviceName, Ebs: { DeleteOnTermination: false } }],
        }),
      );
    },
    text: (outlives) => (outlives ? "yes" : "no"),
  };
}

/** What the instance that has the volume says of it; null where none has. */
async function findMapping(
  fleet: Fleet,
): Promise<{ readonly instance: string; readonly mapping: InstanceBlockDeviceMapping } | null> {
  const volume = (await findVolume(fleet))?.VolumeId;
  for (const { InstanceId: instance = "", BlockDeviceMappings = [] } of await findInstances(fleet)) {
    const mapping = BlockDeviceMappings.find(({ Ebs }) => volume && Ebs?.VolumeId === volume);
    if (mapping) return { instance, mapping };
  }
  return null;
}
