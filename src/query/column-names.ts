/** Names that mean something to us, to the lake's partitions or to Auto Loader; no source's column gets one. */
export const RESERVED_NAMES = [
  "_node_id",
  "_generation",
  "_extracted_at",
  "_rowid",
  "_rescued",
  "_errors",
  "_schema_version",
  "_metadata",
  "_rescued_data",
  "ingest_date",
] as const;

/** What Delta refuses in names (` ,;{}()\n\t=`), with control characters and lone surrogates. */
const REFUSED = /[ ,;{}()=\p{Cc}\p{Cs}]/gu;

export type NameColumn = (name: string) => string;

/**
 * Makes a function that gives one column after the other its name in Parquet: what Spark refuses becomes
 * `_`, an empty name `column`, and a name that is reserved or taken, whatever the case, ends in `_2`, `_3` …
 * Names depend on earlier columns alone, so a column added to a table renames none before it.
 *
 * @param reserved names that are never given, besides {@link RESERVED_NAMES}
 */
export function createColumnNamer(reserved: readonly string[] = []): NameColumn {
  const taken = new Set([...RESERVED_NAMES, ...reserved].map(foldCase));
  return (name) => {
    const wanted = name.replace(REFUSED, "_") || "column";
    let given = wanted;
    for (let suffix = 2; taken.has(foldCase(given)); suffix += 1) given = `${wanted}_${suffix}`;
    taken.add(foldCase(given));
    return given;
  };
}

/** Both ways, because readers differ: `ſ` is `s` only in upper case, `K` (Kelvin) is `k` only in lower case. */
function foldCase(name: string): string {
  return name.toLowerCase().toUpperCase();
}
