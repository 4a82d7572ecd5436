import { UploaderError } from "./core/errors.ts";
import type { ExtractorOptions } from "./extract.ts";
import type { Parts } from "./loop.ts";
import type { Logger } from "./observe/logger.ts";
import { readSource, type SourceState } from "./outbox/sources.ts";
import { describeStateError } from "./outbox/state.ts";
import { sweepOutbox } from "./outbox/sweep-outbox.ts";

/**
 * Makes sure of the ownership of each source before its first row is extracted, where the sink can be
 * reached; where it cannot, the outbox fills and the delivery makes sure of it later. Then removes what a crash left
 * in the outbox: not before, because an older copy of the state would take for garbage what a later one has listed.
 *
 * @returns the extractors of the sources that may be shipped
 * @throws {UploaderError} OWNED_BY_ANOTHER where no source is left
 */
export async function claimSources(parts: Parts, log: Logger): Promise<ExtractorOptions[]> {
  const claimed: ExtractorOptions[] = [];
  let refusal: UploaderError | undefined;
  let isOwned = true;
  for (const extractor of parts.extractors) {
    const { node, table } = extractor;
    try {
      await parts.ownership.ensure(readSource(parts.state.db, node, table) as SourceState);
      claimed.push(extractor);
    } catch (error) {
      const described = describeStateError(error, parts.state.files.database);
      if (!(described instanceof UploaderError)) throw described;
      // The marker was read, and is not another's, before anything is written to the state.
      if (!described.code.startsWith("STATE_")) isOwned = false;
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
  const swept = sweepOutbox(parts.state, { isOwned });
  if (swept.length > 0) log.debug({ files: swept }, "removed files of an extraction that was cut short");
  return claimed;
}
