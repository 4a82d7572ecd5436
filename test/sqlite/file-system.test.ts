import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { loadSettings } from "../../src/config/load-settings.ts";
import { systemClock } from "../../src/core/clock.ts";
import { type RebuildOptions, rebuildState } from "../../src/rebuild.ts";
import { setAsideObjects } from "../../src/set-aside.ts";
import {
  type FileSystem,
  mountTypeOf,
  networkFileSystem,
  type ReadFileSystem,
  readFileSystem,
} from "../../src/sqlite/file-system.ts";
import { openReadings } from "../support/readings.ts";
import { type LogLine, noLog, uploadOnce } from "../support/run-in-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const FUSE = 0x65735546n;

describe("networkFileSystem", () => {
  it.each<[bigint, string | null, string]>([
    [0x6969n, null, "NFS"],
    [0xff534d42n, null, "CIFS"],
    [0xfe534d42n, null, "SMB2"],
    [0x517bn, null, "SMB"],
    [0x01021997n, null, "9p"],
    [0x00c36400n, null, "Ceph"],
    [0x786f4256n, null, "VirtualBox shared folder"],
    [FUSE, "virtiofs", "virtiofs"],
    [FUSE, "fakeowner", "fakeowner"],
    [FUSE, "fuse.grpcfuse", "fuse.grpcfuse"],
    [FUSE, "fuse.sshfs", "fuse.sshfs"],
    [FUSE, "fuse.rclone", "fuse.rclone"],
    [FUSE, "fuse.glusterfs", "fuse.glusterfs"],
  ])("knows 0x%s of mount type %s as %s", (type, mountType, name) => {
    expect(networkFileSystem({ type, mountType })).toBe(name);
  });

  it.each<[string, FileSystem]>([
    ["ext4", { type: 0xef53n, mountType: null }],
    ["xfs", { type: 0x58465342n, mountType: null }],
    ["btrfs", { type: 0x9123683en, mountType: null }],
    ["tmpfs", { type: 0x01021994n, mountType: null }],
    ["overlayfs", { type: 0x794c7630n, mountType: null }],
    ["zfs", { type: 0x2fc12fc1n, mountType: null }],
    ["NTFS by FUSE", { type: FUSE, mountType: "fuseblk" }],
    ["FUSE of an unknown kind", { type: FUSE, mountType: null }],
    ["fuse-overlayfs", { type: FUSE, mountType: "fuse.fuse-overlayfs" }],
  ])("takes %s for one of this machine", (_, found) => {
    expect(networkFileSystem(found)).toBeNull();
  });
});

/** Of a machine with mounts of many kinds, in the form of proc_pid_mountinfo(5). */
const MOUNTS = String.raw`
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
30 22 0:40 / /mnt rw,relatime shared:7 master:1 - ext4 /dev/vdb rw
31 30 0:41 / /mnt/host rw,relatime - virtiofs host rw
32 31 0:42 / /mnt/host/fast rw,relatime - fuseblk /dev/vdc rw
33 22 0:43 / /media/my\040drive\134x rw,relatime - fuse.sshfs me@there:/a\040-\040b rw
34 22 0:44 / /srv rw,relatime shared:9 - ext4 /dev/vdd rw
35 34 0:45 / /srv rw,relatime shared:10 shared:11 - fuse.rclone remote: rw
`;

describe("mountTypeOf", () => {
  it.each([
    ["/var/lib/sensor.db", "ext4"],
    ["/mnt", "ext4"],
    ["/mnt/host", "virtiofs"],
    ["/mnt/host/state", "virtiofs"],
    ["/mnt/hostess/state", "ext4"],
    ["/mnt/host/fast/state", "fuseblk"],
    ["/mnt/host/faster", "virtiofs"],
    ["/media/my drive\\x/sensor.db", "fuse.sshfs"],
    ["/media/my", "ext4"],
    ["/srv/state", "fuse.rclone"],
  ])("says of %s that it lies on %s, in whatever order its mounts are", (path, type) => {
    expect(mountTypeOf(path, MOUNTS)).toBe(type);
    // Those on one point stay in order, because the last one is on top.
    const lines = MOUNTS.split("\n");
    const deepestFirst = lines.toSorted((one, other) => pointOf(other).length - pointOf(one).length);
    expect(mountTypeOf(path, deepestFirst.join("\n"))).toBe(type);
  });

  it("says nothing where nothing is known", () => {
    expect(mountTypeOf("/srv/state", "")).toBeNull();
    expect(mountTypeOf("/srv/state", "not what the kernel writes\n")).toBeNull();
  });

  it.runIf(process.platform === "linux")("reads what this machine's kernel writes", () => {
    expect(mountTypeOf("/proc/self/status", readFileSync("/proc/self/mountinfo", "utf8"))).toBe("proc");
  });
});

