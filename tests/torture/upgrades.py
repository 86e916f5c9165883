# SPDX-License-Identifier: Apache-2.0
"""Upgrades under the kills. Some clients own a platform each, with agents and a catalogue of
builds, and play the agents that take packages: they ask, fetch, report, install, give up. Which
build is offered, and what each call does to the task, is foretold here by a small model of its own.

After a restart each task that was acknowledged is asked for. One that is over stays what it was,
one that succeeded has brought its agent to the version in the same moment, and each has its events.
A build that was added is listed and its file can be fetched; of one that was removed nothing is
left."""
import functools
import hashlib
from collections import Counter

from ledger import Ledger, Writer
from wire import Lost

UPGRADERS = 8     # the first so many clients do this; the server takes 16 uploads at a time
AGENTS = 3        # ids of a client
RANKS = range(1, 6)  # its builds; some need another one first
FEW = 3           # builds; with fewer there is little to upgrade to
CONTENTS = 6      # files of builds that all clients use, at the same time; each has its own, too
AGENT_KEY = "agents"
ADMIN = "/admin/v1/builds"
API = "/api/v1/collectors"
COLLECTORS = "/collector.v1.CollectorService/"
PACKAGES = "/muster.v1.PackageService/"
FILES = "/muster/v1/builds/"
PENDING, SUCCEEDED, FAILED, PROGRESSING = 1, 2, 3, 6
OPEN = PENDING, PROGRESSING
OUTCOMES = {PENDING: "open", PROGRESSING: "open", SUCCEEDED: "succeeded", FAILED: "failed"}
GONE = "The collector was deleted."


@functools.cache
def content(number):
    """The bytes of a build and their hash; 1 KiB to 1 MiB."""
    data = hashlib.sha256(str(number).encode()).digest() * (40 << number % CONTENTS * 2)
    return data, hashlib.sha256(data).hexdigest()


def step_to(builds, runs, to):
    """The rank of the build that an agent takes next, or None. builds: rank -> rank from which an
    agent may jump to it."""
    first = None
    while to in builds:
        if builds[to] <= runs:
            return first or to
        between = [rank for rank, since in builds.items() if since <= runs < rank < to]
        if not between:
            break
        runs = max(between)
        first = first or runs
    return None


