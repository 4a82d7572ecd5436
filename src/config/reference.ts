import type { Setting } from "./setting.ts";
import { CONFIG_FILE, SETTING_ENTRIES } from "./setting-table.ts";

const BEGIN = "<!-- config-reference:begin -->";
const END = "<!-- config-reference:end -->";

/** The table of all settings, in Markdown, with a line break at its end. */
export function renderConfigReference(): string {
  const rows = [
    ["YAML", "environment", "flag", "default", "what it is"],
    ["---", "---", "---", "---", "---"],
    [
      "",
      code(CONFIG_FILE.env),
      code(`--${CONFIG_FILE.flag}`),
      CONFIG_FILE.defaultText,
      CONFIG_FILE.description,
    ],
    ...SETTING_ENTRIES.map(([, setting]) => rowOf(setting)),
  ];
  return rows
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`)
    .join("");
}

/**
 * A document with the table between its two markers made new.
 *
 * @throws {Error} where it does not hold the markers, each once and in their order
 */
export function replaceConfigReference(document: string): string {
  const [before, afterBegin, ...moreBegins] = document.split(BEGIN);
  const [, after, ...moreEnds] = (afterBegin ?? "").split(END);
  if (before === undefined || after === undefined || moreBegins.length > 0 || moreEnds.length > 0)
    throw new Error(`The document must hold ${BEGIN} and then ${END}, once each`);
  return `${before}${BEGIN}\n${renderConfigReference()}${END}${after}`;
}

function rowOf({ yaml, env, flag, defaultText, description }: Setting<unknown>): string[] {
  return [
    yaml === null ? "" : code(yaml),
    env.map(code).join(" or "),
    flag === null ? "" : code(`--${flag}`),
    defaultText,
    description,
  ];
}

function code(text: string): string {
  return `\`${text}\``;
}
