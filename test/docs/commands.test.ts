import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const DOCUMENTS = [
  ...["README.md", "CONTRIBUTING.md", "sample-sensor/README.md", "deploy/systemd/README.md"],
  ...readdirSync(join(ROOT, "docs")).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
];
const PROGRAMS: Readonly<Record<string, string>> = {
  uploader: "dist/src/cli/uploader.js",
  "pipeline-manager": "dist/src/cli/pipeline-manager.js",
  sensor: "dist/sample-sensor/src/cli.js",
};
/** Of these each command has options of its own. */
const WITH_COMMANDS = ["scripts/spot/install.sh", "scripts/setup-credentials.sh", "pipeline-manager"];

interface Command {
  /** As it is run: `scripts/spot/install.sh create`. */
  readonly program: string;
  readonly flags: readonly string[];
}

/** The commands of ours in the code blocks of a document, with the flags that they are given. */
function commandsOf(document: string): Command[] {
  const blocks = readFileSync(join(ROOT, document), "utf8").matchAll(/^```(?:bash)?\n([\s\S]*?)^```/gm);
  return [...blocks].flatMap(([, block = ""]) =>
    block
      .replaceAll("\\\n", " ")
      .split(/\n|&&|\|/)
      .flatMap(commandOf),
  );
}

function commandOf(line: string): Command[] {
  const words = line.replace(/\s#.*/, "").trim().split(/\s+/);
  const first = words.findIndex((word) => !/^(\$|npx|\w+=\S*)$/.test(word));
  const name = words[first]?.replace(/^\.\//, "") ?? "";
  if (!(name in PROGRAMS) && !/^(scripts\/[\w/-]+|[a-z][\w-]*)\.sh$/.test(name)) return [];
  const rest = words.slice(first + 1);
  const command = rest.find((word) =>
    /^(create|status|logs|destroy|setup|check|clear|get|set|history|stats)$/.test(word),
  );
  const flags = rest.flatMap((word) => /^--[a-z][\w-]*/.exec(word)?.[0] ?? []);
  return [{ program: WITH_COMMANDS.includes(name) && command ? `${name} ${command}` : name, flags }];
}

const flagsOf = new Map<string, Set<string>>();
for (const { program, flags } of DOCUMENTS.flatMap(commandsOf))
  flagsOf.set(program, new Set([...(flagsOf.get(program) ?? []), ...flags]));
const documented = [...flagsOf].flatMap(([program, flags]) =>
  flags.size > 0 ? [[program, [...flags]] as const] : [],
);

test("the documents show commands", () => {
  expect(documented.map(([program]) => program)).toEqual(
    expect.arrayContaining([
      "uploader",
      "scripts/create-s3-buckets-admin.sh",
      "scripts/spot/install.sh create",
    ]),
  );
});

test.each(documented)("%s has the flags that the documents give it", (program, flags) => {
  const [name = "", ...command] = program.split(" ");
  const [file, ...args] = name in PROGRAMS ? ["node", PROGRAMS[name] ?? ""] : [`./${name}`];
  const { stdout } = spawnSync(file ?? "", [...args, ...command, "--help"], { cwd: ROOT, encoding: "utf8" });
  const known = new Set(stdout.match(/--[a-z][\w-]*/g));
  // yargs shows the affirmative of `--no-sensor`.
  expect(flags.filter((flag) => !known.has(flag) && !known.has(flag.replace("--no-", "--")))).toEqual([]);
});

const scripts = new Set(documented.map(([program]) => program.split(" ")[0] ?? ""));

test.each([...scripts].filter((name) => name.endsWith(".sh")))(
  "%s --help says in a sentence what it does, before its options",
  (name) => {
    const { status, stdout } = spawnSync(`./${name}`, ["--help"], { cwd: ROOT, encoding: "utf8" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: [^\n]+\n(?:[^\n]+\n)?\n(?!Options:|Commands:|Positionals:)[A-Z]/);
  },
);