class Upgrades(Ledger):
    """A thing is ("build", client, rank), ("agent", name) or ("upgrade", agent, serial). Upgrades
    stay: the server keeps those that are over for longer than the driver looks."""

    def __init__(self, journal):
        super().__init__(journal, "upgrades")
        self.key = None     # of the role agent
        self.running = {}   # agent -> rank of what it would say that it runs
        self.ids = {}       # agent or upgrade -> number
        self.events = {}    # (kind, subject) -> how often it was seen, of builds and upgrades
        self.wanted = Counter()  # same, of builds, that there must be

    def change(self, thing, value):
        if thing[0] == "build":
            kind = "build.removed" if value is None else "build.added"
            self.wanted[kind, version(*thing[1:])] += 1
        if value is None:
            self.ids.pop(thing, None)
        super().change(thing, value)

    def builds(self, client):
        return {thing[2]: value["since"] for thing, value in self.values.items()
                if thing[:2] == ("build", client)}

    def open_upgrade(self, name):
        return next((thing for thing, value in self.values.items()
                     if thing[:2] == ("upgrade", name) and value["status"] in OPEN), None)

    def files(self):
        return {value["sha256"]: value["bytes"] for thing, value in self.values.items()
                if thing[0] == "build"}

    def outcomes(self):
        return Counter(OUTCOMES[value["status"]] for thing, value in self.values.items()
                       if thing[0] == "upgrade")

    # --- events -------------------------------------------------------------------------------

    def take_event(self, kind, subject):
        if kind.startswith(("build.", "upgrade.")):
            self.events[kind, subject] = self.events.get((kind, subject), 0) + 1

    def forget_events(self):
        self.events.clear()

    def compare_events(self):
        """A task and its events are written together, and so are a build and its event."""
        wanted = self.wanted.copy()
        for thing, value in self.values.items():
            if thing[0] == "upgrade":
                wanted["upgrade.requested", str(value["collector"])] += 1
                for status, kind in (SUCCEEDED, "upgrade.succeeded"), (FAILED, "upgrade.failed"):
                    wanted[kind, str(value["collector"])] += value["status"] == status
        return [f"upgrades: {kind} of {subject} is {self.events.get((kind, subject), 0)} times in "
                f"the event log, not {wanted[kind, subject]}"
                for kind, subject in sorted(wanted.keys() | self.events.keys())
                if self.events.get((kind, subject), 0) != wanted[kind, subject]]

    # --- comparison ---------------------------------------------------------------------------

    def compare(self, seen, ids):
        lost, half = super().compare(seen)
        if not lost and not half:
            half += [f"upgrades: {thing} has the id {ids.get(thing)}, not {number}"
                     for thing, number in sorted(self.ids.items()) if ids.get(thing) != number]
            half += self.compare_events()
        self.ids = dict(ids)
        return lost, half

    async def try_files(self, connection, folder, half):
        """Each build can be fetched, and nothing else lies in its folder."""
        files = self.files()
        for digest, size in files.items():
            try:
                answer = await connection.request("GET", FILES + digest)
            except Lost:
                half.append(f"upgrades: the build {digest} of {size} bytes breaks off")
                return  # the connection is no good any more
            if (answer.status, len(answer.body), hashlib.sha256(answer.body).hexdigest()) != (
                    200, size, digest):
                half.append(f"upgrades: the build {digest} of {size} bytes is answered "
                            f"{answer.status} with {len(answer.body)} bytes")
        there = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if there != files.keys():
            half.append(f"upgrades: {sorted(there)} lie in {folder}, not {sorted(files)}")

    async def seen(self, connection, tasks, ask):
        """{thing: value} and {thing: number} of all that the server shows. tasks: rows of the
        operator's list of upgrades, which knows all; the rest each one tells itself."""
        seen, ids = {}, {}
        for row in (await ask(connection, ADMIN))["builds"]:
            rank, client = map(int, row["version"][1:].split("."))
            since = row["from_version"]
            if row["platform"] == platform(client):
                seen["build", client, rank] = {
                    "sha256": row["sha256"], "bytes": row["bytes"],
                    "since": int(since[1:].split(".")[0]) if since else 0}
        for row in (await ask(connection, API + "?limit=1000"))["collectors"]:
            if row["collectorType"] == "Installable" and row["name"].startswith("u"):
                seen["agent", row["name"]] = {"version": row["collectorVersion"]}
                ids["agent", row["name"]] = row["id"]
        asked = {number: thing for thing, number in self.ids.items() if thing[0] == "upgrade"}
        for row in tasks:
            thing = asked.get(row["id"]) or self._unknown(row)
            shown = (await ask(connection, f"{API}/upgrades/{row['id']}"))["upgrade"]
            seen[thing] = {"collector": shown["collectorId"], "to": shown["toVersion"],
                           "step": row["step_version"], "status": shown["status"],
                           "message": shown["message"]}
            ids[thing] = row["id"]
        return seen, ids

    def _unknown(self, row):
        """What was asked for, but the answer did not tell its number. Else a thing nobody knows."""
        under_way = [thing for changes in self.flight.values() for thing in changes]
        return next((thing for thing in [*under_way, *self.values]
                     if thing[:2] == ("upgrade", row["agent"]) and thing not in self.ids),
                    ("upgrade", row["agent"], -row["id"]))


def version(client, rank):
    return f"v{rank}.{client}"


def platform(client):
    return f"linux/m{client}"


