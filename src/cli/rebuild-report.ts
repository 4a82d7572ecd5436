import { UploaderError } from "../core/errors.ts";
import type { RebuildFinding, RebuildFindings, Rebuilt } from "../rebuild.ts";
import type { MissingExtractions } from "../rebuild-plan.ts";
import type { UnprovenRows } from "../rebuild-source.ts";
import { formatBytes, formatCount, formatFields } from "./text-table.ts";

const MOST_MISSING = 10;

/** What `uploader state rebuild` says before it asks. */
export function reportFindings({ node, stateDir, sources, remains }: RebuildFindings): string {
  return [...sources.map((source) => reportSource(node, source)), reportRemains(stateDir, remains)].join(
    "\n\n",
  );
}

/**
 * Where nothing tells whether rows are delivered, the operator has to say what becomes of them.
 *
 * @throws {UploaderError} USAGE
 */
export function assertDecided({ sources }: RebuildFindings, unproven: UnprovenRows | null): void {
  const tables = sources.filter(({ resume }) => resume.unproven !== null).map(({ table }) => table);
  if (tables.length === 0 || unproven !== null) return;
  throw new UploaderError({
    code: "USAGE",
    message: `It cannot be told whether the rows of ${tables.join(", ")} are those that were delivered, so nothing was changed.`,
    hint: "If they are, add `--unproven skip`: they are not sent again. If the table was made anew since, or nobody knows, add `--unproven send`: no row is lost, and those that are delivered come twice, with another _generation.",
  });
}

/** What it says when it is done. */
export function reportRebuilt({ sources, movedAside }: Rebuilt): string {
  const begun = sources.map(({ table, plan }) => `${table} goes on with generation ${plan.generation}`);
  const moved = movedAside.map((path) => `Moved aside: ${path}`);
  return [`The state is rebuilt: ${begun.join("; ")}.`, ...moved].join("\n");
}

function reportSource(node: string, { table, survey, plan, resume }: RebuildFinding): string {
  const { objects, owner } = survey;
  const rows = objects.reduce((sum, { name }) => sum + name.rows, 0);
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  const generations = [...new Set(objects.map(({ name }) => name.generation))].sort((a, b) => a - b);
  const found =
    objects.length === 0
      ? "nothing"
      : `${formatCount(objects.length)} objects of ${describeNumbers("generation", generations)}, ${formatCount(rows)} rows, ${formatBytes(bytes)}`;
  return formatFields([
    ["Table", `${table} of node ${node}`],
    ["In the buckets", found],
    ["Ownership", describeOwner(survey, owner)],
    ...(resume.replaced === null
      ? []
      : [["Replaced", `the table is not the one that was delivered: ${resume.replaced}`] as const]),
    ...(resume.unproven === null ? [] : [["Unproven", resume.unproven] as const]),
    ["Missing", describeMissing(plan.missing)],
    ["Goes back to", describeCursor(plan, resume)],
    ["Left out", `${formatCount(resume.rowsLeftOut)} rows beyond that are delivered already`],
    ["To be sent", `${formatCount(resume.rowsToSend)} rows that the table has now`],
    ["Begins", `generation ${plan.generation}`],
  ]);
}

function describeOwner(
  { marker }: RebuildFinding["survey"],
  owner: RebuildFinding["survey"]["owner"],
): string {
  if (marker === null) return "no marker";
  if (owner === null) return "a marker that cannot be read; it is replaced";
  return `state ${owner.stateId}, epoch ${owner.epoch}, generation ${owner.generation}`;
}

function describeMissing(missing: readonly MissingExtractions[]): string {
  if (missing.length === 0) return "no extraction up to the highest one there is";
  const count = missing.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const named = missing.slice(0, MOST_MISSING).map(({ generation, first, last, parts }) => {
    const numbers = first === last ? `${first}` : `${first} to ${last}`;
    const found = parts === null ? "" : ` (${parts.found} of ${parts.of} parts are there)`;
    return `${numbers} of generation ${generation}${found}`;
  });
  const more = missing.length > MOST_MISSING ? ", …" : "";
  return `${formatCount(count)} extraction${count === 1 ? "" : "s"}: ${named.join(", ")}${more}`;
}

function describeCursor(
  { cursor, cursorOf }: RebuildFinding["plan"],
  resume: RebuildFinding["resume"],
): string {
  if (resume.cursor === null) return "the first row";
  const isOfExtraction = cursorOf !== null && resume.cursor === cursor;
  return isOfExtraction
    ? `row ${resume.cursor}, the end of extraction ${cursorOf.sequence} of generation ${cursorOf.generation}`
    : `row ${resume.cursor}`;
}

function describeNumbers(word: string, numbers: readonly number[]): string {
  return numbers.length === 1 ? `${word} ${numbers[0]}` : `${word}s ${numbers.join(", ")}`;
}

function reportRemains(stateDir: string, { hasDatabase, outboxFiles }: RebuildFindings["remains"]): string {
  const lines = [
    "Any other uploader with this node id must be stopped first: what it delivers from now on may come twice.",
  ];
  if (hasDatabase) lines.push(`The present state in ${stateDir} is moved aside, not deleted.`);
  if (outboxFiles > 0)
    lines.push(
      `So are the ${formatCount(outboxFiles)} files of its outbox. Their rows are read from the table again; those that the table no longer has are nowhere else.`,
    );
  return lines.join("\n");
}
