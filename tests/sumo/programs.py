# SPDX-License-Identifier: Apache-2.0
"""Clients as their requests look from outside: the Terraform provider, the management script, and
the Java client. SIMULATIONS, written from what those programs send; none of it is theirs."""
import gzip
import http.client
import json

from harness import Wire, basic

# What the provider sends of every authentication, whatever its type.
ALL_KEYS = ("type", "awsId", "awsKey", "roleARN", "region", "project_id", "private_key_id",
            "private_key", "client_email", "client_id", "auth_uri", "token_uri",
            "auth_provider_x509_cert_url", "client_x509_cert_url", "sharedAccessPolicyName",
            "sharedAccessPolicyKey", "tenantId", "clientId", "clientSecret")


def without_empty(document):
    return {k: v for k, v in document.items() if v not in ("", 0, None, {}, []) or v is False}


def unpack(answer):
    """As what asks for gzip does by itself."""
    if answer.fields.get("content-encoding") == "gzip":
        answer.body = gzip.decompress(answer.body)
    return answer


class Terraform:
    """The provider: one connection, a media type on everything, GET before PUT and after."""

    def __init__(self, sumo, base="/api/"):
        self.sumo = sumo
        self.base = base
        self.wire = Wire(sumo.server.port())
        self.sent = []

    def close(self):
        self.wire.close()

    def call(self, method, path, body=None, fields=()):
        answer = self.wire.request(
            method, f"{self.base}v1/{path}", body, None,
            [self.sumo.authorization(), *fields, "Content-Type: application/json",
             "User-Agent: SumoLogicTerraformProvider/3.2.0", "Accept-Encoding: gzip"])
        unpack(answer)
        self.sent.append((method, path, answer.status))
        assert answer.status < 500 and answer.status != 429, f"tried ten times: {answer}"
        return answer

    def get(self, path):
        """None: gone."""
        answer = self.call("GET", path)
        if answer.status == 404:
            return None
        assert answer.status < 400, answer
        return answer.json()

    def create(self, path, body):
        answer = self.call("POST", path, body)
        assert answer.status == 201, answer
        return answer.json()

    def update(self, path, body):
        """The tag's GET may fail: then an empty field is sent."""
        tag = self.call("GET", path).fields.get("etag", "")
        answer = self.call("PUT", path, body, [f"If-Match: {tag}"])
        assert answer.status == 200, answer
        return answer.json()

    def delete(self, path):
        answer = self.call("DELETE", path)
        assert answer.status == 200 and answer.body == b"", answer

    # -- bodies

    @staticmethod
    def collector(name, number=None, **members):
        body = {"collectorType": "Hosted", "name": name, "ephemeral": False}
        if number:
            body["id"] = number
        return {"collector": {**body, **without_empty(members)}}

    @staticmethod
    def source(kind, name, number=None, **members):
        body = {"sourceType": kind, "name": name, "automaticDateParsing": True,
                "multilineProcessingEnabled": True, "useAutolineMatching": True,
                "forceTimeZone": False, "messagePerRequest": False, **members}
        if number:
            body["id"] = number
        if kind == "Polling":
            body["url"] = ""
        for resource in body.get("thirdPartyRef", {}).get("resources", ()):
            own = resource.get("authentication", {})
            resource["authentication"] = {key: own.get(key, "") for key in ALL_KEYS}
            resource["path"] = {**resource["path"], "snsTopicOrSubscriptionArn": {
                "isSuccess": False, "arn": ""}}
        return {"source": body}


class Failed(Exception):
    """What the script prints."""