const pointOf = (line: string) => line.split(" ")[4] ?? "";

describe("readFileSystem", () => {
  it("answers for a file, its folder, and one that is not there yet with the same", () => {
    const folder = temporaryFolder();
    const found = readFileSystem(folder);
    expect(found === null).toBe(process.platform !== "linux");
    expect(readFileSystem(join(folder, "not", "there", "yet"))).toEqual(found);
  });
});

const NFS: FileSystem = { type: 0x6969n, mountType: null };
const LOCAL: FileSystem = { type: 0xef53n, mountType: null };

describe("an uploader", () => {
  test.each([
    ["a database", "sensor.db", /The database, .*sensor\.db, is on a network or shared file system \(NFS\)/],
    ["control tables", "control.db", /The database with the control tables, .*control\.db, is on a network/],
    ["a state folder", "state", /The state folder, .*state, is on a network/],
  ])("refuses %s on a network file system, and takes it when told to", async (_, name, message) => {
    const folder = temporaryFolder();
    openReadings(join(folder, "sensor.db"));
    const lines: LogLine[] = [];
    const upload = (more: Readonly<Record<string, unknown>>) =>
      uploadOnce({
        cwd: folder,
        argv: {
          sqlite: "sensor.db",
          "pipeline-db": "control.db",
          directory: "lake",
          "state-dir": "state",
          ...more,
        },
        readFileSystem: (path) => (path === join(folder, name) ? NFS : LOCAL),
        onLog: (line) => lines.push(line),
      });
    await expect(upload({})).rejects.toMatchObject({
      code: "NETWORK_FILE_SYSTEM",
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/--allow-network-filesystem/),
    });
    expect(await upload({ "allow-network-filesystem": true })).toBe(0);
    expect(lines.filter(({ level }) => level === 40).map(({ msg }) => msg)).toContainEqual(
      expect.stringMatching(message),
    );
  });
});

describe("a command that changes the state", () => {
  const confirm = async () => true;
  const choice = { key: null, tables: ["readings"] };
  const COMMANDS: Readonly<Record<string, (options: CommandOptions) => Promise<unknown>>> = {
    "state rebuild": (options) => rebuildState({ ...options, onListed: () => {}, confirm }),
    "outbox set-aside": (options) => setAsideObjects({ ...options, choice, confirm }),
  };

  test.each(Object.keys(COMMANDS))("refuses a network file system: %s", async (name) => {
    const folder = temporaryFolder();
    openReadings(join(folder, "sensor.db"));
    const stateDir = join(folder, "state");
    const run = (more: Readonly<Record<string, unknown>>) => {
      const argv = { sqlite: "sensor.db", directory: "lake", "state-dir": "state", ...more };
      const settings = loadSettings({ argv, env: {}, cwd: folder, hostname: "h" });
      const read: ReadFileSystem = (path) => (path === stateDir ? NFS : LOCAL);
      return COMMANDS[name]?.({ settings, clock: systemClock, log: noLog, readFileSystem: read });
    };
    const refused = {
      code: "NETWORK_FILE_SYSTEM",
      message: expect.stringMatching(/^The state folder, .*NFS/),
    };
    await expect(run({})).rejects.toMatchObject(refused);
    expect(existsSync(stateDir)).toBe(false);
    // What set-aside then misses is a state.
    const allowed = run({ "allow-network-filesystem": true });
    if (name === "state rebuild") expect(await allowed).toMatchObject({ movedAside: [] });
    else await expect(allowed).rejects.toMatchObject({ message: expect.stringMatching(/There is no state/) });
  });
});

type CommandOptions = Pick<RebuildOptions, "settings" | "clock" | "log" | "readFileSystem">;
