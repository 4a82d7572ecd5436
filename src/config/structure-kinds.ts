import type { Condition, Scalar } from "../core/types.ts";
import { parseCondition } from "./condition-schema.ts";
import { credentialName, looksLikeCredential } from "./credentials.ts";
import { describeValue } from "./problems.ts";
import { parsed, type ValueKind } from "./value-kinds.ts";
import { isFiniteNumber, isMapping, repeatedName } from "./value-shapes.ts";

/** See condition-schema.ts. */
export function condition(): ValueKind<Condition> {
  return parsed((value, report) => parseCondition(value, report) as Condition);
}

/** Constant columns by name. */
export function constants(): ValueKind<Readonly<Record<string, Scalar>>> {
  return parsed((value, report) => {
    const constants: Record<string, Scalar> = Object.create(null);
    if (!isMapping(value)) {
      report([], `must be a mapping of names to texts, numbers, true or false, not ${describeValue(value)}`);
      return constants;
    }
    for (const [name, constant] of Object.entries(value)) {
      // Refused already, with everything else of that kind, by config-file.ts.
      if (looksLikeCredential(name)) continue;
      const fault = columnNameFault(name);
      if (fault !== null) report([name], fault);
      if (typeof constant !== "string" && typeof constant !== "boolean" && !isFiniteNumber(constant))
        report([name], `must be a text, a number, true or false, not ${describeValue(constant)}`);
      else constants[name] = constant;
    }
    const repeated = repeatedName(Object.keys(value));
    if (repeated !== null)
      report([credentialName(repeated)], "is there twice; case makes no difference in names of columns");
    return constants;
  });
}

/** A path, or a mapping; schematized-schemas.ts reads and checks what is behind it. */
export function schemaOrPath(): ValueKind<string | Readonly<Record<string, unknown>>> {
  return parsed((value, report) => {
    if (!isMapping(value) && (typeof value !== "string" || value.trim() === ""))
      report([], `must be the path of a JSON or YAML file, or a schema, not ${describeValue(value)}`);
    return value as string | Readonly<Record<string, unknown>>;
  });
}

/** Rules for the names of columns of objects: docs/OBJECTS.md. */
function columnNameFault(name: string): string | null {
  if (/[ ,;{}()\n\t=]/.test(name))
    return "must be free of blanks, tabs, line breaks and , ; { } ( ) =, which Spark refuses";
  if (name.startsWith("_")) return "must not begin with _, as the uploader's own columns do";
  return name.toLowerCase() === "ingest_date" ? "is the name of the partition column" : null;
}
