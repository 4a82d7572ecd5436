import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { renderConfigReference, replaceConfigReference } from "../src/config/reference.ts";

// Prints the configuration reference; with --write it goes between its markers in README.md.
if (process.argv.includes("--write")) {
  const readme = fileURLToPath(new URL("../README.md", import.meta.url));
  writeFileSync(readme, replaceConfigReference(readFileSync(readme, "utf8")));
} else {
  process.stdout.write(renderConfigReference());
}
