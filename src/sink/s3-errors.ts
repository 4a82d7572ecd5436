import { type ErrorCode, UploaderError } from "../core/errors.ts";

/** What an error means, and what the operator can do about it. */
interface Meaning {
  readonly code: ErrorCode;
  readonly hint: string;
}

const UNAVAILABLE: Meaning = {
  code: "SINK_UNAVAILABLE",
  hint: "Nothing is lost: it is tried again. If it lasts, check the network and the service's status page.",
};
const UNREACHABLE: Meaning = {
  code: "SINK_UNAVAILABLE",
  hint: "Check the network, DNS and firewall, and `s3_configuration.endpoint` and `.region`; nothing is lost meanwhile, it is tried again.",
};
const NOT_S3: Meaning = {
  code: "SINK_UNAVAILABLE",
  hint: "Check `s3_configuration.endpoint`, and look for a proxy or a captive portal that answers instead; it is tried again.",
};
const UNTRUSTED: Meaning = {
  code: "SINK_UNAVAILABLE",
  hint: "Check this machine's clock and `s3_configuration.endpoint`; name a private authority's certificate in NODE_EXTRA_CA_CERTS.",
};
const THROTTLED: Meaning = {
  code: "SINK_THROTTLED",
  hint: "Nothing is lost: it is tried again more slowly. If it lasts, raise `interval` so that objects are fewer and larger.",
};
const CREDENTIALS: Meaning = {
  code: "SINK_CREDENTIALS",
  hint: "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the profile, or the machine's role; nothing is lost meanwhile.",
};
const CLOCK: Meaning = {
  code: "SINK_CREDENTIALS",
  hint: "Set this machine's clock (NTP): S3 refuses signatures that are more than 15 minutes off.",
};
const DENIED: Meaning = {
  code: "SINK_DENIED",
  hint: "Grant s3:PutObject, s3:GetObject and s3:AbortMultipartUpload on the bucket's objects and s3:ListBucket and s3:ListBucketMultipartUploads on the bucket, and the use of its KMS key; nothing is lost meanwhile.",
};
const BUCKET_MISSING: Meaning = {
  code: "SINK_BUCKET_MISSING",
  hint: "Create the bucket, or correct `s3_configuration.prefix`, `.region` or `.buckets`.",
};
const OBJECT_MISSING: Meaning = {
  code: "SINK_REJECTED",
  hint: "Find out what deletes objects there: a lifecycle rule, a clean-up job, a person.",
};
const WRONG_REGION: Meaning = {
  code: "SINK_REJECTED",
  hint: "Set `s3_configuration.region` to the bucket's own region.",
};
const UNSUPPORTED: Meaning = {
  code: "SINK_REJECTED",
  hint: "Where the server has no conditional writes, set `s3_configuration.conditional_writes: false`, which promises less.",
};
const REJECTED: Meaning = {
  code: "SINK_REJECTED",
  hint: "Check `s3_configuration` (sse, kms_key_id, storage_class, endpoint) against what the server supports.",
};

/**
 * By the error code of S3's answer, or the `name` or `code` that Node.js and the SDK give.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
 */
