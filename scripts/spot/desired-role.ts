import {
  AddRoleToInstanceProfileCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  CreateServiceLinkedRoleCommand,
  GetInstanceProfileCommand,
  GetRoleCommand,
  ListRolesCommand,
  RemoveRoleFromInstanceProfileCommand,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import { orNull } from "../aws/aws-errors.ts";
import type { PolicyDocument } from "../aws/bucket-policy.ts";
import type { Property } from "../aws/desired-state.ts";
import { inlinePolicy, parseDocument } from "../aws/inline-policy.ts";
import { assertOfFleet, type Fleet, fleetTags } from "./fleet.ts";
import type { RoleDocuments } from "./role-documents.ts";

/** The policies of the role, in the order in which they are reported. */
export const ROLE_POLICIES = ["upload", "attach-volume", "session-manager"] as const;

/** The role of the instances with its policies, the profile by which they get it, and the role that spot needs. */
export function desiredRole(fleet: Fleet, documents: RoleDocuments): Property[] {
  const holder = { kind: "role", name: fleet.role } as const;
  const [upload, attachVolume, sessionManager] = ROLE_POLICIES;
  return [
    spotRole(fleet),
    trustedRole(fleet, documents.trust),
    inlinePolicy(fleet.iam, holder, upload, documents.upload),
    inlinePolicy(fleet.iam, holder, attachVolume, documents.attachVolume),
    inlinePolicy(fleet.iam, holder, sessionManager, documents.sessionManager),
    instanceProfile(fleet),
  ];
}

const SPOT = "spot.amazonaws.com";

/**
 * EC2's own role for spot instances, which an account has once somebody asked for one in the console. It is the account's,
 * so it stays. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html
 */
function spotRole({ iam }: Fleet): Property<string> {
  return {
    name: "role of the account for spot instances",
    async read() {
      const PathPrefix = `/aws-service-role/${SPOT}/`;
      const { Roles = [] } = await iam.send(new ListRolesCommand({ PathPrefix }));
      return Roles.length > 0 ? SPOT : null;
    },
    wanted: () => SPOT,
    async write() {
      await iam.send(new CreateServiceLinkedRoleCommand({ AWSServiceName: SPOT }));
    },
  };
}

function trustedRole({ iam, role: RoleName, name }: Fleet, trust: PolicyDocument): Property<PolicyDocument> {
  return {
    name: "role",
    async read() {
      const found = (await orNull(iam.send(new GetRoleCommand({ RoleName }))))?.Role;
      if (!found) return null;
      assertOfFleet(name, `role ${RoleName}`, found.Tags);
      return parseDocument(found.AssumeRolePolicyDocument ?? '{"Statement":[]}');
    },
    wanted: () => trust,
    async write(wanted) {
      const document = JSON.stringify(wanted);
      if (await orNull(iam.send(new GetRoleCommand({ RoleName }))))
        await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: document }));
      else
        await iam.send(
          new CreateRoleCommand({
            RoleName,
            Description: "An instance of a spot fleet that runs the databricks-uploader",
            Tags: fleetTags(name),
            AssumeRolePolicyDocument: document,
          }),
        );
    },
    text: ({ Statement }) =>
      `trusts ${[Statement]
        .flat()
        .map(({ Principal }) => JSON.stringify(Principal))
        .join(", ")}`,
  };
}

/** The profile, which is the roles in it; IAM takes one at most. */
function instanceProfile({ iam, role, name }: Fleet): Property<string[]> {
  const InstanceProfileName = role;
  const find = async () =>
    (await orNull(iam.send(new GetInstanceProfileCommand({ InstanceProfileName }))))?.InstanceProfile;
  const rolesOf = (profile: Awaited<ReturnType<typeof find>>) =>
    (profile?.Roles ?? []).map(({ RoleName = "?" }) => RoleName);
  return {
    name: "instance profile",
    async read() {
      const found = await find();
      if (!found) return null;
      assertOfFleet(name, `instance profile ${InstanceProfileName}`, found.Tags);
      return rolesOf(found);
    },
    wanted: () => [role],
    async write() {
      const found = await find();
      if (!found)
        await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName, Tags: fleetTags(name) }));
      for (const RoleName of rolesOf(found))
        await iam.send(new RemoveRoleFromInstanceProfileCommand({ InstanceProfileName, RoleName }));
      await iam.send(new AddRoleToInstanceProfileCommand({ InstanceProfileName, RoleName: role }));
    },
    text: (roles) => roles.join(", ") || "no role",
  };
}
