import { UploaderError } from "./core/errors.ts";
import type { ExtractorOptions } from "./extract.ts";
import type { Parts } from "./loop.ts";
import type { Logger } from "./observe/logger.ts";
import { readSource, type SourceState } from "./outbox/sources.ts";
import { describeStateError } from "./outbox/state.ts";

/**
 * Makes sure of the ownership of each source before its first row is extracted, where the sink can be
 * reached; where it cannot, the outbox fills and the delivery makes sure of it later.
 *
 * @returns the extractors of the sources that may be shipped
 * @throws {UploaderError} OWNED_BY_ANOTHER where no source is left
 */
export async function claimSources(parts: Parts, log: Logger): Promise<ExtractorOptions[]> {
  const claimed: ExtractorOptions[] = [];
  let refusal: UploaderError | undefined;
  for (const extractor of parts.extractors) {
    const { node, table } = extractor;
    try {
      await parts.ownership.ensure(readSource(parts.state.db, node, table) as SourceState);
      claimed.push(extractor);
    } catch (error) {
      const described = describeStateError(error, parts.state.files.database);
      if (!(described instanceof UploaderError)) throw described;
      if (described.code !== "OWNED_BY_ANOTHER") {
        claimed.push(extractor);
        continue;
      }
      refusal = described;
      if (parts.extractors.length > 1)
        log.error({ node, table, err: described }, "this source is not shipped");
    }
  }
  if (claimed.length === 0 && refusal) throw refusal;
  return claimed;
}
