import { FAILPOINTS } from "../../src/core/failpoints.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { killAtEachOf, ONLY_DIRECTORY } from "./kill-at-steps.ts";

suiteFor("versitygw", "a kill at every step", (server) => {
  killAtEachOf(
    FAILPOINTS.filter((name) => !ONLY_DIRECTORY.includes(name)),
    server,
  );
});
