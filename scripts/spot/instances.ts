import { DescribeInstancesCommand, type Instance } from "@aws-sdk/client-ec2";
import { type Fleet, fleetFilter } from "./fleet.ts";

/** The instances of the fleet, those included that have ended and AWS still knows; the newest first. */
export async function findInstances({ ec2, name }: Fleet): Promise<Instance[]> {
  const { Reservations = [] } = await ec2.send(
    new DescribeInstancesCommand({ Filters: [fleetFilter(name)] }),
  );
  return Reservations.flatMap(({ Instances = [] }) => Instances).sort(
    (left, right) => startOf(right) - startOf(left),
  );
}

function startOf({ LaunchTime }: Instance): number {
  return LaunchTime?.getTime() ?? 0;
}

export function hasEnded({ State }: Instance): boolean {
  return State?.Name === "terminated";
}
