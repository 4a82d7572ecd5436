import type { S3Client } from "@aws-sdk/client-s3";
import { DeleteQueueCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { describeAwsError } from "./aws-errors.ts";
import type { ChangeReport } from "./change-report.ts";
import { ownTags, putNotifications, queueUrlOf, readNotifications } from "./desired-event-queue.ts";
import { type EventQueue, withoutOwn } from "./event-queues.ts";
import { sameDocument } from "./same-document.ts";

/**
 * Takes our notifications away, then the queue with what is in it.
 *
 * @throws {UploaderError} USAGE, before anything of it is changed, where the queue is somebody else's
 */
export async function deleteEventQueue(
  sqs: SQSClient,
  s3: S3Client,
  queue: EventQueue,
  report: ChangeReport,
): Promise<void> {
  const { name, bucket } = queue;
  try {
    const url = await queueUrlOf(sqs, queue);
    if (url) await ownTags(sqs, name, url);
    const found = (await readNotifications(s3, bucket.name)) ?? {};
    const others = withoutOwn(found);
    if (!sameDocument(found, others)) {
      if (!report.dryRun) await putNotifications(s3, bucket.name, others);
      report.removed(`notifications of ${bucket.name}`);
    }
    if (!url) return;
    if (!report.dryRun) await sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
    report.removed(`queue ${name}`);
  } catch (error) {
    throw describeAwsError(error, `The queue ${name} could not be deleted`);
  }
}
