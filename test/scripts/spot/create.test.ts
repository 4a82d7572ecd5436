import { GetInstanceProfileCommand, ListRolePoliciesCommand } from "@aws-sdk/client-iam";
import { expect, test } from "vitest";
import { uploaderPolicy } from "../../../scripts/aws/policy-files.ts";
import { awsEnvironment, runScript } from "../../support/aws-account.ts";
import { COMMIT, CREATE, NAME, ROLE, SCRIPT, SOURCE, suiteForFleet, TAG } from "../../support/spot-fleet.ts";

suiteForFleet("scripts/spot/install.sh makes a fleet", (fleet) => {
  const { server, account, create, group, volumes, securityGroup, instances, template, userData, policy } =
    fleet;

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
    const script = await userData();
    expect(script).toContain(`VOLUME='${volume?.VolumeId}'\n`);
    expect(script).toContain(`REVISION='${COMMIT}'\n`);
  });

  test("the role ships, attaches the fleet's volume to the fleet's instance, and no more", async () => {
    await create();
    const profile = await account().iam.send(new GetInstanceProfileCommand({ InstanceProfileName: ROLE }));
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
      (await account().iam.send(new ListRolePoliciesCommand({ RoleName: ROLE }))).PolicyNames;
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
    const nobody = await account().createUser("nobody");
    const denied = await account().enforcingIam(() => account().run(SCRIPT, CREATE, nobody));
    expect(denied.code).toBe(1);
    expect(denied.stderr).toContain("Run this as somebody who may");
    for (const secret of [nobody.accessKeyId, nobody.secretAccessKey])
      expect(denied.stdout + denied.stderr).not.toContain(secret);
  });
});
