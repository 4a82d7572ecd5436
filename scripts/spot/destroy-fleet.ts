import { setTimeout as delay } from "node:timers/promises";
import { DeleteAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import {
  DeleteLaunchTemplateCommand,
  DeleteSecurityGroupCommand,
  DeleteVolumeCommand,
  DescribeLaunchTemplatesCommand,
  DescribeSecurityGroupsCommand,
} from "@aws-sdk/client-ec2";
import { UploaderError } from "../../src/core/errors.ts";
import { describeAwsError } from "../aws/aws-errors.ts";
import type { ChangeReport } from "../aws/change-report.ts";
import { deleteRole } from "./delete-role.ts";
import { findGroup } from "./desired-group.ts";
import { assertOfFleet, type Fleet, fleetFilter } from "./fleet.ts";
import { findInstances, hasEnded } from "./instances.ts";
import { findVolume, volumeText } from "./volume.ts";

export interface DestroyOptions {
  readonly deleteVolume: boolean;
  /** The id of the volume, as somebody who wants it deleted has written it. */
  readonly confirm: string | null;
}

/**
 * Takes away what carries the fleet's tag, the volume alone if that is wanted and confirmed.
 *
 * @throws {UploaderError} before anything is changed, where it is not confirmed or belongs to somebody else
 */
export async function destroyFleet(
  fleet: Fleet,
  options: DestroyOptions,
  report: ChangeReport,
): Promise<void> {
  report.title(`fleet ${fleet.name} in ${fleet.region}`);
  try {
    await assertConfirmed(fleet, options);
    await deleteGroup(fleet, report);
    await deleteLaunchTemplate(fleet, report);
    await deleteSecurityGroups(fleet, report);
    await deleteRole(fleet, report);
    await deleteVolume(fleet, options, report);
  } catch (error) {
    throw describeAwsError(error, `The fleet ${fleet.name} could not be destroyed`);
  }
}

async function assertConfirmed(fleet: Fleet, { deleteVolume, confirm }: DestroyOptions): Promise<void> {
  const volume = deleteVolume ? await findVolume(fleet) : null;
  if (!volume || confirm === volume.VolumeId) return;
  throw new UploaderError({
    code: "USAGE",
    message: `The volume ${volumeText(volume)} has the database and what was not delivered, and neither can be brought back. Nothing was changed.`,
    hint: `Add --confirm ${volume.VolumeId} if it may go.`,
  });
}

/** The group first, since it would start another instance; what the instances hold can go when they have ended. */
async function deleteGroup(fleet: Fleet, report: ChangeReport): Promise<void> {
  const group = await findGroup(fleet);
  const instances = (await findInstances(fleet)).filter((found) => !hasEnded(found));
  if (group) {
    assertOfFleet(fleet.name, `auto-scaling group ${fleet.name}`, group.Tags);
    if (!report.dryRun)
      await fleet.scaling.send(
        new DeleteAutoScalingGroupCommand({ AutoScalingGroupName: fleet.name, ForceDelete: true }),
      );
    report.removed("auto-scaling group");
  }
  if (instances.length > 0 && !report.dryRun) report.note("the instance is shut down, which takes minutes");
  if (!report.dryRun) await untilEnded(fleet);
  for (const { InstanceId } of instances) report.removed(`instance ${InstanceId}`);
}

const PAUSE_MS = 5_000;
/** A shutdown lets the uploader finish its object, for at most five minutes. */
const MOST_MS = 15 * 60_000;

/** The group too: while it is being deleted, no other can have its name. */
async function untilEnded(fleet: Fleet): Promise<void> {
  for (let waited = 0; ; waited += PAUSE_MS) {
    const instances = (await findInstances(fleet)).filter((found) => !hasEnded(found));
    const left = instances.map(({ InstanceId = "?" }) => InstanceId);
    if (await findGroup(fleet)) left.push(`the group ${fleet.name}`);
    if (left.length === 0) return;
    if (waited >= MOST_MS)
      throw new UploaderError({
        code: "SINK_UNAVAILABLE",
        message: `After 15 minutes there is still ${left.join(", ")}.`,
        hint: "Run destroy again: what is gone already stays gone.",
      });
    await delay(PAUSE_MS);
  }
}

async function deleteLaunchTemplate({ ec2, name }: Fleet, report: ChangeReport): Promise<void> {
  const { LaunchTemplates = [] } = await ec2.send(
    new DescribeLaunchTemplatesCommand({ Filters: [fleetFilter(name)] }),
  );
  for (const { LaunchTemplateId, LaunchTemplateName } of LaunchTemplates) {
    if (!report.dryRun) await ec2.send(new DeleteLaunchTemplateCommand({ LaunchTemplateId }));
    report.removed(`launch template ${LaunchTemplateName}`);
  }
}

async function deleteSecurityGroups({ ec2, name }: Fleet, report: ChangeReport): Promise<void> {
  const { SecurityGroups = [] } = await ec2.send(
    new DescribeSecurityGroupsCommand({ Filters: [fleetFilter(name)] }),
  );
  for (const { GroupId } of SecurityGroups) {
    if (!report.dryRun) await ec2.send(new DeleteSecurityGroupCommand({ GroupId }));
    report.removed(`security group ${GroupId}`);
  }
}

async function deleteVolume(fleet: Fleet, options: DestroyOptions, report: ChangeReport): Promise<void> {
  const volume = await findVolume(fleet);
  if (!volume) return;
  if (!options.deleteVolume) return report.note(`the volume stays: ${volumeText(volume)}`);
  if (!report.dryRun) await fleet.ec2.send(new DeleteVolumeCommand({ VolumeId: volume.VolumeId }));
  report.removed(`volume ${volumeText(volume)}`);
}
