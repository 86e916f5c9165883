// SPDX-License-Identifier: Apache-2.0
// connect-node against the engine: connect.mjs connect|grpc|grpc-web. Descriptors are loaded, not
// generated.
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { anyPack, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, decodeBinaryHeader, encodeBinaryHeader }
  from "@connectrpc/connect";
import { compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport }
  from "@connectrpc/connect-node";
import { assert, ca, check, collect, descriptors, failure, finish, port, tlsPort }
  from "./checks.mjs";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors));
const service = registry.getService("muster.test.v1.TestService");
const interop = registry.getService("grpc.testing.TestService");
const type = (name) => registry.getMessage(`muster.test.v1.${name}`);
const page = create(type("Page"), { size: 2, token: "\u00e9" });

function transport(protocol, options) {
  switch (protocol) {
    case "connect": return createConnectTransport(options);
    case "grpc": return createGrpcTransport(options);
    default: return createGrpcWebTransport(options);
  }
}

function* variants(protocol) {
  for (const httpVersion of protocol === "grpc" ? ["2"] : ["1.1", "2"])
    for (const tls of [false, true])
      for (const useBinaryFormat of [true, false])
        yield { httpVersion, tls, useBinaryFormat, gzip: useBinaryFormat === tls };
}

async function unary(name, client) {
  await check(`${name}: unary`, async () => {
    const request = { text: "na\u00efve", ballast: new Uint8Array([0, 255]), number: -(2n ** 60n) };
    const answer = await client.echo(request);
    assert.equal(answer.text, request.text);
    assert.deepEqual([...answer.ballast], [0, 255]);
    assert.equal(answer.number, request.number);
  });
  await check(`${name}: a large message`, async () => {
    const ballast = new Uint8Array(1 << 20).fill(7);
    assert.equal(Buffer.compare((await client.echo({ ballast })).ballast, ballast), 0);
  });
  await check(`${name}: a message with everything`, async () => {
    const answer = await client.echoEverything({
      aInt64: -(2n ** 63n), aUint64: 2n ** 64n - 1n, aDouble: -0.5, maybeInt32: 0,
      manyString: ["", "x"], byInt32: { 1: "one" }, choice: { case: "choiceBool", value: false },
      wktTimestamp: { seconds: 1n, nanos: 5 }, wktStruct: { a: [1, null, "s"] },
      wktAny: anyPack(type("Page"), page), wrappedInt64: 0n,
    });
    assert.equal(answer.aInt64, -(2n ** 63n));
    assert.equal(answer.aUint64, 2n ** 64n - 1n);
    assert.equal(answer.maybeInt32, 0);
    assert.equal(answer.maybeInt64, undefined);
    assert.deepEqual(answer.manyString, ["", "x"]);
    assert.deepEqual(answer.byInt32, { 1: "one" });
    assert.deepEqual(answer.choice, { case: "choiceBool", value: false });
    assert.equal(answer.wktTimestamp.nanos, 5);
    assert.deepEqual(answer.wktStruct, { a: [1, null, "s"] });
    assert.equal(answer.wktAny.typeUrl, "type.googleapis.com/muster.test.v1.Page");
    assert.equal(answer.wrappedInt64, 0n);
  });
  await check(`${name}: metadata`, async () => {
    let header, trailer;
    await client.echo({}, {
      headers: { "echo-text": "some text", "echo-bin": encodeBinaryHeader(new Uint8Array([0, 171])) },
      onHeader: (h) => { header = h; }, onTrailer: (t) => { trailer = t; },
    });
    assert.equal(header.get("echo-text"), "some text");
    assert.equal(trailer.get("echo-text-after"), "some text");
    assert.deepEqual([...decodeBinaryHeader(header.get("echo-bin"))], [0, 171]);
    assert.deepEqual([...decodeBinaryHeader(trailer.get("echo-after-bin"))], [0, 171]);
  });
}

async function errors(name, client, other) {
  await check(`${name}: every code, with details`, async () => {
    for (let code = 1; code <= 16; code++) {
      const message = `100% ${Code[code]} \u263a`;
      const error = ConnectError.from(await failure(() => client.echo({
        problem: { code, message, details: [anyPack(type("Page"), page)] } })));
      assert.equal(error.code, code);
      assert.equal(error.rawMessage, message);
      const details = error.findDetails(type("Page"));
      assert.equal(details.length, 1);
      assert.equal(details[0].token, page.token);
    }
  });
  await check(`${name}: metadata of an error`, async () => {
    const error = await failure(() => client.echo(
      { problem: { code: 5 } }, { headers: { "echo-text": "t" } }));
    assert.equal(error.code, Code.NotFound);
    assert.equal(error.metadata.get("echo-text-after"), "t");
  });
  await check(`${name}: unimplemented`, async () => {
    assert.equal((await failure(() => other.unimplementedCall({}))).code, Code.Unimplemented);
  });
  await check(`${name}: no credential`, async () => {
    assert.equal((await failure(() => client.createThing({ parent: "p", thing: {} }))).code,
      Code.Unauthenticated);
    const headers = { authorization: `Basic ${btoa("any:secret")}` };
    assert.equal((await client.createThing({ parent: "p", thing: { name: "n" } }, { headers })).name,
      "p/things/n");
  });
  await check(`${name}: deadline`, async () => {
    const error = await failure(() => client.echo({ delayMs: 60000 }, { timeoutMs: 30 }));
    assert.equal(error.code, Code.DeadlineExceeded);
  });
  await check(`${name}: cancellation`, async () => {
    const controller = new AbortController();
    const call = failure(() => client.echo({ delayMs: 200 }, { signal: controller.signal }));
    setImmediate(() => controller.abort());
    assert.equal((await call).code, Code.Canceled);
    assert.equal((await client.echo({ text: "after" })).text, "after");
  });
}

