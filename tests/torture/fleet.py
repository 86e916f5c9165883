# SPDX-License-Identifier: Apache-2.0
"""Agents and pipelines under the kills: clients register, update, bulk-update and delete agents and
write pipelines over Connect JSON, in the default tenant. After a restart the server lists what it
has in memory, loaded from the store."""
from ledger import Ledger, Writer

AGENTS = 5     # ids of a client
PIPELINES = 3  # names of a client that are written one by one
SYNCED = 4     # names of a client that its source keeps in step
COLLECTORS_PATH = "/collector.v1.CollectorService/"
PIPELINES_PATH = "/pipeline.v1.PipelineService/"


class Fleet(Ledger):
    """A thing is ("agent", id) or ("pipeline", name)."""

    def __init__(self, journal):
        super().__init__(journal, "fleet")


class FleetWriter(Writer):
    part = "fleet"

    def names(self, prefix, count):
        return [f"{prefix}{self.number}-{i}" for i in range(count)]

    async def one_change(self):
        ids = self.names("a", AGENTS)
        there = self.mine("agent", ids)
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

    async def rpc(self, path, body, changes):
        await self.call(path.rpartition("/")[2], "POST", path, body, changes)

    def attributes(self):
        return {key: self.rng.choice("xyz") for key in ("env", "team", "zone")
                if self.rng.random() < 0.6}

    async def register(self, name):
        value = {"remote": {}, "enabled": True, **self.ledger.values.get(("agent", name), {})}
        value |= {"name": f"host {self.rng.randint(0, 3)}",
                  "local": {"collector.os": "linux", **self.attributes()}}
        await self.rpc(COLLECTORS_PATH + "RegisterCollector",
                        {"id": name, "name": value["name"], "localAttributes": value["local"]},
                        {("agent", name): value})

    async def report(self, name):
        """Writes texts that come and go; `muster check` counts who refers to them."""
        number = self.rng.randint(0, 3)
        status = {"status": "RemoteConfigStatuses_FAILED", "errorMessage": f"line {number}"} \
            if number else {"status": "RemoteConfigStatuses_APPLIED"}
        body = {"id": name, "remoteConfigStatus": status,
                "localAttributes": self.ledger.values[("agent", name)]["local"]}
        if self.rng.random() < 0.7:
            body["effectiveConfig"] = {"configMap": {"configMap": {"": {
                "body": "bG9nZ2luZw" + "QUFB" * number, "contentType": "text/plain"}}}}
        await self.rpc(COLLECTORS_PATH + "GetConfig", body, {})

    async def update(self, name):
        value = {**self.ledger.values[("agent", name)], "remote": self.attributes(),
                 "name": f"put {self.rng.randint(0, 3)}", "enabled": self.rng.random() < 0.5}
        await self.rpc(COLLECTORS_PATH + "UpdateCollector",
                        {"collector": {"id": name, "name": value["name"],
                                       "remoteAttributes": value["remote"],
                                       "enabled": value["enabled"]}},
                        {("agent", name): value})

    async def bulk_update(self, names):
        key, put = self.rng.choice(["env", "bulk"]), self.rng.choice("pqr")
        changes = {}
        for name in names:
            old = self.ledger.values[("agent", name)]
            changes[("agent", name)] = {**old, "remote": {**old["remote"], key: put}}
        await self.rpc(COLLECTORS_PATH + "BulkUpdateCollectors",
                        {"ids": names, "ops": [{"op": "ADD", "path": f"remoteAttributes.{key}",
                                                "value": put}]}, changes)

    async def bulk_delete(self, names):
        await self.rpc(COLLECTORS_PATH + "BulkDeleteCollectors", {"ids": names},
                        {("agent", name): None for name in names})

    def pipeline(self):
        return {"contents": f'prometheus.exporter.self "s{self.client.run.serial()}" {{ }}\n',
                "matchers": [f'{key}="{value}"' for key, value in self.attributes().items()],
                "enabled": self.rng.random() < 0.5, "source": None}

    async def upsert(self):
        name, value = self.rng.choice(self.names("p", PIPELINES)), self.pipeline()
        sent = {"name": name, **value}
        del sent["source"]
        await self.rpc(PIPELINES_PATH + "UpsertPipeline", {"pipeline": sent},
                        {("pipeline", name): value})

    async def sync(self):
        names = self.names("s", SYNCED)
        source = {"type": "SOURCE_TYPE_GIT", "namespace": f"n{self.number}"}
        changes, sent = {("pipeline", name): None for name in names}, []
        for name in self.rng.sample(names, self.rng.randint(0, SYNCED)):
            value = self.pipeline()
            sent.append({"name": name, **value})
            del sent[-1]["source"]
            changes[("pipeline", name)] = {**value, "source": source}
        await self.rpc(PIPELINES_PATH + "SyncPipelines", {"source": source, "pipelines": sent},
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
            if name == "collectors" and (row["id"].isdigit() or row["id"][0] == "u"):
                continue  # sumo.py and upgrades.py know them
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
