import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { inspect } from "node:util";
import { CreateMultipartUploadCommand } from "@aws-sdk/client-s3";
import { afterEach, expect, it } from "vitest";
import { describeError } from "../../src/core/errors.ts";
import { isRetryable, retryKind } from "../../src/sink/retry.ts";
import { createS3Sink, type S3SinkOptions } from "../../src/sink/s3.ts";
import type { Sink } from "../../src/sink/sink.ts";
import { openS3Place, s3SinkOptions } from "../support/s3-place.ts";
import { type Interference, type S3Proxy, startS3Proxy } from "../support/s3-proxy.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { collect, type Place, sha256, useFiles } from "./contract.ts";

const SMALL = 5000;
const LARGE = 17 * 1024 * 1024;
const PARTS = 4;
const KEY = "raw/t/a.parquet";
const COMPLETION = /^POST .*uploadId=/;

suiteFor("versitygw", "the S3 sink and what can go wrong between it and S3", (server) => {
  const files = useFiles();
  const opened: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });

  async function setUp(
    interfere: (line: string, request: IncomingMessage) => Interference | undefined,
    options: Partial<S3SinkOptions> = {},
  ): Promise<{ place: Place; proxy: S3Proxy; sink: Sink }> {
    const place = await openS3Place(server());
    const proxy = await startS3Proxy(server().endpoint, interfere);
    const sink = createS3Sink({ ...s3SinkOptions(server()), endpoint: proxy.endpoint, ...options });
    opened.push(sink, { close: () => proxy.stop() });
    return { place, proxy, sink };
  }

  for (const [size, bytes, last] of [
    ["an object", SMALL, /^PUT .*a\.parquet/],
    ["the completion of a large object", LARGE, COMPLETION],
  ] as const) {
    it(`recognises ${size} whose answer was lost`, async () => {
      const { place, sink } = await setUp(nth(last, [{ cut: "after" }]));
      const object = files.object(place, KEY, randomBytes(bytes));
      expect(await sink.put(object)).toMatch(/^(found|stored)$/);
      expect(sha256(await place.contents(KEY))).toBe(object.sha256);
      expect(await place.leftovers()).toEqual([]);
    });

    it(`recognises ${size} at the next try when every answer was lost`, async () => {
      let lossy = true;
      const { place, sink } = await setUp((line) =>
        lossy && last.test(line) ? { cut: "after" } : undefined,
      );
      const object = files.object(place, KEY, randomBytes(bytes));
      const error = await failure(sink.put(object));
      expect(error).toMatchObject({ code: "SINK_UNAVAILABLE" });
      lossy = false;
      expect(await sink.put(object)).toBe("found");
      expect(await place.leftovers()).toEqual([]);
    });
  }

  it("asks what is there when a lost completion is followed by NoSuchUpload", async () => {
    const gone = { answer: { status: 404, code: "NoSuchUpload" } };
    const { place, sink } = await setUp(nth(COMPLETION, [{ cut: "after" }, gone]));
    expect(await sink.put(files.object(place, KEY, randomBytes(LARGE)))).toBe("found");
    const other = await setUp(nth(COMPLETION, [{ cut: "before" }, gone]));
    const error = await failure(other.sink.put(files.object(other.place, KEY, randomBytes(LARGE))));
    expect(error).toMatchObject({
      code: "SINK_UNAVAILABLE",
      message: expect.stringContaining("NoSuchUpload"),
    });
    expect(await other.place.leftovers()).toEqual([]);
  });

  it("tries again where it may not see what is there after a lost completion", async () => {
    const gone = { answer: { status: 404, code: "NoSuchUpload" } };
    const forbidden = { answer: { status: 403, code: "AccessDenied" } };
    let mayLook = false;
    const completion = nth(COMPLETION, [{ cut: "after" }, gone]);
    const { place, sink } = await setUp((line) =>
      !mayLook && /^(HEAD|GET) .*a\.parquet/.test(line) ? forbidden : completion(line),
    );
    const object = files.object(place, KEY, randomBytes(LARGE));
    const error = await failure(sink.put(object));
    expect(error).toMatchObject({ code: "SINK_UNAVAILABLE" });
    expect(retryKind(error)).toBe("transient");
    mayLook = true;
    expect(await sink.put(object)).toBe("found");
    expect(sha256(await place.contents(KEY))).toBe(object.sha256);
    expect(await place.leftovers()).toEqual([]);
  });

  it("sends whole bodies with a checksum, and no trailers", async () => {
    const headers: IncomingMessage["headers"][] = [];
    const { place, sink } = await setUp((line, request) => {
      if (line.startsWith("PUT")) headers.push(request.headers);
      return undefined;
    });
    await sink.put(files.object(place, KEY, randomBytes(SMALL)));
    await sink.put(files.object(place, "raw/t/b.parquet", randomBytes(LARGE)));
    expect(headers).toHaveLength(1 + PARTS);
    for (const each of headers) {
      expect(each).toMatchObject({ "x-amz-checksum-sha256": expect.stringMatching(/^[\w+/]{43}=$/) });
      expect(each["x-amz-trailer"] ?? each["content-encoding"] ?? each["transfer-encoding"]).toBeUndefined();
    }
    expect(headers[0]).toMatchObject({
      "if-none-match": "*",
      "content-type": "application/vnd.apache.parquet",
    });
  });

  for (const [size, bytes] of [
    ["small", SMALL],
    ["large", LARGE],
  ] as const)
    it(`stores nothing of a ${size} object whose bytes were changed on the way`, async () => {
      const passOnBody = (body: Buffer) =>
        Buffer.concat([body.subarray(0, -1), Buffer.from([~(body.at(-1) ?? 0)])]);
      const { place, sink } = await setUp((line) => (line.startsWith("PUT") ? { passOnBody } : undefined));
      const error = await failure(sink.put(files.object(place, KEY, randomBytes(bytes))));
      expect(isRetryable(error), inspect(error)).toBe(true);
      expect(await place.contents(KEY)).toBeNull();
      expect(await place.leftovers()).toEqual([]);
    });

  it("does not believe in an object that is answered as stored and not there", async () => {
    const stored = { answer: { status: 200, headers: { etag: '"of another"' }, body: "" } };
    const { place, sink } = await setUp((line) => (line.startsWith("PUT") ? stored : undefined));
    const error = await failure(sink.put(files.object(place, KEY, randomBytes(SMALL))));
    expect(error).toMatchObject({ code: "SINK_UNAVAILABLE", message: expect.stringContaining("not there") });
  });

  it("aborts the upload of a large object whose part is refused", async () => {
    const { place, sink } = await setUp((line) =>
      line.includes("partNumber=3") ? { answer: { status: 500, code: "InternalError" } } : undefined,
    );
    const error = await failure(sink.put(files.object(place, KEY, randomBytes(LARGE))));
    expect(error).toMatchObject({
      code: "SINK_UNAVAILABLE",
      message: expect.stringContaining("InternalError"),
    });
    expect(await place.contents(KEY)).toBeNull();
    expect(await place.leftovers()).toEqual([]);
  });

  it("aborts the upload of a large object over one that came meanwhile", async () => {
    const other = randomBytes(10);
    let putting: Promise<unknown> | undefined;
    const { place, sink } = await setUp((line) => {
      if (line.includes("partNumber=1")) putting = place.open().put(files.object(place, KEY, other));
      return undefined;
    });
    const error = await failure(sink.put(files.object(place, KEY, randomBytes(LARGE))));
    await putting;
    expect(error).toMatchObject({ code: "SINK_CONFLICT" });
    expect(await place.contents(KEY)).toEqual(other);
    expect(await place.leftovers()).toEqual([]);
  });

  it("aborts the upload that a crash left open, and no other", async () => {
    const { place, sink } = await setUp(() => undefined);
    for (const Key of [KEY, `${KEY}.other`])
      await server().client.send(new CreateMultipartUploadCommand({ Bucket: place.bucket, Key }));
    await sink.put(files.object(place, KEY, randomBytes(LARGE)));
    expect(await place.leftovers()).toEqual([expect.stringMatching(/^raw\/t\/a\.parquet\.other /)]);
  });

  for (const [what, bytes, during] of [
    ["an object", SMALL, /^PUT/],
    ["a large object", LARGE, /partNumber=2/],
  ] as const)
    it(`leaves nothing of ${what} that is aborted on the way`, async () => {
      const stop = new AbortController();
      const reason = new Error("stopped by the test");
      const { place, sink } = await setUp((line) => {
        if (!during.test(line)) return undefined;
        stop.abort(reason);
        return { cut: "before" };
      });
      await expect(sink.put(files.object(place, KEY, randomBytes(bytes)), stop.signal)).rejects.toBe(reason);
      expect(await place.contents(KEY)).toBeNull();
      expect(await place.leftovers()).toEqual([]);
    });

  it("knows a marker that it wrote when the answer was lost", async () => {
    const { place, sink } = await setUp(
      nth(/^PUT .*_owner/, [{ cut: "after" }, undefined, { cut: "after" }]),
    );
    const version = await sink.writeMarker(place.bucket, "_owner/n/t.json", "1", null);
    expect(await sink.readMarker(place.bucket, "_owner/n/t.json")).toEqual({ text: "1", version });
    const next = await sink.writeMarker(place.bucket, "_owner/n/t.json", "2", version);
    expect(await sink.readMarker(place.bucket, "_owner/n/t.json")).toEqual({ text: "2", version: next });
  });

  it("delivers without the permission to look", async () => {
    const forbidden = { answer: { status: 403, code: "AccessDenied" } };
    const { place, sink } = await setUp((line) => (/^(HEAD|GET)/.test(line) ? forbidden : undefined));
    for (const bytes of [SMALL, LARGE])
      expect(await sink.put(files.object(place, `raw/t/${bytes}.parquet`, randomBytes(bytes)))).toBe(
        "stored",
      );
    const again = files.object(place, `raw/t/${SMALL}.parquet`, randomBytes(SMALL));
    expect(await failure(sink.put(again))).toMatchObject({
      code: "SINK_DENIED",
      hint: expect.stringContaining("s3:GetObject"),
    });
  });

  it("takes a HEAD that is refused without a reason for what a GET says", async () => {
    const { place, sink } = await setUp((line) =>
      line.startsWith("HEAD") ? { answer: { status: 403, code: "" } } : undefined,
    );
    const object = files.object(place, KEY, randomBytes(LARGE));
    expect(await sink.put(object)).toBe("stored");
    expect(await sink.put(object)).toBe("found");
  });

  for (const [who, pattern, expected] of [
    ["a HEAD", /^HEAD/, "SINK_CONFLICT"],
    ["a HEAD and a GET", /^(HEAD|GET)/, "SINK_UNAVAILABLE"],
  ] as const)
    it(`overwrites nothing where a proxy answers ${who} with 404, also without conditional writes`, async () => {
      const page = { status: 404, headers: { "content-type": "text/html" }, body: "<html>Not here</html>" };
      let isProxyAlone = true;
      const { place, sink } = await setUp(
        (line) => (isProxyAlone && pattern.test(line) ? { answer: page } : undefined),
        { conditionalWrites: false },
      );
      const first = randomBytes(SMALL);
      const direct = place.open();
      await direct.put(files.object(place, KEY, first));
      direct.close();
      for (const bytes of [SMALL, LARGE]) {
        const error = await failure(sink.put(files.object(place, KEY, randomBytes(bytes))));
        expect(error).toMatchObject({ code: expected });
        expect(await place.contents(KEY)).toEqual(first);
      }
      isProxyAlone = false;
      expect(await sink.put(files.object(place, "raw/t/b.parquet", randomBytes(SMALL)))).toBe("stored");
    });

  it("names the permission that is missing where it cannot look before it writes", async () => {
    const forbidden = { answer: { status: 403, code: "AccessDenied" } };
    const { place, sink } = await setUp((line) => (/^(HEAD|GET)/.test(line) ? forbidden : undefined), {
      conditionalWrites: false,
    });
    expect(await failure(sink.put(files.object(place, KEY, randomBytes(SMALL))))).toMatchObject({
      code: "SINK_DENIED",
      hint: expect.stringContaining("s3:ListBucket"),
    });
    expect(await place.contents(KEY)).toBeNull();
  });

  for (const [status, code, expected, kind] of [
    [500, "InternalError", "SINK_UNAVAILABLE", "transient"],
    [503, "SlowDown", "SINK_THROTTLED", "throttled"],
    [429, "TooManyRequests", "SINK_THROTTLED", "throttled"],
    [409, "ConditionalRequestConflict", "SINK_UNAVAILABLE", "transient"],
    [400, "RequestTimeout", "SINK_UNAVAILABLE", "transient"],
    [400, "ExpiredToken", "SINK_CREDENTIALS", "credential"],
    [403, "RequestTimeTooSkewed", "SINK_CREDENTIALS", "credential"],
    [403, "AccessDenied", "SINK_DENIED", "credential"],
    [301, "PermanentRedirect", "SINK_REJECTED", "permanent"],
    [501, "NotImplemented", "SINK_REJECTED", "permanent"],
    [400, "SomethingUnheardOf", "SINK_REJECTED", "permanent"],
  ] as const)
    it(`takes ${status} ${code} for ${kind}`, async () => {
      const { place, sink } = await setUp((line) =>
        line.startsWith("PUT") ? { answer: { status, code } } : undefined,
      );
      const error = await failure(sink.put(files.object(place, KEY, randomBytes(SMALL))));
      expect(error).toMatchObject({ code: expected, message: expect.stringContaining(code) });
      expect(retryKind(error)).toBe(kind);
      expect(describeError(error).split("\n")).toHaveLength(2);
    });

  it("takes a page that is not S3's for a network that is not there", async () => {
    const page = {
      status: 200,
      headers: { "content-type": "text/html" },
      body: "<html><p>Log in</p></html>",
    };
    const { place, sink } = await setUp(() => ({ answer: page }));
    for (const call of [
      () => sink.put(files.object(place, KEY, randomBytes(SMALL))),
      () => sink.put(files.object(place, KEY, randomBytes(LARGE))),
      () => sink.readMarker(place.bucket, "_owner/n/t.json"),
      () => sink.writeMarker(place.bucket, "_owner/n/t.json", "1", null),
      () => sink.read(place.bucket, KEY),
      () => collect(sink.list(place.bucket, "")),
    ])
      expect(await failure(call())).toMatchObject({ code: "SINK_UNAVAILABLE" });
  });

  for (const [what, wrong] of [
    ["access key", { accessKeyId: "AKIAWRONGWRONGWRONG1", secretAccessKey: "wrong-secret-access-key" }],
    ["secret key", { accessKeyId: "test-access-key-id", secretAccessKey: "wrong-secret-access-key" }],
  ] as const)
    it(`names a wrong ${what} and shows none`, async () => {
      const place = await openS3Place(server());
      const sink = createS3Sink({ ...s3SinkOptions(server()), credentials: wrong });
      opened.push(sink);
      for (const call of [
        () => sink.put(files.object(place, KEY, randomBytes(SMALL))),
        () => sink.put(files.object(place, KEY, randomBytes(LARGE))),
        () => sink.readMarker(place.bucket, "_owner/n/t.json"),
        () => sink.writeMarker(place.bucket, "_owner/n/t.json", "1", null),
        () => sink.read(place.bucket, KEY),
        () => collect(sink.list(place.bucket, "")),
      ]) {
        const error = await failure(call());
        expect(error).toMatchObject({
          code: "SINK_CREDENTIALS",
          hint: expect.stringContaining("AWS_ACCESS_KEY_ID"),
        });
        const all = inspect(error, { depth: 20, showHidden: true });
        expect(all).not.toContain(wrong.accessKeyId);
        expect(all).not.toContain(wrong.secretAccessKey);
        expect(all).not.toMatch(/signature=/i);
      }
    });

  it("names an endpoint that does not answer", async () => {
    const place = await openS3Place(server());
    const closed = await startS3Proxy(server().endpoint, () => undefined);
    await closed.stop();
    const sink = createS3Sink({ ...s3SinkOptions(server()), endpoint: closed.endpoint });
    opened.push(sink);
    const error = await failure(sink.put(files.object(place, KEY, randomBytes(SMALL))));
    expect(error).toMatchObject({
      code: "SINK_UNAVAILABLE",
      message: expect.stringContaining("ECONNREFUSED"),
      hint: expect.stringContaining("s3_configuration.endpoint"),
    });
  });
});

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.unreachable(`it succeeded with ${inspect(value)}`),
    (error) => error,
  );
}

/** Interferes with the first matching requests, in their order. */
function nth(pattern: RegExp, interferences: readonly (Interference | undefined)[]) {
  const left = [...interferences];
  return (line: string) => (pattern.test(line) ? left.shift() : undefined);
}
