import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  AttachVolumeCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateLaunchTemplateVersionCommand,
  CreateSecurityGroupCommand,
  CreateVolumeCommand,
  DescribeInstancesCommand,
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVolumesCommand,
  EC2Client,
  ModifyInstanceAttributeCommand,
  ModifyLaunchTemplateCommand,
} from "@aws-sdk/client-ec2";
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  GetInstanceProfileCommand,
  GetRolePolicyCommand,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { uploaderPolicy } from "../../../scripts/aws/policy-files.ts";
import { type AwsAccount, awsAccount, awsEnvironment, runScript } from "../../support/aws-account.ts";
import { suiteFor } from "../../support/s3-servers.ts";

const SCRIPT = "spot/install";
const NAME = "line-7";
const NAMED = ["--name", NAME, "--region", "us-west-2"];
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const SOURCE = ["--repository", "https://git.example.com/uploader", "--revision", COMMIT];
const CREATE = ["create", ...NAMED, "--prefix", "acme", ...SOURCE];
const ROLE = "line-7-us-west-2";
const TAG = { Key: "databricks-uploader-fleet", Value: NAME };
const OURS = [{ Name: `tag:${TAG.Key}`, Values: [NAME] }];

suiteFor("moto", "scripts/spot/install.sh", (server) => {
  let account: AwsAccount;
  let ec2: EC2Client;
  let scaling: AutoScalingClient;
  beforeEach(async () => {
    account = awsAccount(server());
    await account.reset();
    const { endpoint, accessKeyId, secretAccessKey } = server();
    const settings = { region: "us-west-2", endpoint, credentials: { accessKeyId, secretAccessKey } };
    ec2 = new EC2Client(settings);
    scaling = new AutoScalingClient(settings);
  });
  afterEach(() => [ec2, scaling].forEach((client) => void client.destroy()));

  const create = (...options: string[]) => account.run(SCRIPT, [...CREATE, ...options]);
  const destroy = (...options: string[]) => account.run(SCRIPT, ["destroy", ...NAMED, ...options]);
  const group = async () =>
    (await scaling.send(new DescribeAutoScalingGroupsCommand())).AutoScalingGroups?.[0];
  const volumes = async () => (await ec2.send(new DescribeVolumesCommand({ Filters: OURS }))).Volumes ?? [];
  const securityGroup = async () =>
    (await ec2.send(new DescribeSecurityGroupsCommand({ Filters: OURS }))).SecurityGroups?.[0];
  const instances = async () =>
    ((await ec2.send(new DescribeInstancesCommand({ Filters: OURS }))).Reservations ?? [])
      .flatMap(({ Instances = [] }) => Instances)
      .filter(({ State }) => State?.Name === "running");
  const template = async () =>
    (
      await ec2.send(
        new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateName: NAME, Versions: ["$Default"] }),
      )
    ).LaunchTemplateVersions?.[0]?.LaunchTemplateData;
  const policy = async (PolicyName: string) => {
    const found = await account.iam.send(new GetRolePolicyCommand({ RoleName: ROLE, PolicyName }));
    return JSON.parse(decodeURIComponent(found.PolicyDocument ?? "null"));
  };
  const attach = async (InstanceId: string | undefined) =>
    ec2.send(
      new AttachVolumeCommand({ InstanceId, VolumeId: (await volumes())[0]?.VolumeId, Device: "/dev/sdf" }),
    );

  test("makes one spot instance of several types, closed, without keys, and an encrypted volume", async () => {
    const made = await create();
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toContain("\n9 made, 0 changed, 0 removed, 0 already so.");

    const [volume] = await volumes();
    expect(volume).toMatchObject({ Encrypted: true, Size: 20, VolumeType: "gp3" });
    expect(await group()).toMatchObject({
      MinSize: 1,
      MaxSize: 1,
      DesiredCapacity: 1,
      AvailabilityZones: [volume?.AvailabilityZone],
      CapacityRebalance: false,
      MixedInstancesPolicy: {
        LaunchTemplate: {
          LaunchTemplateSpecification: { LaunchTemplateName: NAME, Version: "$Default" },
          Overrides: expect.arrayContaining([{ InstanceType: "t4g.small" }, { InstanceType: "c7g.medium" }]),
        },
        InstancesDistribution: {
          OnDemandBaseCapacity: 0,
          OnDemandPercentageAboveBaseCapacity: 0,
          SpotAllocationStrategy: "capacity-optimized",
        },
      },
    });
    expect((await instances())[0]?.Tags).toContainEqual(TAG);
    expect(await securityGroup()).toMatchObject({
      IpPermissions: [],
      IpPermissionsEgress: [{ IpProtocol: "tcp", FromPort: 443, ToPort: 443 }],
    });
    const data = await template();
    expect(data).toMatchObject({
      ImageId: expect.stringMatching(/^resolve:ssm:.*al2023.*-arm64$/),
      IamInstanceProfile: { Name: ROLE },
      SecurityGroupIds: [(await securityGroup())?.GroupId],
      MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
      BlockDeviceMappings: [{ Ebs: { Encrypted: true, DeleteOnTermination: true } }],
    });
    expect(data).not.toHaveProperty("KeyName");
    const script = Buffer.from(data?.UserData ?? "", "base64").toString();
    expect(script).toContain(`VOLUME='${volume?.VolumeId}'\n`);
    expect(script).toContain(`REVISION='${COMMIT}'\n`);
  });

  test("the role ships, attaches the fleet's volume to the fleet's instance, and no more", async () => {
    await create();
    const profile = await account.iam.send(new GetInstanceProfileCommand({ InstanceProfileName: ROLE }));
    expect(profile.InstanceProfile?.Roles?.map(({ RoleName }) => RoleName)).toEqual([ROLE]);
    expect(await policy("upload")).toEqual(uploaderPolicy("acme", "us-west-2", null));
    expect((await policy("attach-volume")).Statement).toEqual([
      {
        Sid: "AttachOwnVolume",
        Effect: "Allow",
        Action: "ec2:AttachVolume",
        Resource: ["volume", "instance"].map((kind) => `arn:aws:ec2:us-west-2:123456789012:${kind}/*`),
        Condition: { StringEquals: { "aws:ResourceTag/databricks-uploader-fleet": NAME } },
      },
    ]);
    const names = async () =>
      (await account.iam.send(new ListRolePoliciesCommand({ RoleName: ROLE }))).PolicyNames;
    expect(await names()).toEqual(["upload", "attach-volume"]);
    expect((await create("--session-manager")).stdout).toContain("1 made, 0 changed, 0 removed");
    expect(await names()).toContain("session-manager");
    expect((await create()).stdout).toContain("removed policy session-manager");
  });

  test("a dry run makes nothing; made again, nothing changes", async () => {
    const dry = await create("--dry-run");
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout).toContain("Dry run, nothing was changed. It would be: 9 made");
    expect(await volumes()).toEqual([]);
    expect(await group()).toBeUndefined();
    expect(await securityGroup()).toBeUndefined();

    await create();
    const before = await instances();
    const again = await create();
    expect(again.stdout).toContain("\n0 made, 0 changed, 0 removed, 9 already so.");
    expect(await volumes()).toHaveLength(1);
    expect((await instances()).map(({ InstanceId }) => InstanceId)).toEqual(
      before.map(({ InstanceId }) => InstanceId),
    );
  });

  test("what was changed by hand is put right", async () => {
    await create();
    const [instance] = await instances();
    await attach(instance?.InstanceId);
    await ec2.send(
      new ModifyInstanceAttributeCommand({
        InstanceId: instance?.InstanceId,
        BlockDeviceMappings: [{ DeviceName: "/dev/sdf", Ebs: { DeleteOnTermination: true } }],
      }),
    );
    await ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: (await securityGroup())?.GroupId,
        IpPermissions: [{ IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "0.0.0.0/0" }] }],
      }),
    );
    const { LaunchTemplates } = await ec2.send(new DescribeLaunchTemplatesCommand({ Filters: OURS }));
    const LaunchTemplateId = LaunchTemplates?.[0]?.LaunchTemplateId;
    await ec2.send(
      new CreateLaunchTemplateVersionCommand({
        LaunchTemplateId,
        LaunchTemplateData: { KeyName: "somebody", MetadataOptions: { HttpTokens: "optional" } },
      }),
    );
    await ec2.send(new ModifyLaunchTemplateCommand({ LaunchTemplateId, DefaultVersion: "2" }));
    await scaling.send(
      new UpdateAutoScalingGroupCommand({
        AutoScalingGroupName: NAME,
        MaxSize: 3,
        MixedInstancesPolicy: {
          LaunchTemplate: {
            LaunchTemplateSpecification: { LaunchTemplateName: NAME, Version: "1" },
            Overrides: [{ InstanceType: "t4g.small" }],
          },
          InstancesDistribution: { OnDemandPercentageAboveBaseCapacity: 100 },
        },
      }),
    );
    const PolicyDocument = JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: "ec2:*", Resource: "*" }],
    });
    await account.iam.send(
      new PutRolePolicyCommand({ RoleName: ROLE, PolicyName: "attach-volume", PolicyDocument }),
    );
    await account.iam.send(
      new UpdateAssumeRolePolicyCommand({
        RoleName: ROLE,
        PolicyDocument: JSON.stringify({
          Version: "2012-10-17",
          Statement: [{ Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" }],
        }),
      }),
    );

    const { stdout, stderr } = await create();
    expect(stderr).toBe("");
    expect(stdout).toContain(
      'changed role from trusts {"AWS":"*"} to trusts {"Service":"ec2.amazonaws.com"}',
    );
    expect(stdout).toContain("changed policy attach-volume from ec2:* to ec2:AttachVolume");
    expect(stdout).toContain("changed security group from in tcp 22 0.0.0.0/0, out");
    expect(stdout).toContain("changed volume outlives the instance from no to yes");
    expect(stdout).toMatch(/changed launch template from .*IMDSv1 TOO.*KeyName to .*IMDSv2 only/);
    expect(stdout).toMatch(
      /changed auto-scaling group from 1 wanted, 1 to 3.*ON DEMAND TOO.* to 1 wanted, 1 to 1/,
    );
    expect(stdout).toContain("note: the instance that runs stays as it was started");
    expect(stdout).toContain("\n0 made, 6 changed, 0 removed, 4 already so.");
    expect((await securityGroup())?.IpPermissions).toEqual([]);
    expect((await instances())[0]?.BlockDeviceMappings).toContainEqual(
      expect.objectContaining({
        DeviceName: "/dev/sdf",
        Ebs: expect.objectContaining({ DeleteOnTermination: false }),
      }),
    );
    expect(await template()).not.toHaveProperty("KeyName");
    expect((await create()).stdout).toContain("0 made, 0 changed, 0 removed, 10 already so.");
  });

  test("the volume grows and never shrinks, and keeps the fleet in its zone", async () => {
    await create("--volume-size", "40");
    expect((await create("--volume-size", "60")).stdout).toMatch(
      /changed volume from .* 40 GiB .* to .* 60 GiB/,
    );
    const smaller = await create("--volume-size", "10");
    expect(smaller.stdout).toContain("note: the volume has 60 GiB; EBS makes none smaller, so it stays");
    expect((await volumes())[0]?.Size).toBe(60);

    const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand());
    const zone = (await volumes())[0]?.AvailabilityZone;
    const elsewhere = Subnets.find(({ AvailabilityZone }) => AvailabilityZone !== zone)?.SubnetId ?? "";
    expect(await create("--subnet", elsewhere)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`The subnet ${elsewhere} is not in ${zone}, where the volume is`),
    });
  });

  test("a configuration of one's own goes to the instance, if it fits the fleet; the sensor may stay away", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spot-config-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "config.yaml");
    const config = (sqlite: string, prefix: string) =>
      writeFileSync(path, `sqlite: ${sqlite}\ns3_configuration:\n  prefix: ${prefix}\n`);
    config("/data/sensor.db", "other");
    expect(await create("--config", path)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /its sqlite is not in \/var\/lib\/sensor\/.*its s3_configuration.prefix is not acme/,
      ),
    });
    expect(await create("--config", join(folder, "none"))).toMatchObject({ code: 2 });
    config("/var/lib/sensor/line.db", "acme");
    expect(await create("--config", path, "--no-sensor")).toMatchObject({ code: 0 });
    const script = Buffer.from((await template())?.UserData ?? "", "base64").toString();
    expect(script).toContain("SENSOR='false'\n");
    expect(script).toContain(`CONFIG='${readFileSync(path, "base64")}'\n`);
  });

  test("another revision is for the next instance", async () => {
    await create();
    const [first] = await instances();
    const changed = await create("--revision", "v2.0.0");
    expect(changed.stdout).toContain("note: the instance that runs stays as it was started");
    expect((await instances()).map(({ InstanceId }) => InstanceId)).toEqual([first?.InstanceId]);
    const script = Buffer.from((await template())?.UserData ?? "", "base64").toString();
    expect(script).toContain("REVISION='v2.0.0'");
  });

  // With the first version of the template: moto starts none from a later one that has user data.
  test("--replace-instance brings the next instance at once", async () => {
    await create();
    const [first] = await instances();
    const replaced = await create("--replace-instance");
    expect(replaced).toMatchObject({ code: 0, stderr: "" });
    expect(replaced.stdout).toContain(`removed instance ${first?.InstanceId}: the group starts another`);
    const left = await instances();
    expect(left).toHaveLength(1);
    expect(left[0]?.InstanceId).not.toBe(first?.InstanceId);
  });

  test("status shows group, instance and volume; logs the console", async () => {
    await create();
    const [instance] = await instances();
    await attach(instance?.InstanceId);
    const status = await account.run(SCRIPT, ["status", ...NAMED]);
    expect(status).toMatchObject({ code: 0, stderr: "" });
    expect(status.stdout).toContain(
      "fleet line-7 in us-west-2\n  group: 1 wanted, 1 in service, of t4g.small",
    );
    expect(status.stdout).toMatch(
      new RegExp(`instance ${instance?.InstanceId}: .*, InService, Healthy, since 20`),
    );
    expect(status.stdout).toContain(
      `20 GiB gp3, encrypted, in us-west-2a, attached to ${instance?.InstanceId}`,
    );
    const logs = await account.run(SCRIPT, ["logs", ...NAMED, "--lines", "2"]);
    expect(logs.stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(logs).toMatchObject({ code: 0, stderr: "" });
    for (const command of ["status", "logs"])
      expect(await account.run(SCRIPT, [command, "--name", "other", "--region", "us-west-2"])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("There is no fleet other in us-west-2"),
      });
  });

  test("destroy keeps the volume, which the next create takes again, unless its id is confirmed", async () => {
    await create();
    const [volume] = await volumes();
    expect((await destroy("--dry-run")).stdout).toContain("Dry run, nothing was changed.");
    expect(await instances()).toHaveLength(1);
    const refused = await destroy("--delete-volume");
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`--confirm ${volume?.VolumeId}`),
    });
    expect(await instances()).toHaveLength(1);

    const destroyed = await destroy();
    expect(destroyed).toMatchObject({ code: 0, stderr: "" });
    expect(destroyed.stdout).toContain(`note: the volume stays: ${volume?.VolumeId}`);
    expect([await group(), await securityGroup(), await instances()]).toEqual([undefined, undefined, []]);
    expect((await create()).stdout).toContain("7 made, 0 changed, 0 removed, 2 already so.");
    expect((await volumes()).map(({ VolumeId }) => VolumeId)).toEqual([volume?.VolumeId]);

    const all = await destroy("--delete-volume", "--confirm", volume?.VolumeId ?? "");
    expect(all.stdout).toContain(`removed volume ${volume?.VolumeId}`);
    expect(await volumes()).toEqual([]);
    expect((await destroy()).stdout).toContain("0 made, 0 changed, 0 removed, 0 already so.");
  });

  test("what others have made is left alone", async () => {
    const { Subnets } = await ec2.send(new DescribeSubnetsCommand());
    const theirs = { GroupName: NAME, Description: "theirs", VpcId: Subnets?.[0]?.VpcId };
    const { GroupId } = await ec2.send(new CreateSecurityGroupCommand(theirs));
    expect(await create()).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("There is a security group line-7 that this fleet has not made"),
    });
    await destroy();
    const { SecurityGroups } = await ec2.send(
      new DescribeSecurityGroupsCommand({ GroupIds: [GroupId ?? ""] }),
    );
    expect(SecurityGroups).toHaveLength(1);
  });

  test("a second volume, and one that is not encrypted, are for a person to look at", async () => {
    const add = (Encrypted: boolean) =>
      ec2.send(
        new CreateVolumeCommand({
          AvailabilityZone: "us-west-2a",
          Size: 20,
          Encrypted,
          TagSpecifications: [{ ResourceType: "volume", Tags: [TAG] }],
        }),
      );
    await add(false);
    expect(await create()).toMatchObject({ code: 2, stderr: expect.stringContaining("is not encrypted") });
    await add(true);
    expect(await create()).toMatchObject({ code: 2, stderr: expect.stringContaining("has several volumes") });
  });

  test("a role to which others have added a policy stays", async () => {
    await create();
    const PolicyDocument = JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: "s3:ListAllMyBuckets", Resource: "*" }],
    });
    const { Policy } = await account.iam.send(
      new CreatePolicyCommand({ PolicyName: "theirs", PolicyDocument }),
    );
    await account.iam.send(new AttachRolePolicyCommand({ RoleName: ROLE, PolicyArn: Policy?.Arn }));
    expect(await destroy()).toMatchObject({ code: 2, stderr: expect.stringContaining("theirs. It stays.") });
    expect(await policy("upload")).toBeTruthy();
  });

  test("prefix and region come from the environment, as ./set-environment.sh exports them", async () => {
    const { endpoint, accessKeyId, secretAccessKey } = server();
    const environment = {
      ...awsEnvironment({ accessKeyId, secretAccessKey }),
      ...{ S3_REGION: "eu-west-1", AWS_REGION: "us-west-2", S3_PREFIX: "acme" },
    };
    const run = (...parameters: string[]) =>
      runScript(SCRIPT, [...parameters, `--endpoint-url=${endpoint}`], environment);
    const dry = await run("create", ...SOURCE, "--dry-run");
    expect(dry.stdout).toContain("fleet databricks-uploader in eu-west-1");
    expect((await run("status")).stderr).toContain("There is no fleet databricks-uploader in eu-west-1");
  });

  test("wrong options are refused before anything is made", async () => {
    const refused = async (options: string[], words: string) =>
      expect(await create(...options)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
    await refused(["--name", "No_Name"], "A fleet cannot be named");
    await refused(["--instance-types", "t4g.small,t3.small"], "are not of one architecture");
    await refused(["--instance-types", "t4g small"], "is not a list of types");
    await refused(["--volume-size", "0"], "--volume-size is not a whole number above 0");
    await refused(["--repository", "https://me:secret@git.example.com/p"], "without a user");
    await refused(["--repository", "git@git.example.com:p"], "--repository");
    await refused(["--revision=--upload-pack=x"], "--revision");
    expect(await volumes()).toEqual([]);
    expect(await group()).toBeUndefined();
  });

  test("somebody who may not is told so, without a secret", async () => {
    const nobody = await account.createUser("nobody");
    const denied = await account.enforcingIam(() => account.run(SCRIPT, CREATE, nobody));
    expect(denied.code).toBe(1);
    expect(denied.stderr).toContain("Run this as somebody who may");
    for (const secret of [nobody.accessKeyId, nobody.secretAccessKey])
      expect(denied.stdout + denied.stderr).not.toContain(secret);
  });
});
