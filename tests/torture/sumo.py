# SPDX-License-Identifier: Apache-2.0
"""Collectors, sources and registrations of the Sumo Logic face under the kills. As in fleet.py each
client owns the names that it writes and has at most one call under way: what was acknowledged has
to be there, the call that was in flight may be there or not, but as a whole. A collector goes with
all its sources, and a registration that takes a name over ends the credential of the one before."""
import base64
from collections import Counter

from wire import Lost

HOSTED = 2     # names of a client
SOURCES = 2    # names in each hosted collector
INSTALLED = 2  # names of a client
API = "/api/v1"


def basic(credential):
    return "Basic " + base64.b64encode(":".join(credential).encode()).decode()


class Sumo:
    """What the driver knows. A thing is ("hosted", name), ("installed", name) or ("source",
    collector, name); its value is a dict of what was written."""

    def __init__(self, journal):
        self.journal = journal
        self.token = None      # that lets agents register
        self.values = {}       # thing -> value, of what is there for certain
        self.ids = {}          # thing -> number
        self.urls = {}         # source -> the URL that was told
        self.credentials = {}  # installed -> credential that was told last
        self.ended = []        # credentials that must not work any more
        self.flight = {}       # client -> {thing: new value, None: gone}
        self.calls = Counter()
        self.settled_there = 0
        self.settled_not = 0

    def intend(self, client, call, changes):
        self.journal.note("sumo", client=client, call=call,
                          changes=[[*thing, value] for thing, value in changes.items()])
        self.flight[client] = changes

    def acknowledge(self, client, call):
        self.journal.note("sumo acknowledged", client=client, call=call)
        self.calls[call] += 1
        self._apply(self.flight.pop(client))

    def refused(self, client):
        self.journal.note("sumo refused", client=client)
        del self.flight[client]

    def _apply(self, changes):
        for thing, value in changes.items():
            if value is None:
                self.values.pop(thing, None)
                self.ids.pop(thing, None)
                self.urls.pop(thing, None)
                self._end(thing)
            else:
                if thing[0] == "installed" and value != self.values.get(thing):
                    self._end(thing)
                self.values[thing] = value

    def _end(self, thing):
        if thing in self.credentials:
            self.ended.append(self.credentials.pop(thing))

    def compare(self, seen, ids, urls):
        """seen: {thing: value} of all. Settles what was in flight; returns complaints: what is lost,
        and what is there by half."""
        lost, half = [], []
        for client, changes in sorted(self.flight.items()):
            found = {thing: seen.get(thing) for thing in changes}
            if found == changes:
                self.settled_there += 1
                self._apply(changes)
            elif found == {thing: self.values.get(thing) for thing in changes}:
                self.settled_not += 1
            else:
                half.append(f"sumo: client {client} had {changes} in flight, there is {found}")
        self.flight.clear()
        for thing in sorted(seen.keys() | self.values.keys()):
            if seen.get(thing) != self.values.get(thing) and not half:
                lost.append(f"sumo: {thing} is {seen.get(thing)}, not {self.values.get(thing)}")
            elif self.ids.get(thing, ids.get(thing)) != ids.get(thing):
                half.append(f"sumo: {thing} has the id {ids.get(thing)}, not {self.ids[thing]}")
            elif self.urls.get(thing, urls.get(thing)) != urls.get(thing):
                half.append(f"sumo: {thing} has the URL {urls.get(thing)}, not {self.urls[thing]}")
        self.ids, self.urls = dict(ids), dict(urls)
        return lost, half

    async def try_credentials(self, connection, half):
        """Those of registered agents beat, those of agents that went do not."""
        for wanted, credentials in ((204, self.credentials.values()), (401, self.ended[-20:])):
            for credential in credentials:
                answer = await connection.request("POST", API + "/collector/heartbeat",
                                                  authorization=basic(credential))
                if answer.status != wanted:
                    half.append(f"sumo: the credential {credential[0]} is answered "
                                f"{answer.status}, not {wanted}")
        self.ended.clear()