class UpgradeWriter(Writer):
    part = "upgrades"

    async def one_change(self):
        names = [f"u{self.number}-{i}" for i in range(AGENTS)]
        there = self.mine("agent", names)
        choice = self.rng.random()
        often = self.client.run.only_upgrades or len(self.ledger.builds(self.number)) < FEW
        if choice < (0.5 if often else 0.1):
            await self.change_catalogue()
        elif len(there) < AGENTS and (choice < 0.25 or not there):
            await self.register(self.rng.choice([n for n in names if n not in there]))
        else:
            await self.change_agent(self.rng.choice(there))

    # --- the catalogue ------------------------------------------------------------------------

    async def change_catalogue(self):
        rank = self.rng.choice(RANKS)
        thing = "build", self.number, rank
        choice = self.rng.random()
        if thing not in self.ledger.values:
            data, digest = self.rng.choice(self.contents(rank))
            await self.add(thing, data, {"sha256": digest, "bytes": len(data),
                                         "since": self.rng.choice([0, 0, rank - 1])})
        elif choice < 0.2:
            await self.add_again(thing)
        elif choice < 0.5:
            await self.call("DELETE build", "DELETE",
                            f"{ADMIN}?version={version(self.number, rank)}"
                            f"&platform={platform(self.number)}", None, {thing: None})

    def contents(self, rank):
        """What it may be: what others have as well, or what nobody else has."""
        own = CONTENTS * (1 + self.number * len(RANKS) + rank)
        return [content(number) for number in (*range(CONTENTS), *range(own, own + CONTENTS))]

    async def add_again(self, thing):
        """As somebody does who did not hear that the first time went well."""
        value = self.ledger.values[thing]
        data = next(data for data, digest in self.contents(thing[2])
                    if digest == value["sha256"])
        await self.add(thing, data, value)

    async def add(self, thing, data, value):
        """In parts; an upload that was not finished goes with the next start."""
        upload = await self.call("POST upload", "POST", ADMIN + "/uploads", None, {})
        part = max(len(data) // self.rng.randint(1, 3), 1)
        for offset in range(0, len(data), part):
            if not upload or not await self.call(
                    "PUT upload", "PUT",
                    f"{ADMIN}/uploads/{upload.json()['upload']}?offset={offset}",
                    data[offset:offset + part], {}):
                return
        body = {"upload": upload.json()["upload"], "version": version(*thing[1:]),
                "platform": platform(self.number), "sha256": value["sha256"]}
        if value["since"]:
            body["from_version"] = version(self.number, value["since"])
        await self.call("POST build", "POST", ADMIN, body,
                        {} if thing in self.ledger.values else {thing: value})

    # --- agents -------------------------------------------------------------------------------

    async def change_agent(self, name):
        """What may come next for this agent."""
        upgrade = self.ledger.open_upgrade(name)
        choice = self.rng.random()
        if choice < 0.02:
            await self.delete(name, upgrade)
        elif choice < 0.08:
            await self.register(name)
        elif not upgrade:
            await self.request(name)
        elif choice < 0.4:
            await self.ask(name, upgrade)
        elif choice < 0.65:
            await self.report(upgrade, self.rng.choice(["DOWNLOADING", "INSTALLING"]))
        elif choice < 0.7:
            await self.report(upgrade, "FAILED")
        else:
            # It is installed; the server learns of it when the agent says so.
            self.ledger.running[name] = rank_of(self.ledger.values[upgrade]["step"])
            await self.ask(name, upgrade)

    async def register(self, name):
        """It says what it runs; one that comes for the first time runs anything."""
        if ("agent", name) not in self.ledger.values:
            self.ledger.running[name] = self.rng.choice(RANKS)
        runs = self.ledger.running[name]
        changes = self.told(name, runs)
        if self.ledger.values.get(("agent", name)) == changes["agent", name]:
            changes = {}  # nothing that would make the server look at the upgrade
        await self.call("RegisterCollector", "POST", COLLECTORS + "RegisterCollector", {
            "id": name, "localAttributes": {
                "collector.os": "linux", "collector.arch": f"m{self.number}",
                "collector.version": version(self.number, runs)}}, changes)

    async def request(self, name):
        runs = rank_of(self.ledger.values["agent", name]["version"])
        builds = self.ledger.builds(self.number)
        ways = {to: step_to(builds, runs, to) for to in RANKS if to != runs}
        ways = {to: step for to, step in ways.items() if step}
        if not ways or not await self.know(name):
            return
        to = self.rng.choice(list(ways))
        number = self.ledger.ids["agent", name]
        thing = "upgrade", name, self.client.run.serial()
        answer = await self.call("POST upgrade", "POST", API + "/upgrades", {
            "collectorId": number, "toVersion": version(self.number, to)}, {
                thing: {"collector": number, "to": version(self.number, to), "status": PENDING,
                        "step": version(self.number, ways[to]), "message": ""}})
        if answer:
            self.ledger.ids[thing] = int(answer.json()["id"])

    async def know(self, name):
        """Its number, which is not told where it registers."""
        if ("agent", name) in self.ledger.ids:
            return True
        answer = await self.client.connection.request("GET", f"{API}/name/{name}")
        if answer.status == 200:
            self.ledger.ids["agent", name] = answer.json()["collector"]["id"]
        elif answer.status != 503:
            self.client.run.failed(f"{name} was registered; by its name it is answered "
                                   f"{answer.status}: {answer.body[:300]!r}")
        return answer.status == 200

    async def ask(self, name, upgrade):
        """NextPackage, and the package when there is one."""
        runs = self.ledger.running[name]
        changes = self.told(name, runs)
        task = changes.get(upgrade) or dict(self.ledger.values[upgrade])
        step = "build", self.number, rank_of(task["step"])
        build = self.ledger.values.get(step)
        if task["status"] in OPEN:
            task["status"] = PROGRESSING
            if not build:
                task |= {"status": FAILED, "message": f"There is no build of {task['step']} for "
                                                      f"{platform(self.number)}."}
            changes[upgrade] = task
        answer = await self.agent_call("NextPackage", {
            "agentId": name, "runningVersion": version(self.number, runs),
            "platform": platform(self.number)}, changes)
        if answer:
            wanted = {"version": task["step"], "sha256": build["sha256"],
                      "size": str(build["bytes"]), "path": FILES + build["sha256"]} \
                if task["status"] == PROGRESSING else None
            if answer.json().get("package") != wanted:
                self.client.run.failed(f"{name} was offered {answer.body!r}, not {wanted}")
            if wanted and self.rng.random() < 0.3:
                await self.fetch(wanted)

    async def fetch(self, package):
        answer = await self.client.connection.request("GET", package["path"],
                                                      token=self.ledger.key)
        told = answer.status, hashlib.sha256(answer.body).hexdigest()
        if answer.status != 503 and told != (200, package["sha256"]):
            self.client.run.failed(f"{package} is answered {told}")

    async def report(self, upgrade, state):
        task = dict(self.ledger.values[upgrade])
        message = self.rng.choice(["", "half of it"]) or state.lower()
        task["message"] = message
        task["status"] = FAILED if state == "FAILED" else PROGRESSING
        await self.agent_call("ReportPackage", {
            "agentId": upgrade[1], "version": task["step"], "state": f"PACKAGE_STATE_{state}",
            "message": message}, {upgrade: task})

    async def agent_call(self, method, body, changes):
        return await self.call(method, "POST", PACKAGES + method, body, changes,
                               token=self.ledger.key)

    async def delete(self, name, upgrade):
        changes = {("agent", name): None}
        if upgrade:
            changes[upgrade] = self.ledger.values[upgrade] | {"status": FAILED, "message": GONE}
        await self.call("BulkDeleteCollectors", "POST", COLLECTORS + "BulkDeleteCollectors",
                        {"ids": [name]}, changes)

    def told(self, name, runs):
        """What it changes that an agent says that it runs this: in one transaction its version, and
        the task, which ends or goes on to its next step."""
        changes = {("agent", name): {"version": version(self.number, runs)}}
        upgrade = self.ledger.open_upgrade(name)
        if not upgrade:
            return changes
        task = dict(self.ledger.values[upgrade])
        step = step_to(self.ledger.builds(self.number), runs, rank_of(task["to"]))
        if version(self.number, runs) == task["to"]:
            task |= {"status": SUCCEEDED, "message": ""}
        elif not step:
            task |= {"status": FAILED, "message": f"No sequence of builds leads from "
                                                  f"{version(self.number, runs)} to "
                                                  f"{task['to']} any more."}
        elif version(self.number, step) != task["step"]:
            task |= {"status": PROGRESSING, "step": version(self.number, step), "message": ""}
        changes[upgrade] = task
        return changes


def rank_of(text):
    return int(text[1:].partition(".")[0])
