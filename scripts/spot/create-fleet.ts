import { TerminateInstanceInAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { describeAwsError } from "../aws/aws-errors.ts";
import type { ChangeReport } from "../aws/change-report.ts";
import { putRight } from "../aws/desired-state.ts";
import { desiredGroup, findGroup } from "./desired-group.ts";
import { desiredLaunchTemplate } from "./desired-launch-template.ts";
import { desiredRole } from "./desired-role.ts";
import { desiredSecurityGroup } from "./desired-security-group.ts";
import { desiredVolume } from "./desired-volume.ts";
import type { Fleet } from "./fleet.ts";
import { choosePlace, type Place } from "./place.ts";
import type { ProjectSource } from "./project-source.ts";
import { roleDocuments } from "./role-documents.ts";
import { userData } from "./user-data.ts";
import { findVolume } from "./volume.ts";

export interface FleetOptions {
  readonly account: string;
  readonly prefix: string;
  readonly kmsKey: string | null;
  readonly instanceTypes: readonly string[];
  readonly volumeGib: number;
  readonly subnet: string | null;
  readonly source: ProjectSource;
  readonly config: string;
  readonly sensor: boolean;
  readonly sessionManager: boolean;
  readonly replaceInstance: boolean;
}

/** Makes the fleet, or puts it right; what is so already stays as it is. */
export async function createFleet(fleet: Fleet, options: FleetOptions, report: ChangeReport): Promise<void> {
  const subject = `fleet ${fleet.name}`;
  report.title(`${subject} in ${fleet.region}`);
  const place = await placeOf(fleet, options).catch((error) => {
    throw describeAwsError(error, `${subject}, its place`);
  });
  for (const type of place.notOffered) report.note(`${place.zone} does not offer ${type}`);
  const made: Made = { volume: null, securityGroup: null, isTemplateNew: false };
  await putRight(
    subject,
    [
      ...desiredRole(fleet, roleDocuments({ fleet: fleet.name, region: fleet.region, ...options })),
      desiredSecurityGroup(fleet, place.vpc, made),
      ...desiredVolume(fleet, { zone: place.zone, sizeGib: options.volumeGib }, made),
      desiredLaunchTemplate(fleet, templateOf(fleet, options, place, made), made),
      desiredGroup(fleet, { subnet: place.subnet, instanceTypes: options.instanceTypes }),
    ],
    report,
  );
  await replaceInstances(fleet, options.replaceInstance, made, report);
}

interface Made {
  volume: string | null;
  securityGroup: string | null;
  isTemplateNew: boolean;
}

/** What is not made yet, as it stands in the report of a dry run. */
const NOT_YET = "not-made-yet";

async function placeOf(fleet: Fleet, { instanceTypes, subnet }: FleetOptions): Promise<Place> {
  const volumeZone = (await findVolume(fleet))?.AvailabilityZone ?? null;
  return choosePlace(fleet, { instanceTypes, subnet, volumeZone });
}

function templateOf(fleet: Fleet, options: FleetOptions, { architecture }: Place, made: Made) {
  const { source, config, sensor } = options;
  return {
    architecture,
    securityGroup: () => made.securityGroup ?? NOT_YET,
    userData: () =>
      userData({
        fleet: fleet.name,
        region: fleet.region,
        volume: made.volume ?? NOT_YET,
        ...source,
        sensor,
        config,
      }),
  };
}

/** What runs keeps the launch template that it was started by; another instance has the one of now. */
async function replaceInstances(
  fleet: Fleet,
  isWanted: boolean,
  { isTemplateNew }: Made,
  report: ChangeReport,
): Promise<void> {
  const running = ((await findGroup(fleet))?.Instances ?? []).filter(
    ({ LifecycleState }) => LifecycleState === "InService",
  );
  if (!isWanted && isTemplateNew && running.length > 0)
    report.note(
      "the instance that runs stays as it was started; --replace-instance has the group start another",
    );
  if (!isWanted) return;
  for (const { InstanceId } of running) {
    try {
      if (!report.dryRun)
        await fleet.scaling.send(
          new TerminateInstanceInAutoScalingGroupCommand({
            InstanceId,
            ShouldDecrementDesiredCapacity: false,
          }),
        );
    } catch (error) {
      throw describeAwsError(error, `The instance ${InstanceId} could not be ended`);
    }
    report.removed(`instance ${InstanceId}`, "the group starts another");
  }
}
