import type { Options } from "yargs";
import type { Setting } from "./setting.ts";
import { CONFIG_FILE, SETTING_ENTRIES } from "./setting-table.ts";

/**
 * The flags of `uploader` for yargs. They have no defaults and no number types, so that what was not given
 * can be told from what was, and a mistake is reported with all others by `loadSettings`.
 */
export function uploaderOptions(): Record<string, Options> {
  const options: Record<string, Options> = { config: configOption() };
  for (const [, setting] of SETTING_ENTRIES)
    if (setting.flag !== null) options[setting.flag] = optionOf(setting);
  return options;
}

/** `--config` by itself, for programs that only look for the database. */
export function configOption(): Options {
  return {
    type: "string",
    requiresArg: true,
    description: CONFIG_FILE.description.replace("settings below", "settings"),
    defaultDescription: plain(CONFIG_FILE.defaultText),
  };
}

function optionOf({ switchOn, description, defaultText }: Setting<unknown>): Options {
  const text = plain(description);
  if (switchOn === null)
    return { type: "string", requiresArg: true, description: text, defaultDescription: plain(defaultText) };
  return { type: "boolean", description: switchOn === true ? text : `Log at the level ${switchOn}` };
}

/** Markdown's code spans are of no use on a terminal. */
function plain(markdown: string): string {
  return markdown.replaceAll("`", "");
}
