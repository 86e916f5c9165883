# SPDX-License-Identifier: Apache-2.0
"""One tenant of a running server as the tests of the fleet's interface see it: keys, calls with JSON
over Connect on one kept connection, and everything that is stored, to compare before with after."""
import contextlib
import hashlib
import itertools
import re

import pytest

from harness import Wire, basic
from rpcclient import HTTP_STATUS

COLLECTORS = "/collector.v1.CollectorService/"
PIPELINES = "/pipeline.v1.PipelineService/"
TENANT = "/tenant.v1.TenantService/"
AGENTS = "/muster.v1.FleetService/"

SERVICE_OF = {
    **dict.fromkeys(("GetConfig", "RegisterCollector", "UnregisterCollector", "GetCollector",
                     "ListCollectors", "CreateCollector", "UpdateCollector",
                     "BulkUpdateCollectors", "DeleteCollector", "BulkDeleteCollectors",
                     "ListCollectorAttributes"), COLLECTORS),
    **dict.fromkeys(("GetPipeline", "GetPipelineID", "ListPipelines", "CreateAlloyPipelines",
                     "CreatePipeline", "UpdatePipeline", "UpsertPipeline", "DeletePipeline",
                     "BulkDeletePipelines", "ListPipelinesRevisions", "ListPipelineRevisions",
                     "GetPipelineRevision", "SyncPipelines"), PIPELINES),
    **dict.fromkeys(("GetLimits", "GetSummary"), TENANT),
    **dict.fromkeys(("GetAgent", "ExplainAgent", "ListAgents"), AGENTS),
}
# What never changes anything: refusing it needs no look at the state.
READS = {"GetCollector", "ListCollectors", "ListCollectorAttributes", "GetPipeline",
         "GetPipelineID", "ListPipelines", "ListPipelinesRevisions", "ListPipelineRevisions",
         "GetPipelineRevision", "GetLimits", "GetSummary", "GetAgent", "ExplainAgent"}

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z")
_names = (f"fleet-{n}" for n in itertools.count(1))


class Fleet:
    """A tenant of its own on a server that others use too."""

    def __init__(self, server, tenant=None, token=None):
        self.server = server
        self.tenant = tenant or next(_names)
        if token is None:
            made = server.request("POST", "/admin/v1/tenants", {"name": self.tenant})
            assert made.status == 201, made
            token = self.key("admin")
        self.token = token
        self.wire = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hang_up()

    def hang_up(self):
        if self.wire:
            self.wire.close()
        self.wire = None

    def key(self, role, *scopes):
        """The token of a new key."""
        wanted = {"tenant": self.tenant, "role": role}
        made = self.server.request("POST", "/admin/v1/keys",
                                   {**wanted, "scopes": list(scopes)} if scopes else wanted)
        assert made.status == 201, made
        return made.json()["token"]

    def authorization(self):
        return basic(self.tenant, self.token)

    # -- calls

    def http(self, method, path, body=None, headers=(), authorization=True):
        """One exchange on the kept connection."""
        if self.wire is None:
            self.wire = self.server.connect()
        head = [self.authorization()] if authorization else []
        answer = self.wire.request(method, path, body, None, [*head, *headers])
        if answer.fields.get("connection") == "close":
            self.hang_up()
        return answer

    def post(self, method, body, headers=()):
        return self.http("POST", SERVICE_OF[method] + method, body, headers)

    def call(self, method, body=None, **members):
        """The answer's JSON."""
        answer = self.post(method, {**(body or {}), **members})
        assert answer.status == 200, (method, answer)
        assert answer.fields["content-type"] == "application/json", answer
        return answer.json()

    def refused(self, code, method, body=None, **members):
        """Nothing may have changed by it. Returns the message."""
        sent = body if isinstance(body, bytes) else {**(body or {}), **members}
        before = None if method in READS else self.state()
        told = error_of(self.post(method, sent))
        assert told["code"] == code, told
        if before is not None:
            assert self.state() == before
        return told["message"]

    def proto(self, method, data, headers=()):
        """Bytes there and bytes back."""
        answer = self.post(method, data, ["Content-Type: application/proto",
                                          "Connect-Protocol-Version: 1", *headers])
        assert answer.status == 200, answer
        assert answer.fields["content-type"] == "application/proto"
        return answer.body

    # -- shorthands

    def state(self):
        """All that can be read of what is stored."""
        return {method: self.call(method) for method in
                ("ListCollectors", "ListCollectorAttributes", "ListPipelines",
                 "ListPipelinesRevisions")}

    def create(self, name, /, **members):
        return self.call("CreateCollector", collector={"id": name, **members})

    def collector(self, name):
        return self.call("GetCollector", id=name)

    def remote(self, name):
        return self.collector(name).get("remoteAttributes", {})

    def listed(self, *matchers):
        """Ids."""
        found = self.call("ListCollectors", matchers=list(matchers)).get("collectors", [])
        return [c["id"] for c in found]

    def register(self, name, /, local=None, **members):
        assert self.call("RegisterCollector", id=name, localAttributes=local or {},
                         **members) == {}

    def config(self, name, /, local=None, **members):
        """GetConfig's answer; the hash is checked on the way."""
        told = self.call("GetConfig", id=name, localAttributes=local or {}, **members)
        if not told.get("notModified"):
            assert told["hash"] == hashlib.sha256(told["content"].encode()).hexdigest()
            assert told["content"], "an empty text would not unload anything"
        return told

    def content(self, name, local=None):
        return self.config(name, local)["content"]

    def pipeline(self, name, contents="// nothing\n", matchers=(), **members):
        """Creates one; its id."""
        made = self.call("CreatePipeline", pipeline={
            "name": name, "contents": contents, "matchers": list(matchers), **members})
        return made["id"]

    def pipelines(self, **filters):
        """Names."""
        found = self.call("ListPipelines", filters).get("pipelines", [])
        return sorted(p["name"] for p in found)

    def agent(self, name):
        """What the server's own interface tells: status and effective configuration, too."""
        return self.call("GetAgent", id=name)


def error_of(answer):
    """The error of a Connect answer, with what its frame has to be."""
    assert answer.status != 200, answer
    assert answer.fields.get("content-type") == "application/json", answer
    assert "content-encoding" not in answer.fields
    told = answer.json()
    assert set(told) <= {"code", "message", "details"}, told
    assert answer.status == HTTP_STATUS[told["code"]], answer
    assert told["message"]
    return told


def is_comment(content):
    """A text that Alloy loads and that runs nothing."""
    lines = content.splitlines()
    return bool(lines) and all(not line or line.startswith("//") for line in lines)


@contextlib.contextmanager
def wires(server, count):
    opened = [Wire(server.port()) for _ in range(count)]
    try:
        yield opened
    finally:
        for wire in opened:
            wire.close()


def case(name, *values):
    """One row of a table of tests, with a name that says what is special about it."""
    return pytest.param(*values, id=name.replace(" ", "-"))
