import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UpdateAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateLaunchTemplateVersionCommand,
  DescribeLaunchTemplatesCommand,
  DescribeSubnetsCommand,
  ModifyInstanceAttributeCommand,
  ModifyLaunchTemplateCommand,
} from "@aws-sdk/client-ec2";
import { PutRolePolicyCommand, UpdateAssumeRolePolicyCommand } from "@aws-sdk/client-iam";
import { expect, onTestFinished, test } from "vitest";
import { NAME, OURS, ROLE, suiteForFleet } from "../../support/spot-fleet.ts";

suiteForFleet("scripts/spot/install.sh puts a fleet right", (fleet) => {
  const { account, ec2, scaling, create, volumes, securityGroup, instances, template, userData, attach } =
    fleet;

  test("what was changed by hand is put right", async () => {
    await create();
    const [instance] = await instances();
    await attach(instance?.InstanceId);
    await ec2().send(
      new ModifyInstanceAttributeCommand({
        InstanceId: instance?.InstanceId,
        BlockDeviceMappings: [{ DeviceName: "/dev/sdf", Ebs: { DeleteOnTermination: true } }],
      }),
    );
    await ec2().send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: (await securityGroup())?.GroupId,
        IpPermissions: [{ IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "0.0.0.0/0" }] }],
      }),
    );
    const { LaunchTemplates } = await ec2().send(new DescribeLaunchTemplatesCommand({ Filters: OURS }));
    const LaunchTemplateId = LaunchTemplates?.[0]?.LaunchTemplateId;
    await ec2().send(
      new CreateLaunchTemplateVersionCommand({
        LaunchTemplateId,
        LaunchTemplateData: { KeyName: "somebody", MetadataOptions: { HttpTokens: "optional" } },
      }),
    );
    await ec2().send(new ModifyLaunchTemplateCommand({ LaunchTemplateId, DefaultVersion: "2" }));
    await scaling().send(
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
    await account().iam.send(
      new PutRolePolicyCommand({ RoleName: ROLE, PolicyName: "attach-volume", PolicyDocument }),
    );
    await account().iam.send(
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

    const { Subnets = [] } = await ec2().send(new DescribeSubnetsCommand());
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
    const script = await userData();
    expect(script).toContain("SENSOR='false'\n");
    expect(script).toContain(`CONFIG='${readFileSync(path, "base64")}'\n`);
  });

  test("another revision is for the next instance", async () => {
    await create();
    const [first] = await instances();
    const changed = await create("--revision", "v2.0.0");
    expect(changed.stdout).toContain("note: the instance that runs stays as it was started");
    expect((await instances()).map(({ InstanceId }) => InstanceId)).toEqual([first?.InstanceId]);
    const script = await userData();
    expect(script).toContain("REVISION='v2.0.0'");
  });

  // With the first version of the template: moto starts none from a later one that has user data.
});
