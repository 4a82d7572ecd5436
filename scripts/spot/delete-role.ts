import {
  DeleteInstanceProfileCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  GetInstanceProfileCommand,
  GetRoleCommand,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
  RemoveRoleFromInstanceProfileCommand,
} from "@aws-sdk/client-iam";
import { UploaderError } from "../../src/core/errors.ts";
import { orNull } from "../aws/aws-errors.ts";
import type { ChangeReport } from "../aws/change-report.ts";
import { ROLE_POLICIES } from "./desired-role.ts";
import { assertOfFleet, type Fleet } from "./fleet.ts";

/**
 * Takes the instances' role away with its policies and its profile.
 *
 * @throws {UploaderError} USAGE where others have added a policy; what the SDK throws
 */
export async function deleteRole(fleet: Fleet, report: ChangeReport): Promise<void> {
  await deleteProfile(fleet, report);
  const { iam, role: RoleName, name } = fleet;
  const found = (await orNull(iam.send(new GetRoleCommand({ RoleName }))))?.Role;
  if (!found) return;
  assertOfFleet(name, `role ${RoleName}`, found.Tags);
  const policies = await ownPolicies(fleet);
  for (const PolicyName of policies) {
    if (!report.dryRun) await iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName }));
    report.removed(`policy ${PolicyName}`);
  }
  if (!report.dryRun) await iam.send(new DeleteRoleCommand({ RoleName }));
  report.removed(`role ${RoleName}`);
}

async function deleteProfile({ iam, role, name }: Fleet, report: ChangeReport): Promise<void> {
  const InstanceProfileName = role;
  const found = (await orNull(iam.send(new GetInstanceProfileCommand({ InstanceProfileName }))))
    ?.InstanceProfile;
  if (!found) return;
  assertOfFleet(name, `instance profile ${InstanceProfileName}`, found.Tags);
  if (!report.dryRun) {
    for (const { RoleName } of found.Roles ?? [])
      await iam.send(new RemoveRoleFromInstanceProfileCommand({ InstanceProfileName, RoleName }));
    await iam.send(new DeleteInstanceProfileCommand({ InstanceProfileName }));
  }
  report.removed(`instance profile ${InstanceProfileName}`);
}

async function ownPolicies({ iam, role: RoleName }: Fleet): Promise<string[]> {
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
  const { AttachedPolicies = [] } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  const foreign = [
    ...PolicyNames.filter((policy) => !(ROLE_POLICIES as readonly string[]).includes(policy)),
    ...AttachedPolicies.map(({ PolicyName = "?" }) => PolicyName),
  ];
  if (foreign.length === 0) return PolicyNames;
  throw new UploaderError({
    code: "USAGE",
    message: `The role ${RoleName} has policies that this fleet has not made: ${foreign.join(", ")}. It stays.`,
    hint: "Take them away, and run destroy again.",
  });
}
