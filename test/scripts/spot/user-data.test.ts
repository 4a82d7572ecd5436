import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type UserDataOptions, userData } from "../../../scripts/spot/user-data.ts";
import { suiteWith } from "../../support/suite-with.ts";

const OPTIONS: UserDataOptions = {
  fleet: "line-7",
  region: "us-west-2",
  volume: "vol-0123456789abcdef0",
  repository: "https://git.example.com/uploader",
  revision: "v1.0.0",
  sensor: true,
  config: "sqlite: /var/lib/sensor/sensor_data.db\n",
};
const PLAIN_FILESYSTEM = 64 * 1024 * 1024;

let folder: string;
let script: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "user-data-"));
  script = write("user-data.sh", userData(OPTIONS));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string, mode = 0o644): string {
  const whole = join(folder, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  chmodSync(whole, mode);
  return whole;
}

/** Where programs are looked for: where scripts/setup-test-tools.sh puts shellcheck, and where those of root are. */
const CACHE = process.env.UPLOADER_TEST_CACHE || join(homedir(), ".cache", "databricks-uploader");
const PATH = `${process.env.PATH}:${join(CACHE, "venv-moto", "bin")}:/sbin:/usr/sbin`;

/** Whether programs are there, for suites that need them. */
function missing(...programs: string[]): string | null {
  const absent = programs.filter(
    (program) => spawnSync("bash", ["-c", `command -v ${program}`], { env: { PATH } }).status !== 0,
  );
  return absent.length > 0 ? `${absent.join(", ")} is not installed` : null;
}

describe("the script of a new instance", () => {
  test("quotes what it is given, and keeps to EC2's limit", () => {
    const text = userData({ ...OPTIONS, repository: "https://host/it's$(id)" });
    const path = write("quoted.sh", text);
    const printed = execFileSync("bash", ["-c", '. "$1"; printf %s "$REPOSITORY"', "bash", path], {
      encoding: "utf8",
    });
    expect(printed).toBe("https://host/it's$(id)");
    expect(Buffer.byteLength(text)).toBeLessThan(8_192);
    expect(() => userData({ ...OPTIONS, config: "#".repeat(9_000) })).toThrow("too long by");
  });
});

suiteWith(missing("shellcheck"), "the scripts of a spot fleet, checked by shellcheck", () => {
  test("they have no finding", () => {
    const entry = join(import.meta.dirname, "../../../scripts/spot/install.sh");
    const { status, stdout } = spawnSync("shellcheck", [script, entry], {
      encoding: "utf8",
      env: { PATH },
    });
    expect([status, stdout]).toEqual([0, ""]);
  });
});

suiteWith(missing("mkfs.ext4", "mkswap", "blkid", "debugfs"), "the volume of a new instance", () => {
  const environment = { ...process.env, PATH };
  /** A file stands for the device. */
  const make = (device: string) =>
    spawnSync("bash", ["-c", '. "$1"; make_filesystem "$2"', "bash", script, device], {
      encoding: "utf8",
      env: environment,
    });
  const blank = (name: string) => {
    const path = write(name, "");
    truncateSync(path, PLAIN_FILESYSTEM);
    return path;
  };

  test("a blank one gets a filesystem, once: what is on it stays", () => {
    const device = blank("volume");
    expect(make(device)).toMatchObject({ status: 0, stdout: expect.stringContaining("is blank") });
    const put = ["-w", "-R", `write ${script} kept`, device];
    execFileSync("debugfs", put, { env: environment, stdio: "ignore" });
    const before = readFileSync(device);
    expect(make(device)).toMatchObject({ status: 0, stdout: expect.stringContaining("has its filesystem") });
    expect(readFileSync(device).equals(before)).toBe(true);
  });

  test.each<[string, (device: string) => void]>([
    ["bytes that are no filesystem", (device) => writeFileSync(device, "row", { flag: "r+" })],
    [
      "a filesystem of another's",
      (device) => void execFileSync("mkfs.ext4", ["-q", "-L", "theirs", device], { env: environment }),
    ],
    [
      "swap",
      (device) =>
        void execFileSync("mkswap", ["-L", "uploader-data", device], { env: environment, stdio: "ignore" }),
    ],
    ["less than the first MiB", (device) => truncateSync(device, 4_096)],
  ])("one with %s is left as it is", (_, fill) => {
    const device = blank("volume");
    fill(device);
    const before = readFileSync(device);
    const refused = make(device);
    expect(refused.status).toBe(1);
    expect(refused.stdout).toContain("STOPPED: the volume is neither blank nor this fleet's");
    expect(readFileSync(device).equals(before)).toBe(true);
  });

  test("one that cannot be read is not taken for blank", () => {
    expect(make(join(folder, "nothing"))).toMatchObject({
      status: 1,
      stdout: expect.stringContaining("STOPPED"),
    });
  });
});

suiteWith(
  missing("mkfs.ext4", "blkid"),
  "a new instance, with programs of its own in place of the system's",
  () => {
    /** Each call of a program that is not the real one, in their order. */
    const calls = () => readFileSync(join(folder, "calls"), "utf8").trimEnd().split("\n");
    const stub = (name: string, body = "") =>
      write(`bin/${name}`, `#!/bin/bash\necho "${name} $*" >>"$CALLS"\n${body}\n`, 0o755);
    const device = () =>
      join(folder, "root/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0");
    const run = () =>
      spawnSync("bash", [script], {
        encoding: "utf8",
        timeout: 60_000,
        env: {
          PATH: `${join(folder, "bin")}:${PATH}`,
          SYSTEM_ROOT: join(folder, "root"),
          CALLS: join(folder, "calls"),
          DEVICE_FILE: device(),
        },
      });
    beforeEach(() => {
      write("calls", "");
      mkdirSync(join(folder, "root/etc"), { recursive: true });
      mkdirSync(join(folder, "root/usr/bin"), { recursive: true });
      for (const name of ["dnf", "npm", "mount", "resize2fs", "chown", "sleep", "systemctl"]) stub(name);
      for (const name of ["systemd-sysusers", "systemd-tmpfiles"]) stub(name);
      stub(
        "curl",
        'case $* in *token-ttl*) echo TOKEN ;; *"aws-ec2-metadata-token: TOKEN"*) echo i-1 ;; *) exit 22 ;; esac',
      );
      // What the checkout brings: the project with its units, and an installation that builds.
      stub(
        "git",
        `case $* in *checkout*) cd "$2"; mkdir -p scripts deploy/systemd dist node_modules; echo {} >package.json
  printf '#!/bin/bash\\necho "install.sh" >>"$CALLS"\\n' >scripts/install.sh; chmod +x scripts/install.sh
  touch deploy/systemd/databricks-{uploader,sensor}.service deploy/systemd/databricks-uploader.{sysusers,tmpfiles}.conf ;;
esac`,
      );
      // The volume is in use twice, as while the instance before ends; then it is there, blank.
      stub(
        "aws",
        `if [ "$(grep -c "^aws " "$CALLS")" -le 2 ]; then echo "VolumeInUse" >&2; exit 254; fi
mkdir -p "$(dirname "$DEVICE_FILE")"; truncate -s 64M "$DEVICE_FILE"`,
      );
    });

    test("installs, waits for the volume, mounts it where the services write, and starts them", () => {
      const done = run();
      expect(done.stderr).toBe("");
      expect(done.status).toBe(0);
      const all = calls();
      const at = (beginning: string) => {
        const found = all.findIndex((call) => call.startsWith(beginning));
        expect(found, `${beginning} in\n${all.join("\n")}`).toBeGreaterThanOrEqual(0);
        return found;
      };
      const steps = [
        "dnf install",
        `git -C ${folder}/root/usr/src/databricks-uploader fetch -q --depth 1 https://git.example.com/uploader v1.0.0`,
        "install.sh",
        "npm prune",
        "aws ec2 attach-volume --region us-west-2 --volume-id vol-0123456789abcdef0 --instance-id i-1 --device /dev/sdf",
        `mount ${folder}/root/srv/databricks-uploader`,
        "resize2fs",
        `mount ${folder}/root/var/lib/sensor`,
        `mount ${folder}/root/var/lib/databricks-uploader`,
        "systemd-sysusers",
        "chown -hR databricks-sensor:sensor-data",
        "systemd-tmpfiles --create databricks-uploader.conf",
        "systemctl daemon-reload",
        "systemctl enable --now databricks-sensor",
        "systemctl enable --now --no-block databricks-uploader",
      ].map(at);
      expect(steps).toEqual([...steps].sort((left, right) => left - right));
      // An image without cmp would take every blank volume for somebody's; without mkfs.ext4 it would make nothing.
      expect(all[at("dnf install")]).toMatch(/ diffutils e2fsprogs( |$)/);
      expect(all.filter((call) => call.startsWith("aws "))).toHaveLength(3);
      // Once, although it was asked for twice.
      expect(done.stdout.match(/VolumeInUse/g)).toHaveLength(1);
    });

    test("writes the configuration, the node's name, and units that need the volume", () => {
      expect(run().status).toBe(0);
      const read = (path: string) => readFileSync(join(folder, "root/etc", path), "utf8");
      expect(read("databricks-uploader/config.yaml")).toBe(OPTIONS.config);
      expect(read("databricks-uploader/environment")).toBe("NODE_ID=line-7\nSPOT_NOTICES=true\n");
      expect(statSync(join(folder, "root/etc/databricks-uploader/environment")).mode & 0o777).toBe(0o600);
      for (const unit of ["databricks-uploader", "databricks-sensor"]) {
        expect(existsSync(join(folder, "root/etc/systemd/system", `${unit}.service`))).toBe(true);
        expect(read(`systemd/system/${unit}.service.d/spot.conf`)).toContain(
          "RequiresMountsFor=/var/lib/sensor /var/lib/databricks-uploader\n",
        );
      }
      expect(
        read("fstab")
          .split("\n")
          .map((line) => line.split(" ")[1]),
      ).toEqual(["/srv/databricks-uploader", "/var/lib/sensor", "/var/lib/databricks-uploader", undefined]);
    });

    test("the next instance takes the volume with what is on it", () => {
      expect(run().stdout).toContain("is blank and gets a filesystem");
      const before = readFileSync(device());
      rmSync(join(folder, "root/etc"), { recursive: true });
      mkdirSync(join(folder, "root/etc"));
      const next = run();
      expect(next).toMatchObject({
        status: 0,
        stdout: expect.stringContaining("the volume has its filesystem"),
      });
      expect(readFileSync(device()).equals(before)).toBe(true);
    });

    test("without the sensor it starts the uploader alone", () => {
      script = write("user-data.sh", userData({ ...OPTIONS, sensor: false }));
      expect(run().status).toBe(0);
      expect(calls().filter((call) => call.includes("enable"))).toEqual([
        "systemctl enable --now --no-block databricks-uploader",
      ]);
    });

    test("a sensor that does not start keeps the uploader from nothing", () => {
      stub("systemctl", '[[ "$*" != *databricks-sensor* ]]');
      expect(run()).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/the sensor does not start\n.*: started\n$/),
      });
      expect(calls().at(-1)).toBe("systemctl enable --now --no-block databricks-uploader");
    });

    test("a filesystem that cannot be made as large as its volume is used as it is", () => {
      stub("resize2fs", "exit 1");
      expect(run()).toMatchObject({ status: 0, stdout: expect.stringContaining("stays as large as it was") });
    });

    test("a registry that fails is asked again, and a metadata service that is silent stops it", () => {
      stub("dnf", '[ "$(grep -c "^dnf " "$CALLS")" -gt 2 ]');
      expect(run()).toMatchObject({
        status: 0,
        stdout: expect.stringContaining("install_tools failed; it is tried again in 10 seconds"),
      });
      stub("curl", "exit 28");
      expect(run()).toMatchObject({
        status: 1,
        stdout: expect.stringContaining("STOPPED: the metadata service"),
      });
      expect(calls().at(-1)).toMatch(/^curl /);
    });

    test("a revision without units stops it before anything is started", () => {
      const checkout = readFileSync(join(folder, "bin/git"), "utf8");
      write(
        "bin/git",
        checkout.replace("deploy/systemd dist", "dist").replace(/^ {2}touch .*;;$/m, ";;"),
        0o755,
      );
      expect(run()).toMatchObject({
        status: 1,
        stdout: expect.stringContaining("STOPPED: revision v1.0.0 has no deploy/systemd"),
      });
      expect(calls().some((call) => call.startsWith("systemctl "))).toBe(false);
    });

    test("a volume with another's data stops it before anything is started", () => {
      mkdirSync(dirname(device()), { recursive: true });
      writeFileSync(device(), "row".repeat(1_000_000));
      expect(run().status).toBe(1);
      expect(calls().some((call) => /^(mount|systemctl) /.test(call))).toBe(false);
    });
  },
);
