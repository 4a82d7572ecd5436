import { stripVTControlCharacters } from "node:util";

/**
 * The columns that a text takes on a terminal, one for each character: yargs measures its help by it. The bundle has
 * this in place of the package string-width, which knows wide characters, of which our help has none, and makes an
 * Intl.Segmenter for them at each start.
 */
// biome-ignore lint/style/noDefaultExport: as string-width has it
export default function textWidth(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
