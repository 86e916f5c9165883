# SPDX-License-Identifier: Apache-2.0
"""One tenant of a running server as the tests of the collector management interface see it: access
keys, calls on one kept connection, what every answer of this dialect has to look like, and
everything that is stored, to compare before with after."""
import base64
import itertools
import json
import re

from harness import Wire, basic

API = "/api/v1"
MEDIA = "application/json;charset=UTF-8"
ERROR_ID = re.compile(r"[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5}")
ETAG = re.compile(r'"[0-9a-f]{32}"')
HEX_ID = re.compile(r"[0-9A-F]{16}")

COLLECTOR = "collectors.collector.invalid"
SOURCE = "collectors.source.invalid"
INVALID = "collectors.validation.fields.invalid"
MISSING = "collectors.validation.fields.missing"
DUPLICATE = "collectors.validation.name.duplicate"
SOURCE_TYPE = "collectors.source.type.invalid"

_names = (f"sumo-{n}" for n in itertools.count(1))
# One peer a tenant: registrations that fail are counted by address.
_addresses = (f"127.{1 + n // 64516 % 254}.{1 + n // 254 % 254}.{1 + n % 254}"
              for n in itertools.count())


class Sumo:
    """A tenant of its own on a server that others use too."""

    def __init__(self, server, tenant=None, token=None):
        self.server = server
        self.tenant = tenant or next(_names)
        if token is None:
            made = server.request("POST", "/admin/v1/tenants", {"name": self.tenant})
            assert made.status == 201, made
            token = self.key("admin")["token"]
        _, self.access_id, self.access_key = token.split("_")
        self.token = token
        self.address = next(_addresses)
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
        """A new key as it is told once: id, secret and token."""
        wanted = {"tenant": self.tenant, "role": role}
        made = self.server.request("POST", "/admin/v1/keys",
                                   {**wanted, "scopes": list(scopes)} if scopes else wanted)
        assert made.status == 201, made
        return made.json()

    def other(self, role, *scopes):
        """The same tenant by another key."""
        return Sumo(self.server, self.tenant, self.key(role, *scopes)["token"])

    def authorization(self):
        return basic(self.access_id, self.access_key)

    # -- one exchange

    def http(self, method, path, body=None, headers=(), authorization=True):
        """On the kept connection. `authorization`: another header line, or False."""
        if self.wire is None:
            self.wire = Wire(self.server.port(), source=self.address)
        line = self.authorization() if authorization is True else authorization
        answer = self.wire.request(method, path, body, None, [*([line] if line else []), *headers])
        if answer.fields.get("connection") == "close":
            self.hang_up()
        check(answer, method)
        return answer

    def api(self, method, path, body=None, headers=(), **more):
        return self.http(method, API + path, body, headers, **more)

    def get(self, path, headers=()):
        """The document of a 200."""
        answer = self.api("GET", path, None, headers)
        assert answer.status == 200, (path, answer)
        return answer.json()

    def refused(self, status, code, method, path, body=None, headers=(), **more):
        """Nothing may have changed by it. Returns the message."""
        before = None if method in ("GET", "HEAD") else self.state()
        told = self.api(method, path, body, headers, **more)
        error = error_of(told)
        assert (told.status, error["code"]) == (status, code), told
        if before is not None:
            assert self.state() == before
        return error["message"]

    def state(self):
        """All that can be read of what is stored, without what moves by itself."""
        listed = self.get("/collectors")["collectors"]
        sources = {c["id"]: self.get(f"/collectors/{c['id']}/sources")["sources"] for c in listed}
        return [still(c) for c in listed], {c: [still(s) for s in v] for c, v in sources.items()}

    # -- collectors

    def create(self, name, /, **members):
        answer = self.api("POST", "/collectors",
                          {"collector": {"collectorType": "Hosted", "name": name, **members}})
        assert answer.status == 201, answer
        return answer.json()["collector"]

    def collector(self, number):
        return self.get(f"/collectors/{number}")["collector"]

    def listed(self, query=""):
        """Names."""
        return [c["name"] for c in self.get("/collectors" + query)["collectors"]]

    def etag(self, path):
        answer = self.api("GET", path)
        assert answer.status == 200, answer
        return answer.fields["etag"]

    def put(self, path, document, etag=None):
        """Full replacement of what path names, as it stands now unless a tag is given."""
        return self.api("PUT", path, document, [f"If-Match: {etag or self.etag(path)}"])

    def change(self, number, /, drop=(), **members):
        """GET, change, PUT: the collector afterwards."""
        document = self.collector(number)
        document.update(members)
        for name in drop:
            document.pop(name, None)
        answer = self.put(f"/collectors/{number}", {"collector": document})
        assert answer.status == 200, answer
        return answer.json()["collector"]

    def delete(self, path):
        answer = self.api("DELETE", path)
        assert answer.status == 200, answer

    # -- sources

    def add_source(self, collector, /, **members):
        answer = self.api("POST", f"/collectors/{collector}/sources", {"source": members})
        assert answer.status == 201, answer
        return answer.json()["source"]

    def source(self, collector, number):
        return self.get(f"/collectors/{collector}/sources/{number}")["source"]

    def sources(self, collector, query=""):
        return self.get(f"/collectors/{collector}/sources{query}")["sources"]

    def change_source(self, collector, number, /, drop=(), **members):
        document = self.source(collector, number)
        document.update(members)
        for name in drop:
            document.pop(name, None)
        answer = self.put(f"/collectors/{collector}/sources/{number}", {"source": document})
        assert answer.status == 200, answer
        return answer.json()["source"]

    # -- installed collectors

    def installation_token(self, name="installers", **members):
        """As the newer interface tells it."""
        answer = self.api("POST", "/tokens", {"name": name, "status": "Active", "description": "d",
                                              "type": "CollectorRegistration", **members})
        assert answer.status in (200, 201), answer
        return answer.json()

    def register(self, name, token=None, /, **members):
        """What an installed collector gets: number, credentials, name."""
        token = token or self.installation_token(f"for-{name}")["encodedTokenAndUrl"]
        answer = self.http("POST", "/api/v1/collector/register",
                           {"collectorName": name, **members}, authorization="Authorization: "
                           "Bearer " + token)
        assert 200 <= answer.status < 300, answer
        told = Registered(self, answer.json())
        told.token = token
        return told


