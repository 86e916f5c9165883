# SPDX-License-Identifier: Apache-2.0
"""Agents and pipelines under the kills: clients register, update, bulk-update and delete agents and
write pipelines over Connect JSON, in the default tenant. Each client owns the names that it writes,
so their changes have one order, and has at most one call under way.

After a restart the server lists what it has in memory, loaded from the store. What was acknowledged
has to be there; the one call that was in flight may be there or not, but a call that changes many
things is there for all of them or for none."""
from collections import Counter

from wire import Lost

AGENTS = 5     # ids of a client
PIPELINES = 3  # names of a client that are written one by one
SYNCED = 4     # names of a client that its source keeps in step
COLLECTORS_PATH = "/collector.v1.CollectorService/"
PIPELINES_PATH = "/pipeline.v1.PipelineService/"


class Fleet:
    """What the driver knows. A thing is ("agent", id) or ("pipeline", name); its value is a dict."""

    def __init__(self, journal):
        self.journal = journal
        self.values = {}   # thing -> value, of what is there for certain
        self.flight = {}   # client -> {thing: new value, None: gone}
        self.calls = Counter()
        self.settled_there = 0
        self.settled_not = 0

    def intend(self, client, call, changes):
        self.journal.note("fleet", client=client, call=call,
                          changes=[[*thing, value] for thing, value in changes.items()])
        self.flight[client] = changes

    def acknowledge(self, client, call):
        self.journal.note("fleet acknowledged", client=client, call=call)
        self.calls[call] += 1
        self._apply(self.flight.pop(client))

    def refused(self, client):
        self.journal.note("fleet refused", client=client)
        del self.flight[client]

    def _apply(self, changes):
        for thing, value in changes.items():
            if value is None:
                self.values.pop(thing, None)
            else:
                self.values[thing] = value

    def compare(self, seen):
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
                half.append(f"fleet: client {client} had {changes} in flight, there is {found}")
        self.flight.clear()
        for thing in sorted(seen.keys() | self.values.keys()):
            if seen.get(thing) != self.values.get(thing) and not half:
                lost.append(f"fleet: {thing} is {seen.get(thing)}, not {self.values.get(thing)}")
        return lost, half


