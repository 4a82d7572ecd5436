import { setTimeout as delay } from "node:timers/promises";
import {
  type AutoScalingGroup,
  CreateAutoScalingGroupCommand,
  type CreateAutoScalingGroupCommandInput,
  CreateOrUpdateTagsCommand,
  DescribeAutoScalingGroupsCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import type { Property } from "../aws/desired-state.ts";
import { assertOfFleet, type Fleet, fleetTags } from "./fleet.ts";

export interface GroupOptions {
  readonly subnet: string;
  readonly instanceTypes: readonly string[];
}

type Wanted = Omit<CreateAutoScalingGroupCommandInput, "AutoScalingGroupName">;

export async function findGroup({ scaling, name }: Fleet): Promise<AutoScalingGroup | null> {
  const { AutoScalingGroups = [] } = await scaling.send(
    new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }),
  );
  return AutoScalingGroups[0] ?? null;
}

/** The Auto Scaling group: one spot instance, never two, since two cannot have the volume. */
export function desiredGroup(fleet: Fleet, options: GroupOptions): Property<Wanted> {
  const { scaling, name } = fleet;
  const AutoScalingGroupName = name;
  return {
    name: "auto-scaling group",
    async read() {
      const found = await findGroup(fleet);
      if (!found) return null;
      assertOfFleet(name, `auto-scaling group ${name}`, found.Tags);
      return groupState(found);
    },
    wanted: () => groupData(fleet, options),
    async write({ Tags = [], ...wanted }) {
      const tags = Tags.map((tag) => ({ ...tag, ResourceId: name, ResourceType: "auto-scaling-group" }));
      if (!(await findGroup(fleet)))
        return createGroup(fleet, { AutoScalingGroupName, ...wanted, Tags: tags });
      await scaling.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName, ...wanted }));
      await scaling.send(new CreateOrUpdateTagsCommand({ Tags: tags }));
    },
    text: groupText,
  };
}

function groupData({ name }: Fleet, { subnet, instanceTypes }: GroupOptions): Wanted {
  return {
    MinSize: 1,
    MaxSize: 1,
    DesiredCapacity: 1,
    VPCZoneIdentifier: subnet,
    HealthCheckType: "EC2",
    // A replacement that is started before the end could do nothing but wait for the volume: docs/SPOT.md.
    CapacityRebalance: false,
    MixedInstancesPolicy: {
      LaunchTemplate: {
        LaunchTemplateSpecification: { LaunchTemplateName: name, Version: "$Default" },
        Overrides: instanceTypes.map((InstanceType) => ({ InstanceType })),
      },
      InstancesDistribution: {
        OnDemandBaseCapacity: 0,
        OnDemandPercentageAboveBaseCapacity: 0,
        SpotAllocationStrategy: "capacity-optimized",
      },
    },
    Tags: fleetTags(name).map((tag) => ({ ...tag, PropagateAtLaunch: true })),
  };
}

/** The part of a group that is ours to say. */
function groupState(found: AutoScalingGroup): Wanted {
  const { LaunchTemplate, InstancesDistribution } = found.MixedInstancesPolicy ?? {};
  const { LaunchTemplateName, Version } = LaunchTemplate?.LaunchTemplateSpecification ?? {};
  const keys = fleetTags("").map(({ Key }) => Key);
  return {
    MinSize: found.MinSize,
    MaxSize: found.MaxSize,
    DesiredCapacity: found.DesiredCapacity,
    VPCZoneIdentifier: found.VPCZoneIdentifier,
    HealthCheckType: found.HealthCheckType,
    CapacityRebalance: found.CapacityRebalance ?? false,
    MixedInstancesPolicy: {
      LaunchTemplate: {
        LaunchTemplateSpecification: { LaunchTemplateName, Version },
        Overrides: (LaunchTemplate?.Overrides ?? []).map(({ InstanceType }) => ({ InstanceType })),
      },
      InstancesDistribution: {
        OnDemandBaseCapacity: InstancesDistribution?.OnDemandBaseCapacity,
        OnDemandPercentageAboveBaseCapacity: InstancesDistribution?.OnDemandPercentageAboveBaseCapacity,
        SpotAllocationStrategy: InstancesDistribution?.SpotAllocationStrategy,
      },
    },
    Tags: (found.Tags ?? [])
      .filter(({ Key = "" }) => keys.includes(Key))
      .map(({ Key, Value, PropagateAtLaunch }) => ({ Key, Value, PropagateAtLaunch })),
  };
}

const ATTEMPTS = 15;
const PAUSE_MS = 2_000;

/** Auto Scaling does not know a new instance profile for some seconds. */
async function createGroup({ scaling }: Fleet, input: CreateAutoScalingGroupCommandInput): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      await scaling.send(new CreateAutoScalingGroupCommand(input));
      return;
    } catch (error) {
      const isUnknown = error instanceof Error && /instance.?profile/i.test(error.message);
      if (!isUnknown || attempt === ATTEMPTS) throw error;
      await delay(PAUSE_MS);
    }
}

function groupText({ MinSize, MaxSize, DesiredCapacity, MixedInstancesPolicy, ...group }: Wanted): string {
  const { InstancesDistribution, LaunchTemplate } = MixedInstancesPolicy ?? {};
  const onDemand =
    InstancesDistribution?.OnDemandBaseCapacity === 0 &&
    InstancesDistribution.OnDemandPercentageAboveBaseCapacity === 0
      ? ""
      : ", ON DEMAND TOO";
  const types = LaunchTemplate?.Overrides?.map(({ InstanceType }) => InstanceType).join(" ");
  const count = `${DesiredCapacity} wanted, ${MinSize} to ${MaxSize}`;
  return `${count}, spot ${InstancesDistribution?.SpotAllocationStrategy}${onDemand}, ${types}, in ${group.VPCZoneIdentifier}`;
}
