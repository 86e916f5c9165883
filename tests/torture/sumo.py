# SPDX-License-Identifier: Apache-2.0
"""Collectors, sources and registrations of the Sumo Logic face under the kills. A collector goes
with all its sources, and a registration that takes a name over ends the credential of the one
before."""
import base64

from ledger import Ledger, Writer

HOSTED = 2     # names of a client
SOURCES = 2    # names in each hosted collector
INSTALLED = 2  # names of a client
API = "/api/v1"


def basic(credential):
    return "Basic " + base64.b64encode(":".join(credential).encode()).decode()


class Sumo(Ledger):
    """A thing is ("hosted", name), ("installed", name) or ("source", collector, name)."""

    def __init__(self, journal):
        super().__init__(journal, "sumo")
        self.token = None      # that lets agents register
        self.ids = {}          # thing -> number
        self.urls = {}         # source -> the URL that was told
        self.credentials = {}  # installed -> credential that was told last
        self.ended = []        # credentials that must not work any more

    def change(self, thing, value):
        if value is None:
            self.ids.pop(thing, None)
            self.urls.pop(thing, None)
            self._end(thing)
        elif thing[0] == "installed" and value != self.values.get(thing):
            self._end(thing)
        super().change(thing, value)

    def _end(self, thing):
        if thing in self.credentials:
            self.ended.append(self.credentials.pop(thing))

    def compare(self, seen, ids, urls):
        """Those of the parent, and numbers and URLs of all things, which stay what they are."""
        lost, half = super().compare(seen)
        for thing in sorted(seen) if not lost and not half else ():
            if self.ids.get(thing, ids.get(thing)) != ids.get(thing):
                half.append(f"sumo: {thing} has the id {ids.get(thing)}, not {self.ids[thing]}")
            if self.urls.get(thing, urls.get(thing)) != urls.get(thing):
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


class SumoWriter(Writer):
    part = "sumo"

    def names(self, kind, count):
        return [f"{kind[0]}{self.number}-{i}" for i in range(count)]

    async def one_change(self):
        names = self.names("hosted", HOSTED)
        hosted = self.mine("hosted", names)
        free = [name for name in names if name not in hosted]
        installed = self.mine("installed", self.names("installed", INSTALLED))
        known = [name for name in hosted if ("hosted", name) in self.ledger.ids]
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

    async def api(self, method, path, body, changes, **more):
        name = f"{method} {path.split('/')[3]}" + ("/sources" if "/sources" in path else "")
        return await self.call(name, method, path, body, changes, **more)

    def words(self):
        return {"category": f"c/{self.rng.randint(0, 9)}",
                "fields": {key: self.rng.choice("xyz") for key in ("env", "team", "zone")
                           if self.rng.random() < 0.6}}

    def path(self, name):
        return f"{API}/collectors/{self.ledger.ids['hosted', name]}"

    async def create(self, name):
        if ("hosted", name) in self.ledger.values:
            return  # its number is not known: the answer that told it was cut short
        value = self.words()
        answer = await self.api("POST", API + "/collectors", {"collector": {
            "collectorType": "Hosted", "name": name, **value}}, {("hosted", name): value})
        if answer:
            self.ledger.ids["hosted", name] = answer.json()["collector"]["id"]

    async def change(self, name):
        value = self.words()
        number = self.ledger.ids["hosted", name]
        await self.api("PUT", self.path(name), {"collector": {
            "id": number, "name": name, "collectorType": "Hosted", **value}},
            {("hosted", name): value}, fields=["If-Match: *"])

    async def remove(self, kind, name):
        if (kind, name) not in self.ledger.ids:
            return
        changes = {thing: None for thing in self.ledger.values
                   if thing[:2] == (kind, name) or thing[:2] == ("source", name)}
        await self.api("DELETE", f"{API}/collectors/{self.ledger.ids[kind, name]}", None, changes)

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
        if thing not in self.ledger.values:
            answer = await self.api("POST", path, body, {thing: value})
            if answer:
                made = answer.json()["source"]
                self.ledger.ids[thing], self.ledger.urls[thing] = made["id"], made["url"]
        elif thing in self.ledger.ids and self.rng.random() < 0.6:
            body["source"]["id"] = self.ledger.ids[thing]
            await self.api("PUT", f"{path}/{self.ledger.ids[thing]}", body, {thing: value},
                            fields=["If-Match: *"])
        elif thing in self.ledger.ids:
            await self.api("DELETE", f"{path}/{self.ledger.ids[thing]}", None, {thing: None})

    async def register(self, name):
        """Takes the name over when it was registered before: a new number and a new credential."""
        value = self.words() | {"serial": f"r{self.client.run.serial()}"}
        thing = "installed", name
        before = self.ledger.ids.pop(thing, None)
        answer = await self.api("POST", API + "/collector/register", {
            "collectorName": name, "clobber": True, "category": value["category"],
            "description": value["serial"], "fields": value["fields"]}, {thing: value},
            token=self.ledger.token)
        if answer:
            made = answer.json()
            if made["collectorName"] != name:
                self.client.run.failed(f"{name} was registered as {made['collectorName']}")
            self.ledger.ids[thing] = int(made["collectorId"], 16)
            self.ledger.credentials[thing] = (made["collectorCredentialId"],
                                            made["collectorCredentialKey"])
        elif before is not None:
            self.ledger.ids[thing] = before

    async def beat(self, name):
        credential = self.ledger.credentials.get(("installed", name))
        if credential:
            await self.api("POST", API + "/collector/heartbeat", None, {},
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
