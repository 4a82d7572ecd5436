import {
  CreateSecurityGroupCommand,
  CreateVolumeCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
} from "@aws-sdk/client-ec2";
import { AttachRolePolicyCommand, CreatePolicyCommand } from "@aws-sdk/client-iam";
import { expect, test } from "vitest";
import { NAME, NAMED, ROLE, SCRIPT, suiteForFleet, TAG } from "../../support/spot-fleet.ts";

suiteForFleet("scripts/spot/install.sh shows, replaces and destroys a fleet", (fleet) => {
  const { account, ec2, create, destroy, group, volumes, securityGroup, instances, policy, attach } = fleet;

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
    const status = await account().run(SCRIPT, ["status", ...NAMED]);
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
    const logs = await account().run(SCRIPT, ["logs", ...NAMED, "--lines", "2"]);
    expect(logs.stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(logs).toMatchObject({ code: 0, stderr: "" });
    for (const command of ["status", "logs"])
      expect(
        await account().run(SCRIPT, [command, "--name", "other", "--region", "us-west-2"]),
      ).toMatchObject({
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
    const { Subnets } = await ec2().send(new DescribeSubnetsCommand());
    const theirs = { GroupName: NAME, Description: "theirs", VpcId: Subnets?.[0]?.VpcId };
    const { GroupId } = await ec2().send(new CreateSecurityGroupCommand(theirs));
    expect(await create()).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("There is a security group line-7 that this fleet has not made"),
    });
    await destroy();
    const { SecurityGroups } = await ec2().send(
      new DescribeSecurityGroupsCommand({ GroupIds: [GroupId ?? ""] }),
    );
    expect(SecurityGroups).toHaveLength(1);
  });

  test("a second volume, and one that is not encrypted, are for a person to look at", async () => {
    const add = (Encrypted: boolean) =>
      ec2().send(
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
    const { Policy } = await account().iam.send(
      new CreatePolicyCommand({ PolicyName: "theirs", PolicyDocument }),
    );
    await account().iam.send(new AttachRolePolicyCommand({ RoleName: ROLE, PolicyArn: Policy?.Arn }));
    expect(await destroy()).toMatchObject({ code: 2, stderr: expect.stringContaining("theirs. It stays.") });
    expect(await policy("upload")).toBeTruthy();
  });
});