const BY_NAME: Readonly<Record<string, Meaning>> = {
  ...each(CREDENTIALS, "InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken ExpiredTokenException"),
  ...each(CREDENTIALS, "InvalidToken TokenRefreshRequired InvalidSecurity AuthorizationQueryParametersError"),
  ...each(
    CREDENTIALS,
    "CredentialsProviderError TokenProviderError InvalidClientTokenId InvalidIdentityToken",
  ),
  ...each(CREDENTIALS, "IDPCommunicationError MissingAuthenticationToken UnrecognizedClientException"),
  // versitygw's word for InvalidAccessKeyId, with status 404.
  ...each(CREDENTIALS, "XAdminUserNotFound"),
  ...each(CLOCK, "RequestTimeTooSkewed RequestExpired RequestInTheFuture"),
  ...each(DENIED, "AccessDenied AccessDeniedException Forbidden AllAccessDisabled AccountProblem"),
  ...each(DENIED, "InvalidObjectState NotSignedUp UnauthorizedAccess"),
  ...each(BUCKET_MISSING, "NoSuchBucket InvalidBucketName"),
  ...each(THROTTLED, "SlowDown Throttling ThrottlingException ThrottledException RequestThrottled"),
  ...each(
    THROTTLED,
    "RequestThrottledException TooManyRequests TooManyRequestsException RequestLimitExceeded",
  ),
  ...each(THROTTLED, "BandwidthLimitExceeded KMS.ThrottlingException"),
  ...each(UNAVAILABLE, "InternalError ServiceUnavailable RequestTimeout RequestTimeoutException"),
  ...each(UNAVAILABLE, "OperationAborted ConditionalRequestConflict NoSuchUpload IncompleteBody"),
  // These two are answers, which the sink asks about; they get here when the object was gone by then.
  ...each(UNAVAILABLE, "PreconditionFailed"),
  ...each(OBJECT_MISSING, "NoSuchKey"),
  ...each(UNAVAILABLE, "BadDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch InvalidPart"),
  ...each(NOT_S3, "NotS3Error"),
  ...each(
    UNREACHABLE,
    "TimeoutError ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ETIMEDOUT ENOTFOUND EAI_AGAIN",
  ),
  ...each(UNREACHABLE, "EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ENETRESET EADDRNOTAVAIL EMFILE ENFILE"),
  ...each(UNREACHABLE, "ERR_STREAM_PREMATURE_CLOSE ERR_SOCKET_CLOSED HPE_INVALID_CONSTANT EPROTO"),
  ...each(
    UNTRUSTED,
    "CERT_HAS_EXPIRED CERT_NOT_YET_VALID DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN",
  ),
  ...each(UNTRUSTED, "UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY CERT_UNTRUSTED"),
  ...each(UNTRUSTED, "UNABLE_TO_GET_ISSUER_CERT ERR_TLS_CERT_ALTNAME_INVALID ERR_SSL_WRONG_VERSION_NUMBER"),
  ...each(
    WRONG_REGION,
    "PermanentRedirect TemporaryRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException",
  ),
  ...each(UNSUPPORTED, "NotImplemented MethodNotAllowed"),
};

/**
 * What S3 says by name where an answer has a body, and proxies and captive portals without one, or with a page of their
 * own. The SDK makes "NotFound" of any 404 in which it finds no name.
 */
const NAMELESS = /^(unknown|UnknownError|NotFound)$/i;
const NAMELESS_IS_NOT_S3: readonly number[] = [302, 303, 304, 305, 306, 307, 404, 405, 406, 407, 451, 501];

/** Where the name says nothing more. */
const BY_STATUS: readonly { readonly from: number; readonly to: number; readonly meaning: Meaning }[] = [
  { from: 301, to: 308, meaning: WRONG_REGION },
  { from: 401, to: 401, meaning: CREDENTIALS },
  { from: 403, to: 403, meaning: DENIED },
  { from: 405, to: 405, meaning: UNSUPPORTED },
  { from: 408, to: 409, meaning: UNAVAILABLE },
  { from: 429, to: 429, meaning: THROTTLED },
  { from: 400, to: 499, meaning: REJECTED },
  { from: 501, to: 501, meaning: UNSUPPORTED },
  { from: 500, to: 599, meaning: UNAVAILABLE },
];

/** What S3 said, as far as it may be shown: no headers, no keys, no signature. */
export interface S3Answer {
  /** S3's error code, or that of Node.js or the SDK. */
  readonly name: string;
  /** null where no answer came. */
  readonly status: number | null;
}

/** The name and HTTP status of an error that the SDK threw. */
export function s3Answer(error: unknown): S3Answer {
  const names = errorNames(error);
  const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
  return {
    name: names.find((name) => Object.hasOwn(BY_NAME, name)) ?? names[0] ?? "unknown",
    status: status ?? null,
  };
}

