import {
  type AutoScalingGroup,
  DescribeScalingActivitiesCommand,
  type Instance as GroupInstance,
} from "@aws-sdk/client-auto-scaling";
import type { Instance } from "@aws-sdk/client-ec2";
import { UploaderError } from "../../src/core/errors.ts";
import { findGroup } from "./desired-group.ts";
import type { Fleet } from "./fleet.ts";
import { findInstances, hasEnded } from "./instances.ts";
import { findVolume, volumeText } from "./volume.ts";

const ACTIVITIES = 5;

/**
 * Prints the group, its instances, the volume and what happened last.
 *
 * @throws {UploaderError} USAGE where there is neither group nor volume; what the SDK throws
 */
export async function printStatus(fleet: Fleet, print: (line: string) => void): Promise<void> {
  const group = await findGroup(fleet);
  const volume = await findVolume(fleet);
  if (!group && !volume) throw noFleet(fleet);
  print(`fleet ${fleet.name} in ${fleet.region}`);
  print(`  group: ${group ? groupText(group) : "none"}`);
  for (const instance of (await findInstances(fleet)).filter((found) => !hasEnded(found)))
    print(`  instance ${instanceText(instance, group)}`);
  print(`  volume ${volume ? volumeText(volume) : "none"}${volume ? `, ${attachmentText(volume)}` : ""}`);
  if (!group) return;
  const { Activities = [] } = await fleet.scaling.send(
    new DescribeScalingActivitiesCommand({ AutoScalingGroupName: fleet.name, MaxRecords: ACTIVITIES }),
  );
  for (const { StartTime, StatusCode, Description, StatusMessage } of Activities)
    print(`  ${timeText(StartTime)} ${StatusCode}: ${StatusMessage ?? Description}`);
}

export function noFleet({ name, region }: Fleet): UploaderError {
  return new UploaderError({
    code: "USAGE",
    message: `There is no fleet ${name} in ${region}.`,
    hint: "Make it with create, or correct --name and --region.",
  });
}

function groupText({ DesiredCapacity, Instances = [], MixedInstancesPolicy }: AutoScalingGroup): string {
  const inService = Instances.filter(({ LifecycleState }) => LifecycleState === "InService").length;
  const types = MixedInstancesPolicy?.LaunchTemplate?.Overrides?.map(({ InstanceType }) => InstanceType);
  return `${DesiredCapacity} wanted, ${inService} in service, of ${types?.join(" ")}`;
}

function instanceText(instance: Instance, group: AutoScalingGroup | null): string {
  const { InstanceId, InstanceType, InstanceLifecycle = "on demand", LaunchTime, State } = instance;
  const inGroup: GroupInstance | undefined = group?.Instances?.find(
    (found) => found.InstanceId === InstanceId,
  );
  const health = inGroup ? `, ${inGroup.LifecycleState}, ${inGroup.HealthStatus}` : "";
  return `${InstanceId}: ${InstanceType || "?"}, ${InstanceLifecycle}, ${State?.Name}${health}, since ${timeText(LaunchTime)}`;
}

function attachmentText({
  Attachments = [],
}: {
  readonly Attachments?:
    | { readonly InstanceId?: string | undefined; readonly State?: string | undefined }[]
    | undefined;
}): string {
  return Attachments.map(({ InstanceId, State }) => `${State} to ${InstanceId}`).join(", ") || "not attached";
}

function timeText(time: Date | undefined): string {
  return time ? time.toISOString().replace(/\.\d+Z$/, "Z") : "?";
}
