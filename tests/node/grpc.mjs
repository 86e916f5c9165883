// SPDX-License-Identifier: Apache-2.0
// grpc-js against the engine. Descriptors are loaded, not generated.
import * as grpc from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { assert, ca, check, descriptors, failure, finish, port, tlsPort } from "./checks.mjs";

const loaded = grpc.loadPackageDefinition(loadFileDescriptorSetFromBuffer(descriptors,
  { longs: String, enums: String, defaults: true }));
const deadline = () => Date.now() + 60000;

function ask(client, method, request, options = {}, metadata = new grpc.Metadata()) {
  return new Promise((resolve, reject) => {
    const result = {};
    const call = client[method](request, metadata, { deadline: deadline(), ...options },
      (error, answer) => { result.error = error; result.answer = answer; });
    call.on("metadata", (m) => { result.metadata = m; });
    call.on("status", (s) => {
      result.status = s;
      if (result.error) reject(result.error);
      else resolve(result);
    });
    if (options.cancel) setImmediate(() => call.cancel());
  });
}

function read(call) {
  return new Promise((resolve) => {
    const got = { messages: [] };
    call.on("data", (m) => got.messages.push(m));
    call.on("error", (e) => { got.error = e; });
    call.on("status", (s) => { got.status = s; resolve(got); });
  });
}

async function run(name, client, interop, health) {
  await check(`${name}: unary`, async () => {
    const { answer } = await ask(client, "Echo", { text: "t\u00e9", number: "-9007199254740993" });
    assert.equal(answer.text, "t\u00e9");
    assert.equal(answer.number, "-9007199254740993");
  });
  await check(`${name}: large_unary`, async () => {
    const { answer } = await ask(interop, "UnaryCall",
      { response_size: 314159, payload: { body: Buffer.alloc(271828) } });
    assert.equal(answer.payload.body.length, 314159);
  });
  await check(`${name}: metadata`, async () => {
    const metadata = new grpc.Metadata();
    metadata.set("echo-text", "some text");
    metadata.set("echo-bin", Buffer.from([0, 171]));
    const { metadata: header, status } = await ask(client, "Echo", {}, {}, metadata);
    assert.deepEqual(header.get("echo-text"), ["some text"]);
    assert.deepEqual(header.get("echo-bin"), [Buffer.from([0, 171])]);
    assert.deepEqual(status.metadata.get("echo-text-after"), ["some text"]);
    assert.deepEqual(status.metadata.get("echo-after-bin"), [Buffer.from([0, 171])]);
  });
  await check(`${name}: every code, with details`, async () => {
    for (let code = 1; code <= 16; code++) {
      const message = `100% \u263a ${code}`;
      const error = await failure(() => ask(client, "Echo", { problem: { code, message,
        details: [{ type_url: "type.googleapis.com/muster.test.v1.Page", value: Buffer.from([8, 1]) }] } }));
      assert.equal(error.code, code);
      assert.equal(error.details, message);
      assert.equal(error.metadata.get("grpc-status-details-bin").length, 1);
    }
  });
  await check(`${name}: deadline`, async () => {
    const error = await failure(() => ask(client, "Echo", { delay_ms: 60000 },
      { deadline: Date.now() + 30 }));
    assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
  });
  await check(`${name}: cancellation`, async () => {
    const error = await failure(() => ask(client, "Echo", { delay_ms: 200 }, { cancel: true }));
    assert.equal(error.code, grpc.status.CANCELLED);
    assert.equal((await ask(client, "Echo", { text: "after" })).answer.text, "after");
  });
  await check(`${name}: unimplemented`, async () => {
    const error = await failure(() => ask(interop, "UnimplementedCall", {}));
    assert.equal(error.code, grpc.status.UNIMPLEMENTED);
  });
  await check(`${name}: server stream`, async () => {
    const got = await read(client.Count({ from: 1, to: 500, ballast: Buffer.alloc(2000) },
      { deadline: deadline() }));
    assert.equal(got.status.code, grpc.status.OK);
    assert.deepEqual(got.messages.map((m) => m.number), Array.from({ length: 500 }, (_, i) => i + 1));
  });
  await check(`${name}: a stream that fails`, async () => {
    const got = await read(client.Count({ from: 1, to: 9, fail_at: 3 }, { deadline: deadline() }));
    assert.equal(got.status.code, grpc.status.ABORTED);
    assert.equal(got.messages.length, 2);
  });
  await check(`${name}: a stream that is left`, async () => {
    const call = client.Count({ from: 1, to: 2 ** 31, ballast: Buffer.alloc(900) },
      { deadline: deadline() });
    call.once("data", () => call.cancel());
    assert.equal((await read(call)).status.code, grpc.status.CANCELLED);
  });
  await check(`${name}: both ways at once`, async () => {
    const call = client.Chat({ deadline: deadline() });
    const left = ["two", "three"];
    call.write({ text: "one" });
    call.on("data", () => (left.length ? call.write({ text: left.shift() }) : call.end()));
    const got = await read(call);
    assert.equal(got.status.code, grpc.status.OK);
    assert.deepEqual(got.messages.map((m) => m.text), ["one", "two", "three"]);
  });
  await check(`${name}: health`, async () => {
    assert.equal((await ask(health, "Check", {})).answer.status, "SERVING");
  });
}

const plain = grpc.credentials.createInsecure();
const secure = grpc.credentials.createSsl(ca);
for (const [name, target, credentials, options] of [
  ["clear", `127.0.0.1:${port}`, plain, {}],
  ["tls", `localhost:${tlsPort}`, secure, {}],
  ["gzip", `127.0.0.1:${port}`, plain,
    { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip }],
]) {
  await run(`grpc-js ${name}`, new loaded.muster.test.v1.TestService(target, credentials, options),
    new loaded.grpc.testing.TestService(target, credentials, options),
    new loaded.grpc.health.v1.Health(target, credentials, options));
}
finish();
