import { closestName } from "../config/suggestion.ts";
import { UploaderError } from "../core/errors.ts";
import { isPipelineType, PIPELINE_TYPES, type PipelineType } from "../core/types.ts";

/**
 * The pipeline type that an operator typed.
 *
 * @throws {UploaderError} USAGE, naming the types and the one that was probably meant
 */
export function parsePipelineType(text: string): PipelineType {
  if (isPipelineType(text)) return text;
  const meant = nearestType(text.toLowerCase());
  throw new UploaderError({
    code: "USAGE",
    message: `${JSON.stringify(text)} is not a pipeline type.${meant === null ? "" : ` Did you mean ${meant}?`}`,
    hint: `The types are ${PIPELINE_TYPES.join(", ")}.`,
  });
}

function nearestType(text: string): string | null {
  const begun = text === "" ? undefined : PIPELINE_TYPES.find((type) => type.startsWith(text));
  return begun ?? closestName(text, PIPELINE_TYPES);
}
