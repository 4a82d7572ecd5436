import { test } from "vitest";
import { suiteFor } from "../support/s3-servers.ts";
import { createRandom } from "../support/seeded-random.ts";
import { SEED, tallyScenario } from "./campaign.ts";
import { type Phase, runEpisode, startFaultyServer } from "./soak-episode.ts";

/** What `npm run soak` does for as long as it is told to, without a look at the writer's times. */
suiteFor("versitygw", "a short soak", () => {
  const tally = tallyScenario(`7 load: soak (seed ${SEED})`);

  test(`everything at once for half a minute: TEST_SEED=${SEED}`, async () => {
    const random = createRandom(SEED);
    const remote = await startFaultyServer(random);
    const phases: Phase[] = [
      { beside: "uploader", seconds: 20 },
      { beside: "nothing", seconds: 2 },
      { beside: "uploader", seconds: 8 },
    ];
    const { findings } = await runEpisode(remote, phases, random, 15).finally(remote.stop);
    tally.add(findings);
  }, 300_000);
});
