import type { ValueKind } from "./value-kinds.ts";

/** Everything that is known of one setting; flags, environment, file and reference all come from it. */
export interface Setting<T, D extends T | null = T | null> {
  /** Its path in the YAML; null where it has no place there. */
  readonly yaml: string | null;
  /** Environment variables, the first that is set and not empty counts. */
  readonly env: readonly string[];
  readonly flag: string | null;
  /** Set where the flag takes no value: what it stands for. */
  readonly switchOn: T | null;
  readonly kind: ValueKind<T>;
  /** Whether the value is a path, to be resolved against the place that it comes from. */
  readonly isPath: boolean;
  readonly default: D;
  /** The default for people; Markdown. */
  readonly defaultText: string;
  /** One sentence or two, without a full stop at the end; Markdown. */
  readonly description: string;
}

type Definition<T, D extends T | null> = Pick<Setting<T, D>, "kind" | "default" | "description"> &
  Partial<Setting<T, D>>;

export function setting<T, const D extends T | null>(definition: Definition<T, D>): Setting<T, D> {
  return {
    yaml: null,
    env: [],
    flag: null,
    switchOn: null,
    isPath: false,
    defaultText: definition.default === null ? "" : `\`${definition.default}\``,
    ...definition,
  };
}

/** What a message calls a setting: its path in the YAML, or the name it is set by. */
export function settingKey({ yaml, env, flag }: Pick<Setting<unknown>, "yaml" | "env" | "flag">): string {
  return yaml ?? env[0] ?? `--${flag}`;
}
