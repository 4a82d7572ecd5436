import { open } from "node:fs/promises";

/** Makes the names of new files survive a loss of power, as fsync of the files alone does not. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
