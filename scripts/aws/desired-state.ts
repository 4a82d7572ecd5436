import { describeAwsError } from "./aws-errors.ts";
import type { ChangeReport } from "./change-report.ts";
import { sameDocument } from "./same-document.ts";

/** One thing that a script keeps as it should be. */
export interface Property<State = unknown> {
  /** As it stands in the report: `versioning`. */
  readonly name: string;
  /** How it is; null: it is not there. */
  read(): Promise<State | null>;
  /** How it should be, with what others have added to it left in; null: it should not be there. */
  wanted(found: State | null): State | null;
  write(state: State): Promise<void>;
  remove?(): Promise<void>;
  /** In the report; without it the state as JSON. Never a secret. */
  text?(state: State): string;
  /** What the administrator should know of what was found. */
  notes?(found: State): string[];
}

/**
 * Puts each property right that is not as it should be, in their order. A dry run takes the same way and leaves out the
 * writing.
 *
 * @param subject what the properties are of, for errors
 * @throws {UploaderError}
 */
export async function putRight(
  subject: string,
  properties: readonly Property[],
  report: ChangeReport,
): Promise<void> {
  for (const property of properties)
    try {
      await putOneRight(property, report);
    } catch (error) {
      throw describeAwsError(error, `${subject}, ${property.name}`);
    }
}

async function putOneRight(property: Property, report: ChangeReport): Promise<void> {
  const { name } = property;
  const text = (state: unknown) =>
    property.text?.(state) ?? (typeof state === "string" ? state : JSON.stringify(state));
  const found = await property.read();
  const wanted = property.wanted(found);
  if (found !== null) for (const note of property.notes?.(found) ?? []) report.note(note);
  if (wanted === null) {
    if (found === null) return;
    if (!report.dryRun) await property.remove?.();
    report.removed(name, text(found));
  } else if (found !== null && sameDocument(found, wanted)) {
    report.alreadySo(name, text(found));
  } else {
    if (!report.dryRun) await property.write(wanted);
    if (found === null) report.made(name, text(wanted));
    else if (text(found) !== text(wanted)) report.changed(name, text(found), text(wanted));
    else report.changed(name, JSON.stringify(found), JSON.stringify(wanted));
  }
}
