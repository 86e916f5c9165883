// SPDX-License-Identifier: Apache-2.0
// connect-node against the fleet's services of the real server, with code that protoc-gen-es made from
// our .proto files: fleet.mjs connect|grpc|grpc-web. The tenant is left as empty as it was found.
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport }
  from "@connectrpc/connect-node";
import { assert, ca, check, failure, finish, port, tlsPort } from "./checks.mjs";
import { CollectorService, CollectorType, Operation_OpType, RemoteConfigStatuses }
  from "./gen/collector/v1/collector_pb.js";
import { ConfigType, PipelineRevision_Operation, PipelineService, PipelineSource_SourceType }
  from "./gen/pipeline/v1/pipeline_pb.js";
import { TenantService } from "./gen/tenant/v1/tenant_pb.js";

const make = { connect: createConnectTransport, grpc: createGrpcTransport,
  "grpc-web": createGrpcWebTransport };
const { FLEET_TENANT: tenant, FLEET_TOKEN: token, FLEET_AGENT: agentToken } = process.env;

function authorized(value) {
  return [(next) => (request) => {
    if (value) request.header.set("authorization", value);
    return next(request);
  }];
}

const code = async (run) => ConnectError.from(await failure(run)).code;

async function collectors(name, client) {
  await check(`${name}: CreateCollector`, async () => {
    const made = await client.createCollector({ collector: {
      id: "c", remoteAttributes: { a: "b" }, enabled: false, collectorType: CollectorType.OTEL } });
    assert.deepEqual([made.id, made.enabled, made.collectorType], ["c", false, CollectorType.OTEL]);
    assert.deepEqual(made.remoteAttributes, { a: "b" });
    assert.ok(made.createdAt.seconds > 1600000000n);
    assert.equal(await code(() => client.createCollector({ collector: { id: "c" } })),
      Code.AlreadyExists);
  });
  await check(`${name}: GetCollector`, async () => {
    const found = await client.getCollector({ id: "c" });
    assert.equal(found.enabled, false); // said, not left out
    assert.deepEqual(found.localAttributes, { "collector.ID": "c" });
    const error = ConnectError.from(await failure(() => client.getCollector({ id: "nobody" })));
    assert.equal(error.code, Code.NotFound);
    assert.ok(error.rawMessage);
    assert.equal(await code(() => client.getCollector({})), Code.InvalidArgument);
  });
  await check(`${name}: RegisterCollector`, async () => {
    for (let i = 0; i < 2; i++)
      await client.registerCollector({ id: "d", name: "n",
        localAttributes: { "collector.os": "linux", "\u00e9": "\u{1f426}" } });
    const found = await client.getCollector({ id: "d" });
    assert.equal(found.localAttributes["\u00e9"], "\u{1f426}");
  });
  await check(`${name}: UpdateCollector`, async () => {
    const changed = await client.updateCollector({ collector: { id: "c", enabled: true } });
    assert.deepEqual([changed.enabled, changed.remoteAttributes], [true, {}]);
    assert.equal(changed.collectorType, CollectorType.OTEL);
  });
  await check(`${name}: BulkUpdateCollectors`, async () => {
    const { ADD, COPY, REPLACE } = Operation_OpType;
    await client.bulkUpdateCollectors({ ids: ["c", "d"], ops: [
      { op: ADD, path: "remoteAttributes.env", value: "dev" },
      { op: REPLACE, path: "/remote_attributes/env", value: "prod", oldValue: "dev" },
      { op: COPY, path: "remoteAttributes.copy", from: "remoteAttributes.env" }] });
    for (const id of ["c", "d"])
      assert.deepEqual((await client.getCollector({ id })).remoteAttributes,
        { env: "prod", copy: "prod" });
    assert.equal(await code(() => client.bulkUpdateCollectors({ ids: ["c", "nobody"],
      ops: [{ op: ADD, path: "remoteAttributes.x", value: "" }] })), Code.NotFound);
  });
  await check(`${name}: ListCollectors`, async () => {
    const ids = async (...matchers) =>
      (await client.listCollectors({ matchers })).collectors.map((c) => c.id);
    assert.deepEqual(await ids(), ["c", "d"]);
    assert.deepEqual(await ids("collector.os=~\"lin.*\"", "env=prod"), ["d"]);
    assert.deepEqual(await ids("env=dev"), []);
    assert.equal(await code(() => ids("env")), Code.InvalidArgument);
  });
  await check(`${name}: ListCollectorAttributes`, async () => {
    const told = await client.listCollectorAttributes({});
    assert.deepEqual(told.remoteAttributes.env.values.map((v) => v.value), ["prod"]);
    assert.deepEqual(told.localAttributes["collector.ID"].values.map((v) => v.value), [""]);
  });
}

