import { createHash } from "node:crypto";
import {
  CreateLaunchTemplateCommand,
  CreateLaunchTemplateVersionCommand,
  DescribeLaunchTemplatesCommand,
  DescribeLaunchTemplateVersionsCommand,
  ModifyLaunchTemplateCommand,
  type RequestLaunchTemplateData,
  type ResponseLaunchTemplateData,
} from "@aws-sdk/client-ec2";
import type { Property } from "../aws/desired-state.ts";
import { assertOfFleet, type Fleet, fleetTags } from "./fleet.ts";
import type { Architecture } from "./place.ts";

/** For the system, the compiler and the packages; the data are on a volume of their own. */
const ROOT_GIB = 12;
/** Where Amazon Linux 2023 has its root. */
const ROOT_DEVICE = "/dev/xvda";

export interface MadeTemplate {
  /** Whether instances that run were started by an older version. */
  isTemplateNew: boolean;
}

export interface TemplateOptions {
  readonly architecture: Architecture;
  /** Known once the security group is there. */
  readonly securityGroup: () => string;
  /** The script, not yet in base64; known once the volume is there. */
  readonly userData: () => string;
}

/** The default version of the launch template. */
export function desiredLaunchTemplate(
  fleet: Fleet,
  options: TemplateOptions,
  made: MadeTemplate,
): Property<RequestLaunchTemplateData> {
  const { ec2, name } = fleet;
  const find = async () => {
    const { LaunchTemplates = [] } = await ec2.send(
      new DescribeLaunchTemplatesCommand({ Filters: [{ Name: "launch-template-name", Values: [name] }] }),
    );
    return LaunchTemplates[0];
  };
  return {
    name: "launch template",
    async read() {
      const found = await find();
      if (!found) return null;
      assertOfFleet(name, `launch template ${name}`, found.Tags);
      const { LaunchTemplateVersions = [] } = await ec2.send(
        new DescribeLaunchTemplateVersionsCommand({
          LaunchTemplateId: found.LaunchTemplateId,
          Versions: ["$Default"],
        }),
      );
      return comparable(LaunchTemplateVersions[0]?.LaunchTemplateData ?? {});
    },
    wanted: () => templateData(fleet, options),
    async write(LaunchTemplateData) {
      const LaunchTemplateId = (await find())?.LaunchTemplateId;
      if (!LaunchTemplateId) {
        await ec2.send(
          new CreateLaunchTemplateCommand({
            LaunchTemplateName: name,
            LaunchTemplateData,
            TagSpecifications: [{ ResourceType: "launch-template", Tags: fleetTags(name) }],
          }),
        );
        return;
      }
      const { LaunchTemplateVersion } = await ec2.send(
        new CreateLaunchTemplateVersionCommand({ LaunchTemplateId, LaunchTemplateData }),
      );
      const DefaultVersion = String(LaunchTemplateVersion?.VersionNumber);
      await ec2.send(new ModifyLaunchTemplateCommand({ LaunchTemplateId, DefaultVersion }));
      made.isTemplateNew = true;
    },
    text: templateText,
  };
}

function templateData(
  { role }: Fleet,
  { architecture, securityGroup, userData }: TemplateOptions,
): RequestLaunchTemplateData {
  return {
    // Resolved at each start, so that an instance has the patches of its day.
    ImageId: `resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${architecture}`,
    IamInstanceProfile: { Name: role },
    SecurityGroupIds: [securityGroup()],
    MetadataOptions: { HttpEndpoint: "enabled", HttpTokens: "required", HttpPutResponseHopLimit: 1 },
    BlockDeviceMappings: [
      {
        DeviceName: ROOT_DEVICE,
        Ebs: { Encrypted: true, DeleteOnTermination: true, VolumeSize: ROOT_GIB, VolumeType: "gp3" },
      },
    ],
    UserData: Buffer.from(userData()).toString("base64"),
  };
}

/**
 * What AWS gives back, without what says nothing of instances: empty lists, options that this fleet leaves to AWS, and
 * the tags of the template itself, which moto puts there.
 */
function comparable({
  TagSpecifications = [],
  MetadataOptions: options,
  ...data
}: ResponseLaunchTemplateData): RequestLaunchTemplateData {
  const { HttpEndpoint, HttpTokens, HttpPutResponseHopLimit } = options ?? {};
  const others = {
    ...data,
    TagSpecifications: TagSpecifications.filter(({ ResourceType }) => ResourceType !== "launch-template"),
  };
  const saying = Object.entries(others).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return {
    ...Object.fromEntries(saying),
    MetadataOptions: { HttpEndpoint, HttpTokens, HttpPutResponseHopLimit },
  };
}

/** One line; of the script only the beginning of its SHA-256. */
function templateText({ UserData = "", ...data }: RequestLaunchTemplateData): string {
  const digest = createHash("sha256").update(UserData).digest("hex").slice(0, 12);
  const image = data.ImageId?.split("/").at(-1) ?? "no image";
  const tokens = data.MetadataOptions?.HttpTokens === "required" ? "IMDSv2 only" : "IMDSv1 TOO";
  const others = Object.keys(data).filter((key) => !KNOWN.includes(key));
  return [image, tokens, `start-up script ${digest}`, ...others].join(", ");
}

const KNOWN = ["ImageId", "IamInstanceProfile", "SecurityGroupIds", "MetadataOptions", "BlockDeviceMappings"];