class FleetClient:
    """The fleet's part of a client: one call at a time over the client's connection."""

    def __init__(self, client):
        self.client = client
        self.rng = client.rng
        self.number = client.number

    @property
    def fleet(self):
        return self.client.run.model.fleet

    def mine(self, kind, prefix, count):
        names = [f"{prefix}{self.number}-{i}" for i in range(count)]
        return [name for name in names if (kind, name) in self.fleet.values], names

    async def one_change(self):
        there, ids = self.mine("agent", "a", AGENTS)
        choice = self.rng.random()
        if choice < 0.25 or not there:
            await self.register(self.rng.choice(ids))
        elif choice < 0.35:
            await self.report(self.rng.choice(there))
        elif choice < 0.5:
            await self.update(self.rng.choice(there))
        elif choice < 0.65:
            await self.bulk_update(self.rng.sample(there, self.rng.randint(1, len(there))))
        elif choice < 0.7:
            await self.bulk_delete(self.rng.sample(there, self.rng.randint(1, len(there))))
        elif choice < 0.9:
            await self.upsert()
        else:
            await self.sync()

    async def call(self, path, body, changes):
        """Makes a call that has these effects; what is under way when the server dies stays open."""
        name = path.rpartition("/")[2]
        self.fleet.intend(self.number, name, changes)
        try:
            answer = await self.client.connection.request("POST", path, body)
        except Lost as lost:
            if lost.status == 200:
                self.acknowledged(name)
            raise
        if answer.status == 200:
            self.acknowledged(name)
        elif answer.status == 503:
            self.client.run.unavailable += 1
            self.fleet.refused(self.number)
        else:
            self.client.run.failed(f"{path} {body} was answered {answer.status}: "
                                   f"{answer.body[:300]!r}")

    def acknowledged(self, name):
        self.fleet.acknowledge(self.number, name)
        self.client.run.model.acknowledged += 1
        self.client.run.count()

    def attributes(self):
        return {key: self.rng.choice("xyz") for key in ("env", "team", "zone")
                if self.rng.random() < 0.6}

    async def register(self, name):
        value = {"remote": {}, "enabled": True, **self.fleet.values.get(("agent", name), {})}
        value |= {"name": f"host {self.rng.randint(0, 3)}",
                  "local": {"collector.os": "linux", **self.attributes()}}
        await self.call(COLLECTORS_PATH + "RegisterCollector",
                        {"id": name, "name": value["name"], "localAttributes": value["local"]},
                        {("agent", name): value})

    async def report(self, name):
        """Writes texts that come and go; `muster check` counts who refers to them."""
        number = self.rng.randint(0, 3)
        status = {"status": "RemoteConfigStatuses_FAILED", "errorMessage": f"line {number}"} \
            if number else {"status": "RemoteConfigStatuses_APPLIED"}
        body = {"id": name, "remoteConfigStatus": status,
                "localAttributes": self.fleet.values[("agent", name)]["local"]}
        if self.rng.random() < 0.7:
            body["effectiveConfig"] = {"configMap": {"configMap": {"": {
                "body": "bG9nZ2luZw" + "QUFB" * number, "contentType": "text/plain"}}}}
        await self.call(COLLECTORS_PATH + "GetConfig", body, {})

    async def update(self, name):
        value = {**self.fleet.values[("agent", name)], "remote": self.attributes(),
                 "name": f"put {self.rng.randint(0, 3)}", "enabled": self.rng.random() < 0.5}
        await self.call(COLLECTORS_PATH + "UpdateCollector",
                        {"collector": {"id": name, "name": value["name"],
                                       "remoteAttributes": value["remote"],
                                       "enabled": value["enabled"]}},
                        {("agent", name): value})

    async def bulk_update(self, names):
        key, put = self.rng.choice(["env", "bulk"]), self.rng.choice("pqr")
        changes = {}
        for name in names:
            old = self.fleet.values[("agent", name)]
            changes[("agent", name)] = {**old, "remote": {**old["remote"], key: put}}
        await self.call(COLLECTORS_PATH + "BulkUpdateCollectors",
                        {"ids": names, "ops": [{"op": "ADD", "path": f"remoteAttributes.{key}",
                                                "value": put}]}, changes)

    async def bulk_delete(self, names):
        await self.call(COLLECTORS_PATH + "BulkDeleteCollectors", {"ids": names},
                        {("agent", name): None for name in names})

    def pipeline(self):
        return {"contents": f'prometheus.exporter.self "s{self.client.run.serial()}" {{ }}\n',
                "matchers": [f'{key}="{value}"' for key, value in self.attributes().items()],
                "enabled": self.rng.random() < 0.5, "source": None}

    async def upsert(self):
        _, names = self.mine("pipeline", "p", PIPELINES)
        name, value = self.rng.choice(names), self.pipeline()
        sent = {"name": name, **value}
        del sent["source"]
        await self.call(PIPELINES_PATH + "UpsertPipeline", {"pipeline": sent},
                        {("pipeline", name): value})

    async def sync(self):
        _, names = self.mine("pipeline", "s", SYNCED)
        source = {"type": "SOURCE_TYPE_GIT", "namespace": f"n{self.number}"}
        changes, sent = {("pipeline", name): None for name in names}, []
        for name in self.rng.sample(names, self.rng.randint(0, SYNCED)):
            value = self.pipeline()
            sent.append({"name": name, **value})
            del sent[-1]["source"]
            changes[("pipeline", name)] = {**value, "source": source}
        await self.call(PIPELINES_PATH + "SyncPipelines", {"source": source, "pipelines": sent},
                        changes)


async def fleet_seen(connection, failed):
    """{thing: value} of all that the server lists."""
    seen = {}
    for path, name in ((COLLECTORS_PATH + "ListCollectors", "collectors"),
                       (PIPELINES_PATH + "ListPipelines", "pipelines")):
        answer = await connection.request("POST", path, {})
        if answer.status != 200:
            failed(f"{path} was answered {answer.status}: {answer.body[:300]!r}")
        for row in answer.json().get(name, []):
            if name == "collectors" and row["id"].isdigit():
                continue  # registered by another dialect: sumo.py knows it
            if name == "collectors":
                local = {key: value for key, value in row.get("localAttributes", {}).items()
                         if key != "collector.ID"}
                seen["agent", row["id"]] = {"name": row.get("name", ""), "local": local,
                                            "remote": row.get("remoteAttributes", {}),
                                            "enabled": row["enabled"]}
            else:
                seen["pipeline", row["name"]] = {"contents": row["contents"],
                                                 "matchers": row.get("matchers", []),
                                                 "enabled": row["enabled"],
                                                 "source": row.get("source")}
    return seen
