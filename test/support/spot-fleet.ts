import {
  AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  AttachVolumeCommand,
  DescribeInstancesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  EC2Client,
  type Instance,
  type ResponseLaunchTemplateData,
  type SecurityGroup,
  type Volume,
} from "@aws-sdk/client-ec2";
import { GetRolePolicyCommand } from "@aws-sdk/client-iam";
import { afterEach, beforeEach } from "vitest";
import { type AwsAccount, awsAccount, type ScriptOutcome } from "./aws-account.ts";
import { type S3Server, suiteFor } from "./s3-servers.ts";

/** The script of which these are the tests, as `AwsAccount.run` takes it. */
export const SCRIPT = "spot/install";
export const NAME = "line-7";
export const NAMED = ["--name", NAME, "--region", "us-west-2"];
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
export const SOURCE = ["--repository", "https://git.example.com/uploader", "--revision", COMMIT];
export const CREATE = ["create", ...NAMED, "--prefix", "acme", ...SOURCE];
export const ROLE = "line-7-us-west-2";
export const TAG = { Key: "databricks-uploader-fleet", Value: NAME };
export const OURS = [{ Name: `tag:${TAG.Key}`, Values: [NAME] }];

/** The fleet `line-7` in an account that has nothing else, and what AWS says of its parts. */
export interface SpotFleet {
  server(): S3Server;
  account(): AwsAccount;
  ec2(): EC2Client;
  scaling(): AutoScalingClient;
  create(...options: string[]): Promise<ScriptOutcome>;
  destroy(...options: string[]): Promise<ScriptOutcome>;
  group(): Promise<AutoScalingGroup | undefined>;
  volumes(): Promise<Volume[]>;
  securityGroup(): Promise<SecurityGroup | undefined>;
  /** Those that run. */
  instances(): Promise<Instance[]>;
  /** The data of the launch template's default version. */
  template(): Promise<ResponseLaunchTemplateData | undefined>;
  /** The start-up script in it. */
  userData(): Promise<string>;
  /** A policy of the instances' role. */
  policy(name: string): Promise<{ Statement: unknown[] }>;
  /** Gives an instance the volume, as its start-up script does. */
  attach(instance: string | undefined): Promise<void>;
}

/** A suite with a new account for each test. */
export function suiteForFleet(title: string, define: (fleet: SpotFleet) => void): void {
  suiteFor("moto", title, (server) => {
    let clients: { account: AwsAccount; ec2: EC2Client; scaling: AutoScalingClient };
    beforeEach(async () => {
      const { endpoint, accessKeyId, secretAccessKey } = server();
      const settings = { region: "us-west-2", endpoint, credentials: { accessKeyId, secretAccessKey } };
      const account = awsAccount(server());
      await account.reset();
      clients = { account, ec2: new EC2Client(settings), scaling: new AutoScalingClient(settings) };
    });
    afterEach(() => [clients.ec2, clients.scaling].forEach((client) => void client.destroy()));
    define(spotFleet(server, () => clients));
  });
}

function spotFleet(
  server: () => S3Server,
  clients: () => { account: AwsAccount; ec2: EC2Client; scaling: AutoScalingClient },
): SpotFleet {
  const account = () => clients().account;
  const ec2 = () => clients().ec2;
  const scaling = () => clients().scaling;
  const volumes = async () => (await ec2().send(new DescribeVolumesCommand({ Filters: OURS }))).Volumes ?? [];
  const template = async () =>
    (
      await ec2().send(
        new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateName: NAME, Versions: ["$Default"] }),
      )
    ).LaunchTemplateVersions?.[0]?.LaunchTemplateData;
  return {
    ...{ server, account, ec2, scaling, volumes, template },
    create: (...options) => account().run(SCRIPT, [...CREATE, ...options]),
    destroy: (...options) => account().run(SCRIPT, ["destroy", ...NAMED, ...options]),
    group: async () => (await scaling().send(new DescribeAutoScalingGroupsCommand())).AutoScalingGroups?.[0],
    securityGroup: async () =>
      (await ec2().send(new DescribeSecurityGroupsCommand({ Filters: OURS }))).SecurityGroups?.[0],
    instances: async () =>
      ((await ec2().send(new DescribeInstancesCommand({ Filters: OURS }))).Reservations ?? [])
        .flatMap(({ Instances = [] }) => Instances)
        .filter(({ State }) => State?.Name === "running"),
    userData: async () => Buffer.from((await template())?.UserData ?? "", "base64").toString(),
    async policy(PolicyName) {
      const found = await account().iam.send(new GetRolePolicyCommand({ RoleName: ROLE, PolicyName }));
      return JSON.parse(decodeURIComponent(found.PolicyDocument ?? "null"));
    },
    async attach(InstanceId) {
      const VolumeId = (await volumes())[0]?.VolumeId;
      await ec2().send(new AttachVolumeCommand({ InstanceId, VolumeId, Device: "/dev/sdf" }));
    },
  };
}
