# SPDX-License-Identifier: Apache-2.0
"""Python's gRPC client against the real server, knowing nothing but its address: it learns the
fleet's services by reflection and calls every method of them with messages made from what it was
told."""
import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from fleet.client import AGENTS, COLLECTORS, PIPELINES, TENANT
from harness import PATIENCE

REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
SERVICES = [path.strip("/") for path in (COLLECTORS, PIPELINES)]


def question(number, text):
    """A ServerReflectionRequest by hand."""
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def inner(data, number):
    """The byte strings of one field."""
    at, found = 0, []
    while at < len(data):
        tag, at = varint(data, at)
        length, at = varint(data, at)
        if tag & 7 == 2:
            if tag >> 3 == number:
                found.append(data[at:at + length])
            at += length
    return found


class Learned:
    """The services of a server, out of its own descriptors."""

    def __init__(self, channel):
        self.ask = channel.stream_stream(REFLECTION)
        self.pool = descriptor_pool.DescriptorPool()
        self.added = set()
        for service in [*SERVICES, TENANT.strip("/"), AGENTS.strip("/")]:
            for file in self.files(question(4, service)):
                self.add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def files(self, request):
        answer, = self.ask(iter([request]), timeout=PATIENCE)
        answers = inner(answer, 4)  # file_descriptor_response
        assert answers, answer
        return [descriptor_pb2.FileDescriptorProto.FromString(f) for f in inner(answers[0], 1)]

    def add(self, file):
        if file.name in self.added:
            return
        self.added.add(file.name)
        for name in file.dependency:
            for found in self.files(question(3, name)) if name not in self.added else ():
                self.add(found)
        self.pool.Add(file)

    def method(self, path):
        service, name = path.strip("/").split("/")
        return self.pool.FindServiceByName(service).methods_by_name[name]


class Client:
    def __init__(self, channel, learned, fleet):
        self.channel, self.learned = channel, learned
        self.metadata = [("authorization", fleet.authorization().partition(": ")[2])]

    def call(self, path, body=None, metadata=None, **members):
        """The answer as JSON would say it."""
        method = self.learned.method(path)
        request, answer = (self.learned.factory.GetPrototype(t)
                           for t in (method.input_type, method.output_type))
        told = self.channel.unary_unary(
            path, request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString)(
                json_format.ParseDict({**(body or {}), **members}, request(),
                                      descriptor_pool=self.learned.pool),
                timeout=PATIENCE, metadata=self.metadata if metadata is None else metadata)
        return json_format.MessageToDict(told, descriptor_pool=self.learned.pool)

    def refused(self, code, path, body=None, metadata=None, **members):
        with pytest.raises(grpc.RpcError) as caught:
            self.call(path, body, metadata, **members)
        assert caught.value.code() == code and caught.value.details()
        return caught.value.details()


OPTIONS = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]


@pytest.fixture(scope="module", params=["clear", "tls", "gzip"])
def channel(request, shared, certificates):
    if request.param == "tls":
        trust = grpc.ssl_channel_credentials(certificates.ca.read_bytes())
        made = grpc.secure_channel(f"localhost:{shared.port('https')}", trust, OPTIONS)
    else:
        squeeze = grpc.Compression.Gzip if request.param == "gzip" else None
        made = grpc.insecure_channel(f"127.0.0.1:{shared.port()}", OPTIONS, squeeze)
    with made:
        yield made


@pytest.fixture(scope="module")
def learned(channel):
    return Learned(channel)


@pytest.fixture
def client(channel, learned, fleet):
    return Client(channel, learned, fleet)


def test_collectors(client):
    made = client.call(COLLECTORS + "CreateCollector", collector={
        "id": "c", "remoteAttributes": {"a": "b"}, "enabled": False})
    assert made["enabled"] is False and made["collectorType"] == "COLLECTOR_TYPE_ALLOY"
    assert client.call(COLLECTORS + "GetCollector", id="c") == made
    assert client.call(COLLECTORS + "RegisterCollector", id="d", name="n",
                       localAttributes={"collector.os": "linux"}) == {}
    changed = client.call(COLLECTORS + "UpdateCollector", collector={"id": "c", "enabled": True})
    assert changed["enabled"] is True and "remoteAttributes" not in changed
    assert client.call(COLLECTORS + "BulkUpdateCollectors", ids=["c", "d"], ops=[
        {"op": "ADD", "path": "remoteAttributes.env", "value": "prod"}]) == {}
    listed = client.call(COLLECTORS + "ListCollectors", matchers=["env=prod"])["collectors"]
    assert [c["id"] for c in listed] == ["c", "d"]
    told = client.call(COLLECTORS + "ListCollectorAttributes")
    assert told["remoteAttributes"] == {"env": {"values": [{"value": "prod"}]}}
    assert set(told["localAttributes"]) == {"collector.ID", "collector.os"}
    config = client.call(COLLECTORS + "GetConfig", id="d", localAttributes={"collector.os": "linux"})
    again = client.call(COLLECTORS + "GetConfig", id="d", hash=config["hash"],
                        localAttributes={"collector.os": "linux"})
    assert again == {"hash": config["hash"], "notModified": True}
    assert client.call(COLLECTORS + "UnregisterCollector", id="d") == {}
    assert client.call(COLLECTORS + "DeleteCollector", id="d") == {}
    assert client.call(COLLECTORS + "BulkDeleteCollectors", ids=["c"]) == {}
    assert client.call(COLLECTORS + "ListCollectors") == {}