/** What goes before names that say nothing to whoever does not know the SDK. */
const PLAIN_WORDS: Readonly<Record<string, string>> = {
  CredentialsProviderError: "no AWS credentials were found, ",
};

/**
 * Turns an error of the SDK into one for the operator. What the SDK attaches (the signed request, the access
 * key that S3 repeats in its answer) is left behind, because errors are logged with their causes.
 *
 * @param action what failed, as the beginning of a sentence: `s3://bucket/key was not stored`
 */
export function describeS3Error(error: unknown, action: string): unknown {
  if (error instanceof UploaderError) return error;
  const answer = s3Answer(error);
  const meaning = meaningOf(answer, error);
  if (!meaning) return error;
  const status = answer.status === null ? "" : `, HTTP ${answer.status}`;
  if (meaning === NOT_S3)
    return new UploaderError({ ...NOT_S3, message: `${action}: what answered is not S3${status}.` });
  const said = meaning.code === "SINK_CREDENTIALS" ? "" : saidText(error);
  return new UploaderError({
    code: meaning.code,
    message: `${action}: ${PLAIN_WORDS[answer.name] ?? ""}${answer.name}${status}${said ? ` (${said})` : ""}.`,
    hint: meaning.hint,
  });
}

/** Undefined for what is neither an answer nor a failure of the network: a defect of ours. */
function meaningOf({ name, status }: S3Answer, error: unknown): Meaning | undefined {
  if (Object.hasOwn(BY_NAME, name)) return BY_NAME[name];
  if (name.startsWith("KMS.")) return DENIED;
  // A body that is no answer of S3, such as the page of a captive portal, fails to parse, whatever the status.
  if (status !== null && status < 300) return NOT_S3;
  if (status !== null && NAMELESS.test(name) && NAMELESS_IS_NOT_S3.includes(status)) return NOT_S3;
  if (status !== null)
    return BY_STATUS.find(({ from, to }) => from <= status && status <= to)?.meaning ?? REJECTED;
  return /^(E[A-Z]+|HPE_\w+|ERR_(SSL|TLS|SOCKET|HTTP)_\w+)$/.test(name) || isSdkError(error)
    ? UNREACHABLE
    : undefined;
}

/** Several failed addresses come as one AggregateError; the SDK may wrap what the socket said. */
function errorNames(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const { code, name, errors, cause } = error as Error & {
    code?: unknown;
    Code?: unknown;
    errors?: unknown[];
  };
  const own = [name, (error as { Code?: unknown }).Code, code].filter(
    (value): value is string => typeof value === "string" && value !== "Error" && value !== "AggregateError",
  );
  return [...own, ...(errors ?? []).flatMap(errorNames), ...errorNames(cause)];
}

function isSdkError(error: unknown): boolean {
  return error instanceof Error && ("$metadata" in error || "$fault" in error || "$response" in error);
}

/** S3's own sentence, which for a refused permission names the principal and the action. */
function saidText(error: unknown): string {
  const text = error instanceof Error ? error.message : "";
  if (!text || text === "UnknownError") return "";
  return text
    .replace(/\b(AKIA|ASIA|AROA|AIDA)[A-Z0-9]{8,}\b/g, "…")
    .replace(/\b(Signature|Credential|X-Amz-\w[\w-]*|AWSAccessKeyId)=[^\s,&]+/gi, "$1=…")
    .replace(/\/\/[^/@\s]+@/g, "//")
    .replace(/[A-Za-z0-9+/]{40,}={0,2}/g, (run) => (looksRandom(run) ? "…" : run))
    .replace(/\s+/g, " ")
    .replace(/\.$/, "")
    .slice(0, 300);
}

/** As secret keys and session tokens are; digests in hex and words are not. */
function looksRandom(run: string): boolean {
  return /[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run);
}

function each(meaning: Meaning, names: string): Record<string, Meaning> {
  return Object.fromEntries(names.split(" ").map((name) => [name, meaning]));
}
