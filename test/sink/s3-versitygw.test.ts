import { openS3Place } from "../support/s3-place.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { itKeepsTheContract } from "./contract.ts";

suiteFor("versitygw", "the contract of sinks in S3", (server) => {
  itKeepsTheContract({ needsBuckets: true, atomicConditions: true }, () => openS3Place(server()));
});
