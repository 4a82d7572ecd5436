import { readFileSync, realpathSync, statfsSync } from "node:fs";
import { dirname } from "node:path";

/**
 * What Linux says in `statfs.f_type` for file systems whose files live on another machine, or are shared with
 * one: from include/uapi/linux/magic.h, and where that does not have them from the `stat` of GNU coreutils
 * (src/stat.c, `S_MAGIC_*`) and statfs(2).
 */
const NETWORK_TYPES: ReadonlyMap<bigint, string> = new Map([
  [0x6969n, "NFS"], // NFS_SUPER_MAGIC
  [0x517bn, "SMB"], // SMB_SUPER_MAGIC
  [0xff534d42n, "CIFS"], // CIFS_SUPER_MAGIC
  [0xfe534d42n, "SMB2"], // SMB2_SUPER_MAGIC
  [0x01021997n, "9p"], // V9FS_MAGIC; also the drives of Windows in WSL 2
  [0x00c36400n, "Ceph"], // CEPH_SUPER_MAGIC
  [0x5346414fn, "AFS"], // AFS_SUPER_MAGIC
  [0x6b414653n, "AFS"], // AFS_FS_MAGIC
  [0x73757245n, "Coda"], // CODA_SUPER_MAGIC
  [0x564cn, "NCP"], // NCP_SUPER_MAGIC
  [0x0bd00bd0n, "Lustre"], // S_MAGIC_LUSTRE
  [0x47504653n, "GPFS"], // S_MAGIC_GPFS
  [0x013111a8n, "IBRIX"], // S_MAGIC_IBRIX
  [0xaad7aaean, "PanFS"], // S_MAGIC_PANFS
  [0x61636673n, "ACFS"], // S_MAGIC_ACFS
  [0x786f4256n, "VirtualBox shared folder"], // S_MAGIC_VBOXSF
  [0x7c7c6673n, "Parallels shared folder"], // S_MAGIC_PRL_FS
  [0xbacbacbcn, "VMware shared folder"], // S_MAGIC_VMHGFS
]);

/** FUSE_SUPER_MAGIC; virtiofs has it too, so /proc/self/mountinfo has to say which one it is. */
const FUSE_TYPE = 0x65735546n;

/**
 * Types in /proc/self/mountinfo (proc_pid_mountinfo(5)) that all have FUSE's number and bring files of another
 * machine: those of the host of a virtual machine, as Docker Desktop mounts folders, and of network storage.
 */
const NETWORK_FUSE_TYPES =
  /^(virtiofs|fakeowner|(fuse\.)?(grpcfuse|osxfs|sshfs|s3fs|rclone|goofys|mount-s3|gcsfuse|blobfuse2?|glusterfs|cephfs|ceph-fuse|ceph|juicefs|seaweedfs|davfs2?|curlftpfs|gvfsd-fuse|moosefs|mfs|lizardfs|beegfs|afpfs|smbnetfs|vmhgfs-fuse|portal))$/;

export interface FileSystem {
  /** `statfs.f_type` of Linux. */
  readonly type: bigint;
  /** As in /proc/self/mountinfo; null where that cannot be read. */
  readonly mountType: string | null;
}

/** The file system of a file or folder, or of the nearest folder above it that is there; null where nobody can say. */
export type ReadFileSystem = (path: string) => FileSystem | null;

/** By Linux's own numbers: elsewhere the answer is always null. */
export const readFileSystem: ReadFileSystem = (path) => {
  if (process.platform !== "linux") return null;
  try {
    const real = realpathSync(path);
    // Some architectures and file systems extend the sign.
    const type = BigInt.asUintN(32, statfsSync(real, { bigint: true }).type);
    if (type !== FUSE_TYPE) return { type, mountType: null };
    return { type, mountType: mountTypeOf(real, readFileSync("/proc/self/mountinfo", "utf8")) };
  } catch {
    return path === dirname(path) ? null : readFileSystem(dirname(path));
  }
};

/**
 * The name of a file system whose files another machine has too; null for one of this machine.
 *
 * SQLite needs locks that hold and, in WAL mode, memory that all processes share. On such file systems they are
 * missing or lie, and what follows is not an error but a damaged database:
 * https://sqlite.org/howtocorrupt.html (2.1), https://sqlite.org/wal.html (2).
 */
export function networkFileSystem({ type, mountType }: FileSystem): string | null {
  if (type !== FUSE_TYPE) return NETWORK_TYPES.get(type) ?? null;
  return mountType !== null && NETWORK_FUSE_TYPES.test(mountType) ? mountType : null;
}

export interface Mount {
  /** Where it is mounted. */
  readonly point: string;
  readonly type: string;
}

/** The type of the mount that a path lies on. */
export function mountTypeOf(path: string, mounts: string): string | null {
  return mountOf(path, mounts)?.type ?? null;
}

/**
 * The mount that a path lies on: the one with the longest path above it, and of several there the last.
 *
 * @param mounts /proc/self/mountinfo (proc_pid_mountinfo(5)): in each line the fifth field is where it is mounted, with
 *   blanks and the like as `\040`, and the first one behind ` - ` its type
 */
export function mountOf(path: string, mounts: string): Mount | null {
  let found: Mount | null = null;
  for (const line of mounts.split("\n")) {
    const [mount = "", origin = ""] = line.split(" - ");
    const point = (mount.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const isAbove = path === point || path.startsWith(point.endsWith("/") ? point : `${point}/`);
    if (point === "" || !isAbove || (found && point.length < found.point.length)) continue;
    found = { point, type: origin.split(" ")[0] ?? "" };
  }
  return found;
}
