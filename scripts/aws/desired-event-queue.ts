import { setTimeout as delay } from "node:timers/promises";
import {
  GetBucketNotificationConfigurationCommand,
  type NotificationConfiguration,
  PutBucketNotificationConfigurationCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueueTagsCommand,
  SetQueueAttributesCommand,
  type SQSClient,
  TagQueueCommand,
} from "@aws-sdk/client-sqs";
import { UploaderError } from "../../src/core/errors.ts";
import { orNull } from "./aws-errors.ts";
import type { PolicyDocument } from "./bucket-policy.ts";
import { MANAGED_BY } from "./desired-databricks-role.ts";
import type { Property } from "./desired-state.ts";
import {
  type EventQueue,
  foreignIds,
  mergeNotifications,
  notificationsText,
  queuePolicy,
} from "./event-queues.ts";

/** A queue, and the bucket's notifications to it, in the order in which they have to be made. */
export function desiredEventQueue(sqs: SQSClient, s3: S3Client, queue: EventQueue): Property[] {
  return [taggedQueue(sqs, queue), encryption(sqs, queue), policy(sqs, queue), notifications(s3, queue)];
}

/** null: there is none */
export async function queueUrlOf(sqs: SQSClient, { name }: EventQueue): Promise<string | null> {
  return (await orNull(sqs.send(new GetQueueUrlCommand({ QueueName: name }))))?.QueueUrl ?? null;
}

/** @throws {UploaderError} USAGE for a queue that somebody else has made */
export async function ownTags(
  sqs: SQSClient,
  name: string,
  QueueUrl: string,
): Promise<Record<string, string>> {
  const { Tags = {} } = await sqs.send(new ListQueueTagsCommand({ QueueUrl }));
  if (Tags[MANAGED_BY.Key] === MANAGED_BY.Value) return Tags;
  throw new UploaderError({
    code: "USAGE",
    message: `There is a queue ${name} that this script has not made, and it is left as it is.`,
    hint: `Hand it over with the tag ${MANAGED_BY.Key}=${MANAGED_BY.Value}, or choose another --prefix.`,
  });
}

function taggedQueue(sqs: SQSClient, queue: EventQueue): Property<Record<string, string>> {
  const { name } = queue;
  return {
    name: "queue",
    async read() {
      const url = await queueUrlOf(sqs, queue);
      return url === null ? null : ownTags(sqs, name, url);
    },
    wanted: (found) => ({ ...found, [MANAGED_BY.Key]: MANAGED_BY.Value, "pipeline-type": queue.bucket.type }),
    async write(tags) {
      const url = await queueUrlOf(sqs, queue);
      if (url) await sqs.send(new TagQueueCommand({ QueueUrl: url, Tags: tags }));
      else await sqs.send(new CreateQueueCommand({ QueueName: name, tags }));
    },
    text: (tags) =>
      Object.entries(tags)
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(", "),
  };
}

const SSE_SQS = "SSE-SQS";

/** S3 cannot send where AWS's own KMS key of SQS is used, so it is SQS's own encryption. */
function encryption(sqs: SQSClient, queue: EventQueue): Property<string> {
  return {
    name: "queue encryption",
    async read() {
      const found = await attributes(sqs, queue);
      if (!found) return null;
      return found.KmsMasterKeyId || (found.SqsManagedSseEnabled === "true" ? SSE_SQS : "none");
    },
    wanted: () => SSE_SQS,
    async write() {
      const found = await attributes(sqs, queue);
      const withoutKey: Record<string, string> = found?.KmsMasterKeyId ? { KmsMasterKeyId: "" } : {};
      await setAttributes(sqs, queue, { ...withoutKey, SqsManagedSseEnabled: "true" });
    },
  };
}

function policy(sqs: SQSClient, queue: EventQueue): Property<PolicyDocument> {
  return {
    name: "queue policy",
    async read() {
      const text = (await attributes(sqs, queue))?.Policy;
      return text ? (JSON.parse(text) as PolicyDocument) : null;
    },
    wanted: () => queuePolicy(queue),
    write: (state) => setAttributes(sqs, queue, { Policy: JSON.stringify(state) }),
    text: ({ Statement }) =>
      [Statement]
        .flat()
        .map(({ Sid = "?", Effect, Action }) => `${Sid} (${Effect} ${Action})`)
        .join("; "),
  };
}

async function attributes(
  sqs: SQSClient,
  queue: EventQueue,
): Promise<Partial<Record<string, string>> | null> {
  const QueueUrl = await queueUrlOf(sqs, queue);
  if (!QueueUrl) return null;
  const answer = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  return answer.Attributes ?? {};
}

async function setAttributes(
  sqs: SQSClient,
  queue: EventQueue,
  Attributes: Record<string, string>,
): Promise<void> {
  const QueueUrl = (await queueUrlOf(sqs, queue)) ?? "";
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes }));
}

function notifications(s3: S3Client, queue: EventQueue): Property<NotificationConfiguration> {
  return {
    name: "notifications",
    read: () => readNotifications(s3, queue.bucket.name),
    wanted: (found) => mergeNotifications(found, queue),
    write: (state) => putNotifications(s3, queue.bucket.name, state),
    text: notificationsText,
    notes: (found) => foreignIds(found).map((id) => `notification ${id} is not ours and stays`),
  };
}

/** null: the bucket has none, or there is no such bucket. AWS may answer `Prefix` for what was put as `prefix`. */
export async function readNotifications(
  s3: S3Client,
  Bucket: string,
): Promise<NotificationConfiguration | null> {
  const answer = await orNull(s3.send(new GetBucketNotificationConfigurationCommand({ Bucket })));
  if (!answer) return null;
  const { $metadata, ...found } = answer;
  const lowerCase = (key: string, value: unknown) =>
    key === "Name" && typeof value === "string" ? value.toLowerCase() : value;
  const state = JSON.parse(JSON.stringify(found), lowerCase) as NotificationConfiguration;
  return Object.keys(state).length > 0 ? state : null;
}

const ATTEMPTS = 30;
const PAUSE_MS = 2_000;

/** S3 sends a test message to each queue, which a new policy of the queue may not let through for up to a minute. */
export async function putNotifications(
  s3: S3Client,
  Bucket: string,
  NotificationConfiguration: NotificationConfiguration,
): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      await s3.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }));
      return;
    } catch (error) {
      const isEarly = error instanceof Error && /validate the following destination/i.test(error.message);
      if (!isEarly || attempt === ATTEMPTS) throw error;
      await delay(PAUSE_MS);
    }
}