class Script:
    """The management script: a prefix that ends in a slash, pages of 1000, and a filter that yields
    what is alive twice."""

    def __init__(self, sumo):
        self.sumo = sumo
        self.wire = Wire(sumo.server.port())
        self.prefix = "/api/v1/"
        self.said = []

    def close(self):
        self.wire.close()

    def call(self, method, path, body=None, fields=()):
        media = ["Content-Type: application/json"] if body is not None else []
        return unpack(self.wire.request(
            method, self.prefix + path, body, None,
            [self.sumo.authorization(), "Accept: */*", "Accept-Encoding: gzip, deflate",
             "User-Agent: script", *media, *fields]))

    @staticmethod
    def read(answer):
        if answer.status in (200, 201, 202):
            return answer.json()
        raise Failed(answer.json()["message"].lower()[:-1])

    def pages(self, path, extra=""):
        found, offset = [], 0
        while True:
            page = self.read(self.call("GET", f"{path}?offset={offset}&limit=1000{extra}"))
            found += page["collectors"]
            if len(page["collectors"]) < 1000:
                return found
            offset += 1000

    def collectors(self, **wanted):
        """Once for each key that matches."""
        return [c for c in self.pages("collectors") for key, value in wanted.items()
                if c[key] == value]

    def list_versions(self):
        return [(c["name"], c["id"], c["collectorVersion"], c["alive"])
                for c in self.collectors(collectorType="Installable")]

    def upgrade(self, version):
        found = self.pages("collectors/upgrades/collectors")
        if version == "latest":
            targets = self.read(self.call("GET", "collectors/upgrades/targets"))["targets"]
            version = next(t["version"] for t in targets if t["latest"])
        tasks = []
        for c in found:
            if c["collectorVersion"] != version:
                answer = self.call("POST", "collectors/upgrades/",
                                   {"collectorId": c["id"], "toVersion": version})
                if answer.status != 202:
                    self.said.append(self.call_message(answer))
                    continue
                tasks.append(answer.json()["id"])
        return tasks

    @staticmethod
    def call_message(answer):
        return answer.json()["message"].lower()[:-1]

    def task(self, number):
        upgrade = self.read(self.call("GET", "collectors/upgrades/" + number))["upgrade"]
        return upgrade["status"], upgrade["message"]

    def add_source(self, document):
        for c in self.collectors(collectorType="Installable", alive=True):
            try:
                self.said.append(self.read(self.call(
                    "POST", f"collectors/{c['id']}/sources", document))["source"]["id"])
            except Failed as failed:
                self.said.append(str(failed))

    def get_sources(self):
        return [(c["name"], s["id"], s["name"], s.get("category"))
                for c in self.collectors(collectorType="Installable", alive=True)
                for s in self.read(self.call("GET", f"collectors/{c['id']}/sources"))["sources"]]

    def update_source(self, document, name):
        for c in self.collectors(collectorType="Installable", alive=True):
            for s in self.read(self.call("GET", f"collectors/{c['id']}/sources"))["sources"]:
                if s["name"] != name:
                    continue
                path = f"collectors/{c['id']}/sources/{s['id']}"
                body = {"source": {**document["source"], "id": s["id"]}}
                tag = self.call("GET", path, body).fields["etag"]
                told = self.read(self.call("PUT", path, body, [f"If-Match: {tag}"]))
                self.said.append((told["source"]["id"], told["source"]["name"]))

    def list_offline(self, days):
        return [c["name"] for c in self.pages("collectors/offline", f"&aliveBeforeDays={days}")]

    def delete_offline(self, days):
        self.list_offline(days)
        return self.call("DELETE", f"/collectors/offline?aliveBeforeDays={days}").status

    def assign_budget(self, budget):
        for c in self.pages("collectors"):
            answer = self.call("PUT", f"ingestBudgets/{budget}/collectors/{c['id']}")
            self.said.append(answer.status if answer.status == 200 else self.call_message(answer))


class Java:
    """The Java client: a connection for each call, credentials only once they are asked for, and
    statuses compared for equality."""

    def __init__(self, sumo):
        self.sumo = sumo
        self.challenges = 0

    def call(self, expected, method, path, document=None, tag=None):
        body = json.dumps(document).encode() if document is not None else None
        fields = {"Accept": "application/json", "User-Agent": "Apache-HttpClient (Java)"}
        if body is not None:
            fields["Content-Type"] = "application/json; charset=UTF-8"
        if tag:
            fields["If-Match"] = tag
        line = http.client.HTTPConnection("127.0.0.1", self.sumo.server.port(), timeout=60)
        line.request(method, "/api/v1/" + path, body, fields)
        answer = line.getresponse()
        assert answer.status == 401, "nothing is sent before it is asked for"
        assert answer.getheader("WWW-Authenticate").startswith("Basic realm=")
        answer.read()
        assert not answer.will_close
        self.challenges += 1
        fields["Authorization"] = basic(self.sumo.access_id,
                                        self.sumo.access_key).partition(": ")[2]
        line.request(method, "/api/v1/" + path, body, fields)
        answer = line.getresponse()
        # An answer without an entity would be a null pointer there.
        assert answer.getheader("Content-Length") is not None or \
            answer.getheader("Transfer-Encoding")
        text = answer.read()
        line.close()
        if answer.status != expected:
            told = json.loads(text)
            assert all(isinstance(v, (str, int)) for v in told.values())
            raise Failed(told["code"])
        return (json.loads(text) if text else None), answer.getheader("ETag")

    def pages(self, path, key, size=50):
        """Until a page is short."""
        found, offset = [], 0
        while True:
            document, _ = self.call(200, "GET", f"{path}?offset={offset}&limit={size}")
            found += document[key]
            offset += size
            if len(document[key]) < size:
                return found
            assert offset < 10_000, "it would never end"
