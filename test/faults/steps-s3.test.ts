import { FAILPOINTS } from "../../src/core/failpoints.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { IS_FULL } from "./campaign.ts";
import { killAtEachOf, ONLY_DIRECTORY } from "./kill-at-steps.ts";

suiteFor("versitygw", "a kill at every step", (server) => {
  // What comes before the delivery does not know where it goes.
  const steps = IS_FULL ? FAILPOINTS : FAILPOINTS.slice(FAILPOINTS.indexOf("before-intent"));
  killAtEachOf(
    steps.filter((name) => !ONLY_DIRECTORY.includes(name)),
    server,
  );
});
