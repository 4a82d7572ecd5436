import {
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  GetRoleCommand,
  type IAMClient,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
} from "@aws-sdk/client-iam";
import { UploaderError } from "../../src/core/errors.ts";
import { describeAwsError, orNull } from "./aws-errors.ts";
import type { ChangeReport } from "./change-report.ts";
import {
  assertOurs,
  EVENT_QUEUES_POLICY,
  FILE_EVENTS_POLICY,
  READ_POLICY,
} from "./desired-databricks-role.ts";

const OWN_POLICIES = [READ_POLICY, FILE_EVENTS_POLICY, EVENT_QUEUES_POLICY];

/**
 * Takes our role away with its policies.
 *
 * @throws {UploaderError} USAGE, before anything is changed, where the role or a policy of it is somebody else's
 */
export async function deleteDatabricksRole(
  iam: IAMClient,
  RoleName: string,
  report: ChangeReport,
): Promise<void> {
  try {
    const found = await orNull(iam.send(new GetRoleCommand({ RoleName })));
    if (!found) return report.alreadySo("no such role");
    assertOurs(RoleName, found.Role?.Tags);
    const policies = await ownPolicies(iam, RoleName);
    for (const PolicyName of policies) {
      if (!report.dryRun) await iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName }));
      report.removed(`policy ${PolicyName}`);
    }
    if (!report.dryRun) await iam.send(new DeleteRoleCommand({ RoleName }));
    report.removed("role");
  } catch (error) {
    throw describeAwsError(error, `The role ${RoleName} could not be deleted`);
  }
}

async function ownPolicies(iam: IAMClient, RoleName: string): Promise<string[]> {
  const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
  const { AttachedPolicies = [] } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  const foreign = [
    ...PolicyNames.filter((name) => !OWN_POLICIES.includes(name)),
    ...AttachedPolicies.map(({ PolicyName = "?" }) => PolicyName),
  ];
  if (foreign.length === 0) return PolicyNames;
  throw new UploaderError({
    code: "USAGE",
    message: `The role ${RoleName} has policies that this script has not made: ${foreign.join(", ")}. Nothing was deleted.`,
    hint: "Take them away first.",
  });
}