class SumoClient:
    """The part of a client: one call at a time over the client's connection."""

    def __init__(self, client):
        self.client = client
        self.rng = client.rng
        self.number = client.number

    @property
    def sumo(self):
        return self.client.run.model.sumo

    def mine(self, kind, count):
        names = [f"{kind[0]}{self.number}-{i}" for i in range(count)]
        there = [name for name in names if (kind, name) in self.sumo.values]
        return there, [name for name in names if name not in there]

    async def one_change(self):
        hosted, free = self.mine("hosted", HOSTED)
        installed, _ = self.mine("installed", INSTALLED)
        known = [name for name in hosted if ("hosted", name) in self.sumo.ids]
        choice = self.rng.random()
        if choice < 0.15 and free or not known:
            await self.create(self.rng.choice(free or hosted))
        elif choice < 0.25:
            await self.change(self.rng.choice(known))
        elif choice < 0.32:
            await self.remove("hosted", self.rng.choice(known))
        elif choice < 0.7:
            await self.change_source(self.rng.choice(known))
        elif choice < 0.85 or not installed:
            await self.register(f"i{self.number}-{self.rng.randrange(INSTALLED)}")
        elif choice < 0.95:
            await self.beat(self.rng.choice(installed))
        else:
            await self.remove("installed", self.rng.choice(installed))

    async def call(self, method, path, body, changes, **more):
        """Makes a call that has these effects; what is under way when the server dies stays open."""
        name = f"{method} {path.split('/')[3]}" + ("/sources" if "/sources" in path else "")
        self.sumo.intend(self.number, name, changes)
        try:
            answer = await self.client.connection.request(method, path, body, **more)
        except Lost as lost:
            if lost.status and 200 <= lost.status < 300:
                self.acknowledged(name)
            raise
        if 200 <= answer.status < 300:
            self.acknowledged(name)
            return answer
        if answer.status != 503:
            self.client.run.failed(f"{method} {path} {body} was answered {answer.status}: "
                                   f"{answer.body[:300]!r}")
        self.client.run.unavailable += 1
        self.sumo.refused(self.number)
        return None

    def acknowledged(self, name):
        self.sumo.acknowledge(self.number, name)
        self.client.run.model.acknowledged += 1
        self.client.run.count()

    def words(self):
        return {"category": f"c/{self.rng.randint(0, 9)}",
                "fields": {key: self.rng.choice("xyz") for key in ("env", "team", "zone")
                           if self.rng.random() < 0.6}}

    def path(self, name):
        return f"{API}/collectors/{self.sumo.ids['hosted', name]}"

    async def create(self, name):
        if ("hosted", name) in self.sumo.values:
            return  # its number is not known: the answer that told it was cut short
        value = self.words()
        answer = await self.call("POST", API + "/collectors", {"collector": {
            "collectorType": "Hosted", "name": name, **value}}, {("hosted", name): value})
        if answer:
            self.sumo.ids["hosted", name] = answer.json()["collector"]["id"]

    async def change(self, name):
        value = self.words()
        number = self.sumo.ids["hosted", name]
        await self.call("PUT", self.path(name), {"collector": {
            "id": number, "name": name, "collectorType": "Hosted", **value}},
            {("hosted", name): value}, fields=["If-Match: *"])

    async def remove(self, kind, name):
        if (kind, name) not in self.sumo.ids:
            return
        changes = {thing: None for thing in self.sumo.values
                   if thing[:2] == (kind, name) or thing[:2] == ("source", name)}
        await self.call("DELETE", f"{API}/collectors/{self.sumo.ids[kind, name]}", None, changes)

    async def change_source(self, collector):
        """Creates it, replaces it or deletes it."""
        name = f"s{self.rng.randrange(SOURCES)}"
        thing = "source", collector, name
        value = {"category": f"c/{self.rng.randint(0, 9)}",
                 "filters": [f"f{i}" for i in range(self.rng.randint(0, 2))]}
        body = {"source": {
            "sourceType": "HTTP", "name": name, "category": value["category"],
            "messagePerRequest": False,
            "filters": [{"name": filter_name, "filterType": "Exclude", "regexp": "no.*"}
                        for filter_name in value["filters"]]}}
        path = self.path(collector) + "/sources"
        if thing not in self.sumo.values:
            answer = await self.call("POST", path, body, {thing: value})
            if answer:
                made = answer.json()["source"]
                self.sumo.ids[thing], self.sumo.urls[thing] = made["id"], made["url"]
        elif thing in self.sumo.ids and self.rng.random() < 0.6:
            body["source"]["id"] = self.sumo.ids[thing]
            await self.call("PUT", f"{path}/{self.sumo.ids[thing]}", body, {thing: value},
                            fields=["If-Match: *"])
        elif thing in self.sumo.ids:
            await self.call("DELETE", f"{path}/{self.sumo.ids[thing]}", None, {thing: None})

    async def register(self, name):
        """Takes the name over when it was registered before: a new number and a new credential."""
        value = self.words() | {"serial": f"r{self.client.run.serial()}"}
        thing = "installed", name
        before = self.sumo.ids.pop(thing, None)
        answer = await self.call("POST", API + "/collector/register", {
            "collectorName": name, "clobber": True, "category": value["category"],
            "description": value["serial"], "fields": value["fields"]}, {thing: value},
            token=self.sumo.token)
        if answer:
            made = answer.json()
            if made["collectorName"] != name:
                self.client.run.failed(f"{name} was registered as {made['collectorName']}")
            self.sumo.ids[thing] = int(made["collectorId"], 16)
            self.sumo.credentials[thing] = (made["collectorCredentialId"],
                                            made["collectorCredentialKey"])
        elif before is not None:
            self.sumo.ids[thing] = before

    async def beat(self, name):
        credential = self.sumo.credentials.get(("installed", name))
        if credential:
            await self.call("POST", API + "/collector/heartbeat", None, {},
                            authorization=basic(credential))


async def sumo_token(connection, failed):
    """An installation token, made at the first start of a data directory."""
    answer = await connection.request("POST", API + "/tokens", {
        "name": "torture", "type": "CollectorRegistration", "status": "Active"})
    if answer.status not in (200, 201):
        failed(f"POST /tokens was answered {answer.status}: {answer.body[:300]!r}")
    return answer.json()["encodedTokenAndUrl"]


async def sumo_seen(connection, failed):
    """{thing: value}, {thing: number} and {source: URL} of all that the server lists."""
    seen, ids, urls = {}, {}, {}

    async def listed(path, name):
        answer = await connection.request("GET", API + path)
        if answer.status != 200:
            failed(f"GET {path} was answered {answer.status}: {answer.body[:300]!r}")
        return answer.json()[name]

    for row in await listed("/collectors?limit=1000", "collectors"):
        kind = "hosted" if row["collectorType"] == "Hosted" else "installed"
        if kind == "installed" and "description" not in row:
            continue  # of another dialect
        thing = kind, row["name"]
        seen[thing] = {"category": row["category"], "fields": row.get("fields", {})}
        if kind == "installed":
            seen[thing]["serial"] = row["description"]
        ids[thing] = row["id"]
        if kind == "installed":
            continue
        for source in await listed(f"/collectors/{row['id']}/sources", "sources"):
            inner = "source", row["name"], source["name"]
            seen[inner] = {"category": source["category"],
                           "filters": [f["name"] for f in source["filters"]]}
            ids[inner], urls[inner] = source["id"], source["url"]
    return seen, ids, urls
