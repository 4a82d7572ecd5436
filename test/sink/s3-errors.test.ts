import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import { describeS3Error } from "../../src/sink/s3-errors.ts";

/** An error as the SDK throws it, with what it carries along. */
function answered(name: string, status: number | undefined, message = "UnknownError"): Error {
  return Object.assign(new Error(message), {
    name,
    $fault: "client",
    $metadata: { httpStatusCode: status, requestId: "r-1" },
    AWSAccessKeyId: "AKIAIOSFODNN7EXAMPLE",
    StringToSign: "AWS4-HMAC-SHA256",
    $response: {
      headers: { authorization: "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/x, Signature=abc" },
    },
  });
}

function failed(code: string): Error {
  return Object.assign(new Error(`connect ${code} 127.0.0.1:9`), { code, syscall: "connect" });
}

function codeOf(error: unknown): string {
  const described = describeS3Error(error, "s3://b/k was not stored");
  return described instanceof UploaderError ? described.code : "not described";
}

describe("what an error of S3 means", () => {
  for (const [code, names] of Object.entries({
    SINK_CREDENTIALS: [
      "InvalidAccessKeyId",
      "SignatureDoesNotMatch",
      "ExpiredToken",
      "RequestTimeTooSkewed",
      "InvalidToken",
    ],
    SINK_DENIED: ["AccessDenied", "KMS.DisabledException", "AllAccessDisabled"],
    SINK_THROTTLED: ["SlowDown", "ThrottlingException", "KMS.ThrottlingException"],
    SINK_BUCKET_MISSING: ["NoSuchBucket"],
    SINK_UNAVAILABLE: [
      "InternalError",
      "ServiceUnavailable",
      "OperationAborted",
      "BadDigest",
      "NoSuchUpload",
      "PreconditionFailed",
    ],
    SINK_REJECTED: ["PermanentRedirect", "AuthorizationHeaderMalformed", "NotImplemented", "NoSuchKey"],
  }))
    for (const name of names)
      it(`${name} is ${code}, whatever the status`, () => expect(codeOf(answered(name, 400))).toBe(code));

  for (const [status, code] of [
    [301, "SINK_REJECTED"],
    [302, "SINK_UNAVAILABLE"],
    [303, "SINK_UNAVAILABLE"],
    [307, "SINK_UNAVAILABLE"],
    [308, "SINK_REJECTED"],
    [400, "SINK_REJECTED"],
    [401, "SINK_CREDENTIALS"],
    [403, "SINK_DENIED"],
    [404, "SINK_UNAVAILABLE"],
    [405, "SINK_UNAVAILABLE"],
    [407, "SINK_UNAVAILABLE"],
    [408, "SINK_UNAVAILABLE"],
    [409, "SINK_UNAVAILABLE"],
    [429, "SINK_THROTTLED"],
    [500, "SINK_UNAVAILABLE"],
    [501, "SINK_UNAVAILABLE"],
    [502, "SINK_UNAVAILABLE"],
    [503, "SINK_UNAVAILABLE"],
    [507, "SINK_UNAVAILABLE"],
    [200, "SINK_UNAVAILABLE"],
  ] as const)
    it(`${status} without a name is ${code}`, () => expect(codeOf(answered("Unknown", status))).toBe(code));

  for (const [name, status] of [
    ["SomethingUnheardOf", 404],
    ["SomethingUnheardOf", 405],
    ["SomethingUnheardOf", 501],
    ["NotImplemented", 501],
    ["MethodNotAllowed", 405],
    ["TemporaryRedirect", 307],
  ] as const)
    it(`${status} ${name} is SINK_REJECTED`, () =>
      expect(codeOf(answered(name, status))).toBe("SINK_REJECTED"));

  it("an answer that is not S3's is said to be that", () => {
    for (const [name, status] of [
      ["Unknown", 302],
      ["NotFound", 404],
    ] as const) {
      const { message } = describeS3Error(answered(name, status), "s3://b/k was not stored") as Error;
      expect(message).toBe(`s3://b/k was not stored: what answered is not S3, HTTP ${status}.`);
    }
  });

  for (const name of [
    "ECONNREFUSED",
    "ECONNRESET",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EPIPE",
    "CERT_HAS_EXPIRED",
    "ESOMETHINGNEW",
  ])
    it(`${name} is SINK_UNAVAILABLE`, () => expect(codeOf(failed(name))).toBe("SINK_UNAVAILABLE"));

  it("several addresses that fail are one failure", () => {
    const error = new AggregateError([failed("ECONNREFUSED"), failed("ECONNREFUSED")]);
    expect(codeOf(Object.assign(error, { $metadata: { attempts: 1 } }))).toBe("SINK_UNAVAILABLE");
    expect((describeS3Error(error, "it failed") as Error).message).toContain("ECONNREFUSED");
  });

  it("credentials that no provider has are SINK_CREDENTIALS", () => {
    const error = Object.assign(new Error("Could not load credentials from any providers"), {
      name: "CredentialsProviderError",
    });
    expect(codeOf(error)).toBe("SINK_CREDENTIALS");
  });

  it("a defect stays what it is", () => {
    const error = new TypeError("x is not a function");
    expect(describeS3Error(error, "it failed")).toBe(error);
  });
});

describe("the text of an error of S3", () => {
  it("says what failed, what S3 said and what to do", () => {
    const said = "User: arn:aws:iam::1:user/edge is not authorized to perform: s3:PutObject";
    const error = describeS3Error(
      answered("AccessDenied", 403, said),
      "s3://b/k was not stored",
    ) as UploaderError;
    expect(error.message).toBe(`s3://b/k was not stored: AccessDenied, HTTP 403 (${said}).`);
    expect(error.hint).toMatch(/^Grant s3:PutObject/);
  });

  it("holds no credential, in no corner of it", () => {
    for (const name of ["AccessDenied", "InvalidAccessKeyId", "InternalError", "Unheard"]) {
      const said = "the key AKIAIOSFODNN7EXAMPLE with Signature=abcdef at http://user:hunter2@host/ is bad";
      const text = inspect(describeS3Error(answered(name, 403, said), "it failed"), {
        depth: 20,
        showHidden: true,
      });
      expect(text).not.toMatch(/AKIA|abcdef|hunter2|AWS4-HMAC/);
    }
  });
});