class Registered:
    """An installed collector: what it was told, and the calls it may make."""

    def __init__(self, sumo, told):
        assert set(told) >= {"collectorCredentialId", "collectorCredentialKey", "collectorId",
                             "collectorName"}, told
        assert HEX_ID.fullmatch(told["collectorId"]), told
        assert len(told["collectorCredentialId"]) == 20, told
        assert len(told["collectorCredentialKey"]) == 88, told
        self.sumo = sumo
        self.told = told
        self.hex = told["collectorId"]
        self.id = int(self.hex, 16)
        self.name = told["collectorName"]
        self.authorization = basic(told["collectorCredentialId"], told["collectorCredentialKey"])

    def call(self, path, body=None, headers=("Content-Type: application/json",
                                             "Accept: application/json")):
        return self.sumo.http("POST", "/api/v1" + path, body, headers,
                              authorization=self.authorization)

    def beat(self):
        """The status of a heartbeat."""
        answer = self.call("/collector/heartbeat")
        assert answer.status != 204 or answer.body == b""
        return answer.status

    def metadata(self, **members):
        body = {"hostDetails": {"name": "web-01.lan", "osName": "linux", "osVersion": "12",
                                "environment": "host"},
                "collectorDetails": {"runningVersion": "v0.155.0-sumo-0"},
                "networkDetails": {"hostIpAddress": "10.0.0.7"}, "tagDetails": {}, **members}
        answer = self.call("/otCollectors/metadata", body)
        assert answer.status in (200, 204), answer

    def seen(self):
        return self.sumo.collector(self.id)


MOVING = ("lastSeenAlive", "alive", "lastReceived", "messageCount", "byteCount")


def still(document):
    """Without what moves by itself."""
    return {k: v for k, v in document.items() if k not in MOVING}


def check(answer, method):
    """What holds for every answer of this interface."""
    if answer.status < 400 or method == "HEAD":
        return
    assert answer.status < 500, answer
    assert answer.body, answer
    if answer.status == 401:
        assert answer.fields["www-authenticate"].startswith('Basic realm="'), answer
    if answer.status == 405:
        assert answer.fields.get("allow"), answer
    if answer.status == 429:
        assert int(answer.fields["retry-after"]) >= 1, answer


def error_of(answer):
    """The flat error of an answer of collectors, sources and upgrades."""
    assert answer.status >= 400, answer
    assert answer.fields["content-type"] == MEDIA, answer
    assert "etag" not in answer.fields and "location" not in answer.fields, answer
    told = answer.json()
    assert set(told) == {"status", "id", "code", "message"}, told
    assert told["status"] == answer.status and isinstance(told["status"], int), told
    assert ERROR_ID.fullmatch(told["id"]), told
    assert isinstance(told["code"], str) and isinstance(told["message"], str), told
    assert len(told["message"]) > 1, f"clients cut the last character off: {told}"
    return told


def errors_of(answer):
    """The first error of an answer of the newer endpoints."""
    assert answer.status >= 400, answer
    assert answer.fields["content-type"].startswith("application/json"), answer
    told = answer.json()
    assert set(told) == {"id", "errors"} and ERROR_ID.fullmatch(told["id"]), told
    for error in told["errors"]:
        assert set(error) <= {"code", "message", "detail"} and error["code"], told
        assert error["message"], told
    return told["errors"][0]


def entity(answer, status, key):
    """The one object of a document, with what goes along with it."""
    assert answer.status == status, answer
    assert answer.fields["content-type"] == MEDIA, answer
    assert ETAG.fullmatch(answer.fields["etag"]), answer
    document = answer.json()
    assert list(document) == [key], document
    return document[key]


def decoded(token):
    """What an installation token says behind its base64."""
    return base64.b64decode(token).decode()


def compact(document):
    return json.dumps(document, separators=(",", ":")).encode()
