import {
  AuthorizeSecurityGroupEgressCommand,
  CreateSecurityGroupCommand,
  DescribeSecurityGroupsCommand,
  type IpPermission,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
  waitUntilSecurityGroupExists,
} from "@aws-sdk/client-ec2";
import type { Property } from "../aws/desired-state.ts";
import { sameDocument } from "../aws/same-document.ts";
import { assertOfFleet, type Fleet, fleetTags } from "./fleet.ts";

/** HTTPS to everywhere: S3, the packages, the repository. Names, the time and the metadata service need no rule. */
const EGRESS: readonly IpPermission[] = [
  {
    IpProtocol: "tcp",
    FromPort: 443,
    ToPort: 443,
    IpRanges: [{ CidrIp: "0.0.0.0/0" }],
    Ipv6Ranges: [{ CidrIpv6: "::/0" }],
  },
];

const WAIT_SECONDS = { minDelay: 1, maxDelay: 5, maxWaitTime: 60 };

interface Rules {
  readonly ingress: readonly string[];
  readonly egress: readonly string[];
}

export interface MadeSecurityGroup {
  securityGroup: string | null;
}

/** The security group, which is what it lets through: nothing in; `made` gets its id. */
export function desiredSecurityGroup(fleet: Fleet, vpc: string, made: MadeSecurityGroup): Property<Rules> {
  const { ec2, name } = fleet;
  const find = async () => {
    const { SecurityGroups = [] } = await ec2.send(
      new DescribeSecurityGroupsCommand({
        Filters: [
          { Name: "group-name", Values: [name] },
          { Name: "vpc-id", Values: [vpc] },
        ],
      }),
    );
    return SecurityGroups[0];
  };
  return {
    name: "security group",
    async read() {
      const found = await find();
      if (!found) return null;
      assertOfFleet(name, `security group ${name}`, found.Tags);
      made.securityGroup = found.GroupId ?? null;
      return { ingress: rulesOf(found.IpPermissions), egress: rulesOf(found.IpPermissionsEgress) };
    },
    wanted: () => ({ ingress: [], egress: rulesOf(EGRESS) }),
    async write() {
      if (!(await find())) {
        const { GroupId = "" } = await ec2.send(
          new CreateSecurityGroupCommand({
            GroupName: name,
            Description: "A spot fleet of the databricks-uploader: nothing in, HTTPS out",
            VpcId: vpc,
            TagSpecifications: [{ ResourceType: "security-group", Tags: fleetTags(name) }],
          }),
        );
        // EC2 may not know for some seconds what it has just made.
        await waitUntilSecurityGroupExists({ client: ec2, ...WAIT_SECONDS }, { GroupIds: [GroupId] });
      }
      const { GroupId, IpPermissions = [], IpPermissionsEgress = [] } = (await find()) ?? {};
      made.securityGroup = GroupId ?? null;
      if (IpPermissions.length > 0)
        await ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, IpPermissions }));
      // A new group lets everything out.
      if (sameDocument(rulesOf(IpPermissionsEgress), rulesOf(EGRESS))) return;
      if (IpPermissionsEgress.length > 0)
        await ec2.send(new RevokeSecurityGroupEgressCommand({ GroupId, IpPermissions: IpPermissionsEgress }));
      await ec2.send(new AuthorizeSecurityGroupEgressCommand({ GroupId, IpPermissions: [...EGRESS] }));
    },
    text: ({ ingress, egress }) =>
      `in ${ingress.join(", ") || "nothing"}, out ${egress.join(", ") || "nothing"}`,
  };
}

/** One text for each rule: `tcp 443 0.0.0.0/0`. */
function rulesOf(permissions: readonly IpPermission[] = []): string[] {
  return permissions.flatMap((permission) => {
    const { IpProtocol, FromPort, ToPort } = permission;
    const ports =
      FromPort === undefined ? "" : FromPort === ToPort ? ` ${FromPort}` : ` ${FromPort}-${ToPort}`;
    const protocol = IpProtocol === "-1" ? "all" : `${IpProtocol}${ports}`;
    const peers = [
      ...(permission.IpRanges ?? []).map(({ CidrIp }) => CidrIp),
      ...(permission.Ipv6Ranges ?? []).map(({ CidrIpv6 }) => CidrIpv6),
      ...(permission.UserIdGroupPairs ?? []).map(({ GroupId }) => GroupId),
      ...(permission.PrefixListIds ?? []).map(({ PrefixListId }) => PrefixListId),
    ];
    return peers.map((peer) => `${protocol} ${peer}`);
  });
}