async function polls(name, client, agent, pipelines) {
  const localAttributes = { "collector.os": "linux" };
  await check(`${name}: GetConfig`, async () => {
    const { id } = await pipelines.createPipeline({ pipeline: {
      name: "web", contents: "// \u00e9\n", matchers: ["env=prod"] } });
    const told = await agent.getConfig({ id: "d", localAttributes,
      remoteConfigStatus: { status: RemoteConfigStatuses.RemoteConfigStatuses_APPLIED },
      effectiveConfig: { configMap: { configMap: { "": { body: new Uint8Array([120]) } } } } });
    assert.match(told.content, /declare "web" \{[^]*\/\/ \u00e9\n/);
    assert.match(told.hash, /^[0-9a-f]{64}$/);
    const again = await agent.getConfig({ id: "d", localAttributes, hash: told.hash });
    assert.deepEqual([again.notModified, again.content, again.hash], [true, "", told.hash]);
    await pipelines.deletePipeline({ id });
    const after = await agent.getConfig({ id: "d", localAttributes, hash: told.hash });
    assert.equal(after.notModified, false);
    assert.match(after.content, /^\/\/ /);
  });
  await check(`${name}: UnregisterCollector`, async () => {
    await agent.unregisterCollector({ id: "d" });
    assert.ok((await client.getCollector({ id: "d" })).markedInactiveAt.seconds > 0n);
    await agent.unregisterCollector({ id: "nobody" });
  });
  await check(`${name}: an agent's key`, async () => {
    assert.equal(await code(() => agent.listCollectors({})), Code.Unauthenticated);
    await agent.registerCollector({ id: "d", localAttributes });
  });
  await check(`${name}: DeleteCollector`, async () => {
    await client.deleteCollector({ id: "d" });
    assert.equal(await code(() => client.deleteCollector({ id: "d" })), Code.NotFound);
  });
  await check(`${name}: BulkDeleteCollectors`, async () => {
    assert.equal(await code(() => client.bulkDeleteCollectors({ ids: ["c", "d"] })), Code.NotFound);
    await client.bulkDeleteCollectors({ ids: ["c"] });
    assert.deepEqual((await client.listCollectors({})).collectors, []);
  });
}

async function pipelines(name, client) {
  let id;
  const source = { type: PipelineSource_SourceType.TERRAFORM, namespace: "default" };
  await check(`${name}: CreatePipeline`, async () => {
    const pipeline = { name: "p", contents: "// 1\n", matchers: ["a=b"], enabled: false, source,
      metadata: { n: 1.5, l: [null, "x"] } };
    const seen = await client.createPipeline({ pipeline, validateOnly: true });
    assert.equal(seen.id, undefined);
    const made = await client.createPipeline({ pipeline });
    ({ id } = made);
    assert.match(id, /^\d+$/);
    assert.deepEqual([made.enabled, made.configType], [false, ConfigType.ALLOY]);
    assert.deepEqual(made.metadata, { n: 1.5, l: [null, "x"] });
    assert.deepEqual([made.source.type, made.source.namespace], [source.type, source.namespace]);
    assert.equal(await code(() => client.createPipeline({ pipeline })), Code.AlreadyExists);
    assert.equal(await code(() => client.createPipeline({ pipeline: { name: "q", contents: "}" } })),
      Code.InvalidArgument);
  });
  await check(`${name}: GetPipeline`, async () => {
    assert.equal((await client.getPipeline({ id })).contents, "// 1\n");
    assert.equal(await code(() => client.getPipeline({ id: "0" })), Code.NotFound);
  });
  await check(`${name}: GetPipelineID`, async () => {
    assert.equal((await client.getPipelineID({ name: "p" })).id, id);
    assert.equal(await code(() => client.getPipelineID({ name: "q" })), Code.NotFound);
  });
  await check(`${name}: UpdatePipeline`, async () => {
    const changed = await client.updatePipeline({ pipeline: { id, name: "p", contents: "// 2\n" } });
    assert.deepEqual([changed.id, changed.matchers, changed.enabled], [id, [], true]);
    assert.equal(changed.metadata, undefined);
  });
  await check(`${name}: UpsertPipeline`, async () => {
    assert.equal((await client.upsertPipeline(
      { pipeline: { name: "p", contents: "// 3\n" } })).id, id);
  });
  await check(`${name}: ListPipelines`, async () => {
    const names = async (filter) => (await client.listPipelines(filter)).pipelines.map((p) => p.name);
    assert.deepEqual(await names({}), ["p"]);
    assert.deepEqual(await names({ enabled: false }), []);
    assert.deepEqual(await names({ configType: ConfigType.OTEL }), []);
  });
  await check(`${name}: ListPipelineRevisions`, async () => {
    const { UPDATE, INSERT } = PipelineRevision_Operation;
    const listed = (await client.listPipelineRevisions({ id })).pipelineRevisions;
    assert.deepEqual(listed.map((r) => [r.operation, r.snapshot.contents]),
      [[UPDATE, "// 3\n"], [UPDATE, "// 2\n"], [INSERT, "// 1\n"]]);
  });
  await check(`${name}: ListPipelinesRevisions and GetPipelineRevision`, async () => {
    const [newest] = (await client.listPipelinesRevisions({})).pipelineRevisions;
    const found = await client.getPipelineRevision({ revisionId: newest.revisionId });
    assert.deepEqual(found, newest);
    assert.equal(await code(() => client.getPipelineRevision({ revisionId: "0" })), Code.NotFound);
  });
  await check(`${name}: SyncPipelines`, async () => {
    const git = { type: PipelineSource_SourceType.GIT, namespace: "repo" };
    await client.syncPipelines({ source: git, pipelines: [
      { name: "a", contents: "// a\n" }, { name: "b", contents: "// b\n" }] });
    await client.syncPipelines({ source: git, pipelines: [{ name: "b", contents: "// b\n" }] });
    const names = (await client.listPipelines({})).pipelines.map((p) => p.name);
    assert.deepEqual(names.sort(), ["b", "p"]);
    await client.syncPipelines({ source: git });
    assert.equal(await code(() => client.syncPipelines({})), Code.InvalidArgument);
  });
  await check(`${name}: BulkDeletePipelines`, async () => {
    assert.equal(await code(() => client.bulkDeletePipelines({ ids: [id, "0"] })), Code.NotFound);
    await client.bulkDeletePipelines({ ids: [id] });
  });
  await check(`${name}: DeletePipeline`, async () => {
    assert.equal(await code(() => client.deletePipeline({ id })), Code.NotFound);
    assert.deepEqual((await client.listPipelines({})).pipelines, []);
  });
  await check(`${name}: CreateAlloyPipelines`, async () => {
    assert.equal(await code(() => client.createAlloyPipelines({})), Code.Unimplemented);
  });
}

const protocol = process.argv[2];
for (const httpVersion of protocol === "grpc" ? ["2"] : ["1.1", "2"])
  for (const tls of [false, true])
    for (const useBinaryFormat of [true, false]) {
      const name = [protocol, `h${httpVersion}`, tls ? "tls" : "clear",
        useBinaryFormat ? "proto" : "json"].join(" ");
      const options = { baseUrl: tls ? `https://localhost:${tlsPort}` : `http://127.0.0.1:${port}`,
        httpVersion, useBinaryFormat, nodeOptions: tls ? { ca } : {} };
      const client = (service, authorization, more = {}) => createClient(service, make[protocol](
        { ...options, ...more, interceptors: authorized(authorization) }));
      const basic = `Basic ${btoa(`${tenant}:${token}`)}`;
      const manager = client(CollectorService, basic);
      const agent = client(CollectorService, `Bearer ${agentToken}`,
        protocol === "connect" ? { useHttpGet: true } : {});
      await collectors(name, manager);
      await polls(name, manager, agent, client(PipelineService, basic));
      await pipelines(name, client(PipelineService, basic));
      await check(`${name}: tenants`, async () => {
        const limits = client(TenantService, basic);
        if (useBinaryFormat) {
          assert.equal(await code(() => limits.getLimits({})), Code.Unimplemented);
        } else {
          const told = await limits.getLimits({});
          assert.deepEqual([told.collectors, told.requestsPerSecond], [undefined, undefined]);
          await limits.getSummary({});
        }
      });
      await check(`${name}: no credential`, async () => {
        assert.equal(await code(() => client(CollectorService).listCollectors({})),
          Code.Unauthenticated);
      });
    }
finish();
