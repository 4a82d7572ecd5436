import { accountOf } from "../aws/account.ts";
import { describeAwsError } from "../aws/aws-errors.ts";
import { bucketsOf } from "../aws/buckets.ts";
import { createChangeReport } from "../aws/change-report.ts";
import { openConnection } from "../aws/connection.ts";
import { awsProgram, print, runProgram } from "../aws/program.ts";
import { createFleet } from "./create-fleet.ts";
import { destroyFleet } from "./destroy-fleet.ts";
import { type Fleet, openFleet } from "./fleet.ts";
import { fleetConfig } from "./fleet-config.ts";
import { printLogs } from "./fleet-logs.ts";
import { CREATE_OPTIONS, FLEET_OPTIONS, instanceTypesOf, positive } from "./fleet-options.ts";
import { printStatus } from "./fleet-status.ts";
import { isCloneChanged, projectSource } from "./project-source.ts";

const NAME = "spot/install";

const program = awsProgram(
  NAME,
  "create|status|logs|destroy [options]",
  "Run the uploader on a spot instance, with a volume that outlives it; docs/SPOT.md describes it",
)
  .demandCommand(1, "Say what to do: create, status, logs or destroy")
  .command(
    "create",
    "Make a spot instance that is replaced when EC2 takes it back, with a volume that stays; or put it right",
    (command) => command.options({ ...FLEET_OPTIONS, ...CREATE_OPTIONS }),
    async (argv) => {
      const { prefix, region } = argv;
      bucketsOf(prefix, region);
      const source = projectSource(argv.repository, argv.revision);
      const config = fleetConfig(argv.config, { prefix, region });
      const instanceTypes = instanceTypesOf(argv["instance-types"]);
      const volumeGib = positive("--volume-size", argv["volume-size"]);
      const report = createChangeReport(argv["dry-run"], print);
      await withFleet(argv, async (fleet, connection) => {
        const account = await accountOf(connection);
        await createFleet(
          fleet,
          {
            ...{ account, prefix, source, config, instanceTypes, volumeGib },
            kmsKey: argv["kms-key"] ?? null,
            subnet: argv.subnet ?? null,
            sensor: argv.sensor,
            sessionManager: argv["session-manager"],
            replaceInstance: argv["replace-instance"],
          },
          report,
        );
        report.note(`the instances install ${source.revision} of ${source.repository}`);
        if (isCloneChanged(argv.revision))
          report.note("this clone has changes that are not in that revision");
        if (argv.sensor) report.note("the sample sensor writes the database; --no-sensor leaves it out");
      });
      report.summary();
    },
  )
  .command(
    "status",
    "Show the group, the instance, the volume, and what happened last",
    (command) => command.options(FLEET_OPTIONS),
    (argv) => withFleet(argv, (fleet) => printStatus(fleet, print)),
  )
  .command(
    "logs",
    "Show the console of the newest instance: its start-up, and what the services say",
    (command) =>
      command.options({
        ...FLEET_OPTIONS,
        lines: { type: "number", default: 200, description: "The most lines that are shown" },
      }),
    (argv) => withFleet(argv, (fleet) => printLogs(fleet, positive("--lines", argv.lines), print)),
  )
  .command(
    "destroy",
    "Take everything away but the volume",
    (command) =>
      command.options({
        ...FLEET_OPTIONS,
        "delete-volume": {
          type: "boolean",
          default: false,
          description: "The volume too, with the database and what was not delivered",
        },
        confirm: { type: "string", description: "The id of the volume, for --delete-volume" },
      }),
    async (argv) => {
      const report = createChangeReport(argv["dry-run"], print);
      const options = { deleteVolume: argv["delete-volume"], confirm: argv.confirm ?? null };
      await withFleet(argv, (fleet) => destroyFleet(fleet, options, report));
      report.summary();
    },
  );

await runProgram(NAME, program);

interface Named {
  readonly name: string;
  readonly region: string;
  readonly "endpoint-url": string | undefined;
}

async function withFleet(
  { name, region, "endpoint-url": endpointUrl }: Named,
  work: (fleet: Fleet, connection: ReturnType<typeof openConnection>) => Promise<void>,
): Promise<void> {
  const connection = openConnection(region, endpointUrl);
  const fleet = openFleet(name, connection);
  try {
    await work(fleet, connection);
  } catch (error) {
    throw describeAwsError(error, `The fleet ${name}`);
  } finally {
    fleet.close();
  }
}
