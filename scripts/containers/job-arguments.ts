import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

/**
 * `job-arguments.ts JOB ROOT IMAGE`: for scripts/test-containers.sh, what `docker run` is given to run a Bacalhau job as
 * it is written, an argument a line; its mounts are of the same paths below the folder ROOT, its image is IMAGE.
 */
interface Job {
  readonly Tasks: readonly [
    {
      readonly Engine: { readonly Params: { readonly Parameters: readonly string[] } };
      readonly Env: Readonly<Record<string, string>>;
      readonly InputSources: readonly {
        readonly Target: string;
        readonly Source: { readonly Params: { readonly SourcePath: string; readonly ReadWrite: boolean } };
      }[];
    },
  ];
}

const [path, root, image] = process.argv.slice(2);
if (path === undefined || root === undefined || image === undefined) {
  process.stderr.write("Usage: job-arguments.ts JOB ROOT IMAGE\n");
  process.exit(2);
}

const [{ Engine, Env, InputSources }] = (parse(readFileSync(path, "utf8")) as Job).Tasks;
const environment = Object.entries(Env).map(([name, value]) => `--env=${name}=${value}`);
const mounts = InputSources.map(
  ({ Target, Source: { Params } }) =>
    `--volume=${join(root, Params.SourcePath)}:${Target}:${Params.ReadWrite ? "rw" : "ro"}`,
);
console.log([...environment, ...mounts, image, ...Engine.Params.Parameters].join("\n"));