async function streams(name, client) {
  await check(`${name}: server stream`, async () => {
    let trailer;
    const answers = await collect(client.count({ from: 1, to: 500, ballast: new Uint8Array(2000) },
      { headers: { "echo-text": "t" }, onTrailer: (t) => { trailer = t; } }));
    assert.deepEqual(answers.map((a) => a.number), Array.from({ length: 500 }, (_, i) => i + 1));
    assert.equal(trailer.get("echo-text-after"), "t");
  });
  await check(`${name}: a stream that fails`, async () => {
    const got = [];
    const error = await failure(() => collect(client.count({ from: 1, to: 9, failAt: 3 }), got));
    assert.equal(error.code, Code.Aborted);
    assert.equal(error.rawMessage, "failed at 3");
    assert.deepEqual(got.map((a) => a.number), [1, 2]);
  });
  await check(`${name}: a stream over time`, async () => {
    const error = await failure(() => collect(
      client.count({ from: 1, to: 2, delayMs: 60000 }, { timeoutMs: 30 })));
    assert.equal(error.code, Code.DeadlineExceeded);
  });
  await check(`${name}: a stream that is left`, async () => {
    const controller = new AbortController();
    const got = [];
    const error = await failure(async () => {
      for await (const answer of client.count(
        { from: 1, to: 2 ** 31, ballast: new Uint8Array(900) }, { signal: controller.signal }))
        if (got.push(answer.number) === 20) controller.abort();
    });
    assert.equal(error.code, Code.Canceled);
    assert.equal((await client.echo({ text: "after" })).text, "after");
  });
}

async function both(name, client) {
  await check(`${name}: client stream`, async () => {
    const answer = await client.collect((async function* requests() {
      yield { text: "a", number: 1n };
      yield { text: "b", number: 2n };
    })());
    assert.deepEqual([answer.text, answer.number], ["ab", 3n]);
  });
  await check(`${name}: both ways at once`, async () => {
    let heard;
    const got = [];
    const answers = client.chat((async function* requests() {
      for (const text of ["one", "two", "three"]) {
        const answered = new Promise((resolve) => { heard = resolve; });
        yield { text };
        await answered;
      }
    })());
    for await (const answer of answers) {
      got.push(answer.text);
      heard();
    }
    assert.deepEqual(got, ["one", "two", "three"]);
  });
}

const protocol = process.argv[2];
for (const { httpVersion, tls, useBinaryFormat, gzip } of variants(protocol)) {
  const name = [protocol, `h${httpVersion}`, tls ? "tls" : "clear",
    useBinaryFormat ? "proto" : "json", gzip ? "gzip" : "identity"].join(" ");
  const options = {
    baseUrl: tls ? `https://localhost:${tlsPort}` : `http://127.0.0.1:${port}`,
    httpVersion, useBinaryFormat, nodeOptions: tls ? { ca } : {},
    jsonOptions: { registry }, acceptCompression: gzip ? [compressionGzip] : [],
    sendCompression: gzip ? compressionGzip : null, compressMinBytes: 0,
  };
  const client = createClient(service, transport(protocol, options));
  const other = createClient(interop, transport(protocol, options));
  await unary(name, client);
  await errors(name, client, other);
  await streams(name, client);
  if (httpVersion === "2" && protocol !== "grpc-web") await both(name, client);
  if (protocol === "connect") {
    const getter = createClient(service, transport(protocol, { ...options, useHttpGet: true }));
    await check(`${name}: GET`, async () => {
      let header;
      const onHeader = (h) => { header = h; };
      const text = "g&=+ \u00e9";
      assert.equal((await getter.echoHot({ text }, { onHeader })).text, text);
      assert.match(header.get("vary"), /accept-encoding/i); // only GETs have it
      const error = await failure(() => getter.echoHot({ problem: { code: 9, message: "no" } }));
      assert.equal(error.code, Code.FailedPrecondition);
      await getter.echo({}, { onHeader });
      assert.equal(header.get("vary"), null);
    });
  }
}
finish();
