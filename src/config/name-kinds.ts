import { bucketNameFault } from "./bucket-names.ts";
import { describeValue, type Report } from "./problems.ts";
import { parsed, type ValueKind } from "./value-kinds.ts";
import { isFiniteNumber, repeatedName } from "./value-shapes.ts";

/** Names of columns, each once. */
export function columns(): ValueKind<readonly string[]> {
  return parsed((value, report) => checkNames(value, "columns", report));
}

/** The name of a table, a list of names, or `*` for all. */
export function tables(): ValueKind<readonly string[] | "*"> {
  const kind = parsed<readonly string[] | "*">((value, report) => {
    if (value === "*") return value;
    const names = checkNames(typeof value === "string" ? [value] : value, "tables", report);
    if (names.length === 0 && Array.isArray(value) && value.length === 0)
      report([], 'must be a table, a list of tables or "*", not an empty list');
    if (names.length > 1 && names.includes("*")) report([], 'names "*", which is all tables, beside others');
    return names.includes("*") ? "*" : names;
  });
  return { ...kind, fromText: tablesFromText };
}

/** A bucket's name under the rules of bucket-names.ts. */
export function bucketName(): ValueKind<string> {
  return parsed((value, report) => {
    if (typeof value !== "string" || value === "") {
      report([], `must be the name of a bucket, not ${describeValue(value)}`);
      return "";
    }
    const fault = bucketNameFault(value);
    if (fault !== null) report([], `${fault} (bucket ${describeValue(value)})`);
    return value;
  });
}

/** A region as it stands in names of buckets; other S3 servers have names of their own for theirs. */
export function region(): ValueKind<string> {
  return parsed((value, report) => {
    if (typeof value !== "string" || !/^[a-z0-9][a-z0-9-]{0,31}$/.test(value))
      report([], `must be a region such as us-west-2, not ${describeValue(value)}`);
    return value as string;
  });
}

/** An address of a server. It is never shown, because it may hold a password. */
export function endpoint(): ValueKind<string> {
  return parsed((value, report) => {
    const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : null;
    if (!url || (url.protocol !== "http:" && url.protocol !== "https:"))
      report([], "must be a URL such as https://s3.example.com");
    else if (url.username !== "" || url.password !== "")
      report([], "must not hold a user or a password; leave credentials to AWS's default chain");
    else if (url.search !== "" || url.hash !== "") report([], "must end before any ? or #");
    return value as string;
  });
}

function checkNames(value: unknown, what: string, report: Report): string[] {
  if (!Array.isArray(value)) {
    report([], `must be a list of ${what}, not ${describeValue(value)}`);
    return [];
  }
  const names: string[] = [];
  for (const [index, name] of value.entries()) {
    if (typeof name !== "string" || name.trim() === "")
      report(
        [index],
        `must be a name, not ${describeValue(name)}${isFiniteNumber(name) ? "; put quotes around it" : ""}`,
      );
    else names.push(name);
  }
  const repeated = repeatedName(names);
  if (repeated !== null) report([], `names ${describeValue(repeated)} twice`);
  return names;
}

function tablesFromText(given: string): unknown {
  const names = given.split(",").map((name) => name.trim());
  return names.length === 1 ? names[0] : names;
}