def test_pipelines(client):
    made = client.call(PIPELINES + "CreatePipeline", pipeline={
        "name": "p", "contents": "// x\n", "matchers": ["a=b"], "metadata": {"k": [1.5, None]}})
    assert client.call(PIPELINES + "GetPipeline", id=made["id"]) == made
    assert client.call(PIPELINES + "GetPipelineID", name="p") == {"id": made["id"]}
    for method in ("UpdatePipeline", "UpsertPipeline"):
        changed = client.call(PIPELINES + method, pipeline={"name": "p", "contents": f"// {method}"})
        assert changed["id"] == made["id"] and "matchers" not in changed
    assert client.call(PIPELINES + "ListPipelines") == {"pipelines": [changed]}
    revisions = client.call(PIPELINES + "ListPipelineRevisions", id=made["id"])
    assert [r["operation"] for r in revisions["pipelineRevisions"]] == [
        "UPDATE", "UPDATE", "INSERT"]
    assert client.call(PIPELINES + "ListPipelinesRevisions") == revisions
    newest = revisions["pipelineRevisions"][0]
    assert client.call(PIPELINES + "GetPipelineRevision", revisionId=newest["revisionId"]) == newest
    source = {"type": "SOURCE_TYPE_GIT", "namespace": "n"}
    assert client.call(PIPELINES + "SyncPipelines", source=source, pipelines=[
        {"name": "q", "contents": "// q\n"}]) == {}
    found = client.call(PIPELINES + "GetPipelineID", name="q")
    assert client.call(PIPELINES + "BulkDeletePipelines", ids=[found["id"]]) == {}
    assert client.call(PIPELINES + "DeletePipeline", id=made["id"]) == {}
    assert client.call(PIPELINES + "ListPipelines") == {}
    client.refused(grpc.StatusCode.UNIMPLEMENTED, PIPELINES + "CreateAlloyPipelines")


def test_errors(client, fleet):
    code = grpc.StatusCode
    client.refused(code.NOT_FOUND, COLLECTORS + "GetCollector", id="nobody")
    client.refused(code.INVALID_ARGUMENT, COLLECTORS + "GetCollector")
    client.call(COLLECTORS + "CreateCollector", collector={"id": "c"})
    client.refused(code.ALREADY_EXISTS, COLLECTORS + "CreateCollector", collector={"id": "c"})
    client.refused(code.FAILED_PRECONDITION, COLLECTORS + "BulkUpdateCollectors", ids=["c"], ops=[
        {"op": "MOVE", "path": "remoteAttributes.a", "from": "remoteAttributes.b"}])
    for method in ("GetLimits", "GetSummary"):
        client.refused(code.UNIMPLEMENTED, TENANT + method)
    client.refused(code.UNAUTHENTICATED, COLLECTORS + "ListCollectors", metadata=[])
    agent = [("authorization", "Bearer " + fleet.key("agent"))]
    client.refused(code.UNAUTHENTICATED, COLLECTORS + "ListCollectors", metadata=agent)
    assert client.call(COLLECTORS + "RegisterCollector", id="d", metadata=agent) == {}
    with pytest.raises(grpc.RpcError) as caught:
        client.channel.unary_unary(COLLECTORS + "NoSuch")(b"", timeout=PATIENCE)
    assert caught.value.code() == code.UNIMPLEMENTED


def test_reflection_lists_the_services(channel):
    answer, = channel.stream_stream(REFLECTION)(iter([question(7, "")]), timeout=PATIENCE)
    names = [inner(s, 1)[0].decode() for s in inner(inner(answer, 6)[0], 1)]
    assert set(SERVICES) | {TENANT.strip("/"), AGENTS.strip("/")} <= set(names)
