#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the server again and again while clients write, and holds what it shows after each restart
against what it acknowledged. Nothing that was acknowledged may be missing, nothing may be there by
half, and `muster check` must find everything in order each time, also in the last backup.

Keys and tenants are created, revoked and deleted over HTTP from many connections, agents and
pipelines over Connect JSON (fleet.py), collectors, sources and registrations over the Sumo Logic
face (sumo.py), builds are added and removed and agents upgraded to them (upgrades.py), and data is
sent to the URLs of sources, with a sink that is slow (received.py). The moment of a kill is drawn
at random: after so many acknowledged writes and a few milliseconds more, while a backup is
streamed, while a tenant with many keys is deleted, during a drain, while the spool is full, while
builds and upgrades are all that changes, during start-up, and during the very first start, which
migrates an empty data file to the present schema. The seed is printed; it repeats the choices, not
the machine's timing."""
import argparse
import asyncio
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter

import damage
import received
from clients import Client
from fleet import fleet_seen
from model import Journal, Model, Seen, State
from server import DATA_FILE, Broken, Failure, Server
from sink import Sink
from sumo import sumo_seen, sumo_token
from upgrades import AGENT_KEY, UPGRADERS
from wire import Connection, Lost

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = 500
FRESH_EVERY = 20      # rounds over one data directory; keeps each comparison short
CASCADE = 40          # keys of a tenant that is deleted under a kill
DATA_SHARE = 0.5      # of the changes, by clients that have a source to send to
LONGEST_BACKUP = 0.3  # seconds
TOKENS = 60           # credentials tried in a comparison
PACES = 0.002, 0.01, 0.03, None  # of the slow sink; None: it takes nothing
LOADS = 10            # so many kills under load, and none left anything to deliver: no proof
FLAGS = ["--log-level", "warn", "--rate-sumologic-key-per-minute", "0",
         "--rate-sumologic-key-concurrent", "0", "--sink-retry", "10ms", "--sink-retry-max",
         "20ms", "--outbound-allow", "127.0.0.1",
         "--sink-targets", f"received=file:{received.FILE}"]
SMALL = ["--spool-total-bytes", "1MiB", "--spool-segment-bytes", "64KiB", "--spool-queue-bytes",
         "1MiB"]      # a spool that is soon full
# Rounds come in an order that is drawn, but so many of each kind, and then again.
KINDS = {"writes": 23, "first writes": 4, "backup": 6, "cascade": 5, "drain": 4, "full": 3,
         "upgrades": 4, "start": 5, "first start": 6}


class Run:
    """One torture run: a row of rounds, each with one kill."""

    def __init__(self, options, scratch):
        self.options = options
        self.scratch = pathlib.Path(scratch)
        self.rng = random.Random(options.seed)
        self.journal = Journal(self.scratch / "journal")
        self.server = None
        self.model = None
        self.token = None
        self.generation = 0
        self.kills = Counter()
        self.stages = Counter()                     # how far the first starts were when killed
        self.starting = {False: 0.05, True: 0.05}   # seconds that a first and a later start take
        self.sink = Sink(random.Random(options.seed))
        self.acknowledged = 0
        self.settled = Counter()                    # changes that were in flight, by part
        self.settled_there = 0                      # those of them that were done
        self.unavailable = Counter()                # answers that refused for now, by status
        self.calls = {}                             # part -> acknowledged calls
        self.upgrades = Counter()                   # by how they ended
        self.received = self.repeated = 0           # messages
        self.loads = 0                              # kills while clients wrote
        self.owed = Counter()                       # those that left something for the sink
        self.live = 0
        self.numbers = 0
        self.data_share = DATA_SHARE
        self.only_upgrades = False                  # in this round
        self.copying = None                         # the command that takes a backup
        self.nightly = self.scratch / "nightly"
        self.copies = Counter()
        self.goal = None
        self.reached = None
        self.refused = asyncio.Event()

    # --- used by the clients ------------------------------------------------------------------

    def connection(self, token=None):
        return Connection(self.server.port, token or self.token)

    def failed(self, text):
        raise Failure(text)

    def serial(self):
        self.numbers += 1
        return self.numbers

    def count(self):
        """One more was acknowledged."""
        self.model.acknowledged += 1
        if self.goal is not None and self.model.acknowledged >= self.goal:
            self.reached.set()

    def held_back(self):
        """A sender was told to come back later."""
        self.refused.set()

    # --- rounds -------------------------------------------------------------------------------

    async def fresh(self):
        """A new data directory. Its first start may be killed, often before it succeeds."""
        self.generation += 1
        self.collect()
        if self.server:
            shutil.rmtree(self.server.data)
        pages = self.rng.choice(["100", "100", "4000"])
        self.journal.note("fresh", generation=self.generation, checkpoint_pages=pages)
        self.server = Server(self.options.bin, self.scratch / f"data{self.generation}",
                             self.scratch / "log",
                             [*FLAGS, "--sink-targets", f"slow=http://127.0.0.1:{self.sink.port}/",
                              "--store-checkpoint-pages", pages])
        self.server.data.mkdir()
        self.model = None

    def collect(self):
        """Adds up what the model counted; a new one begins from zero."""
        model = self.model
        if not model:
            return
        self.acknowledged += model.acknowledged
        for counted in (model, *model.ledgers):
            self.settled[counted.part] += counted.settled_there + counted.settled_not
            self.settled_there += counted.settled_there
        for ledger in model.ledgers:
            self.calls[ledger.part] = self.calls.get(ledger.part, Counter()) + ledger.calls
        self.upgrades += model.upgrades.outcomes()
        self.received += model.received.total()
        self.repeated += model.received.repeated

    async def first_start(self):
        made = self.server.credentials()
        self.token = made["token"]
        self.model = Model(self.journal)
        self.model.adopt_tenant(made["tenant"])
        async with self.connection() as c:
            rows = (await self.ask(c, "/admin/v1/keys?tenant=default"))["keys"]
            self.model.sumo.token = await sumo_token(c, self.failed)
            await received.add_sources(c, self.model, self.options.clients, self.failed)
        self.sink.begin(self.model.received)
        if [row["id"] for row in rows] != [made["id"]]:
            raise Failure(f"after the first start the keys are {rows}, the credentials {made}")
        self.model.adopt_key(made["tenant"], rows[0]["label"], made["id"], made["token"],
                             rows[0]["role"], rows[0]["scopes"])
        self.live = 1
        client = Client(self, 0, self.rng)
        async with self.connection() as client.connection:
            key = await client.create_key_as(AGENT_KEY, made["tenant"], "agent", [], None)
        self.model.upgrades.key = key.token

    def sleep(self, longest):
        return asyncio.sleep(self.rng.random() ** 2 * longest)

    async def round(self, kind):
        """Starts the server, compares, lets clients write, kills it, has the data file checked."""
        if kind in ("start", "first start"):
            self.server.spawn()
            usual = self.starting[self.model is not None]
            await asyncio.sleep(self.rng.random() * usual * 1.2)
            self.kill(kind)
            if self.model:
                self.check()
            else:
                self.stages[self.server.stage()] += 1
            return
        await self.start(SMALL if kind == "full" else ())
        self.journal.note("round", kind=kind)
        await self.load(kind)
        self.check()
        self.check_nightly()

    async def start(self, flags=()):
        began = time.monotonic()
        self.sink.go(0)
        self.sink.begin(self.model and self.model.received)
        await self.server.start(flags)
        self.starting[self.model is not None] = time.monotonic() - began
        if self.model:
            await self.compare()
        else:
            await self.first_start()

    def kill(self, kind):
        if self.server.ended_alone() and kind != "drain":
            raise Failure(f"the server ended by itself: exit {self.server.process.returncode}")
        self.server.kill()
        self.sink.begin(None)
        self.kills[kind] += 1
        owed = self.model.received.killed(self.server.data / received.FILE) if self.model else {}
        self.journal.note("killed", kind=kind, owed=owed)
        return owed

    def check(self):
        wrong = self.server.check()
        if wrong:
            raise Failure(wrong)

    def check_nightly(self):
        """A backup that the kill cut short is none, and the one before it is still good."""
        if not self.copying:
            return
        whole = self.copying.wait(60) == 0
        self.copying = None
        self.copies[whole] += 1
        if whole and not (self.nightly / DATA_FILE).exists():
            raise Failure("a backup went well, and left none")
        wrong = self.server.check(self.nightly) if (self.nightly / DATA_FILE).exists() else None
        if wrong:
            raise Failure(f"the backup, {'whole' if whole else 'cut short'}: {wrong}")

    async def load(self, kind):
        """Clients write until the moment of the kill."""
        stop = asyncio.Event()
        self.reached = asyncio.Event()
        self.refused.clear()
        self.goal = self.model.acknowledged + self.rng.randint(1, 10 if kind == "first writes"
                                                               else 600)
        self.data_share = 1 if kind == "full" else DATA_SHARE
        self.only_upgrades = kind == "upgrades"
        self.slow_down(None if kind == "full" else self.rng.choice(PACES))
        seed = self.rng.random()
        count = min(self.options.clients, UPGRADERS) if self.only_upgrades \
            else self.options.clients
        clients = [Client(self, n, random.Random(f"{seed}/{n}")) for n in range(count)]
        tasks = [asyncio.create_task(client.work(stop)) for client in clients]
        moment = asyncio.create_task(self.moment(kind, clients[0]))
        try:
            waiting = {moment, *tasks}
            deadline = time.monotonic() + 60
            while not moment.done():
                done, waiting = await asyncio.wait(waiting, timeout=deadline - time.monotonic(),
                                                   return_when=asyncio.FIRST_COMPLETED)
                for task in done - {moment}:
                    task.result()
                if not done or (waiting == {moment} and kind != "drain"):
                    raise Failure("the clients made no progress" if not done else
                                  "the server dropped all clients before it was killed")
            moment.result()
            owed = self.kill(kind)
            self.loads += 1
            self.owed += Counter({sink: bool(count) for sink, count in owed.items()})
        finally:
            stop.set()
            moment.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            self.goal = None
        for result in ended:
            if isinstance(result, Exception):
                raise result

    async def moment(self, kind, client):
        """Returns when it is time to kill."""
        if kind == "backup":
            await self.backup_in_part()
        elif kind == "cascade":
            await self.delete_crowded(client)
        else:
            if kind == "full":
                await self.overflow()
            else:
                await self.reached.wait()
            if kind == "drain":
                self.server.terminate()
            await self.sleep(0.03 if kind == "drain" else 0.006)

    def slow_down(self, pace):
        if pace is None:
            self.sink.stall()
        else:
            self.sink.go(pace)

    async def overflow(self):
        """Returns while senders are held back, or more often once there is room again."""
        await self.refused.wait()
        if self.rng.random() < 0.8:
            self.sink.go(PACES[0])
            self.reached.clear()
            self.goal = self.model.acknowledged + self.rng.randint(1, 300)
            await self.reached.wait()

    async def backup_in_part(self):
        """Takes a backup and returns somewhere on the way, or shortly after its end."""
        await self.reached.wait()
        if self.rng.random() < 0.5:
            self.copying = self.server.backup(self.nightly)
            await self.sleep(LONGEST_BACKUP)
            return
        async with self.connection() as c:
            await c.send("GET", "/admin/v1/backup")
            status, fields = await c.head()
            if status != 200:
                raise Failure(f"GET /admin/v1/backup was answered {status}")
            left = self.rng.randint(0, 2 * self.server.data_file().stat().st_size)
            async for piece in c.pieces(status, fields):
                left -= len(piece)
                if left <= 0:
                    break
        await self.sleep(0.004)

    async def delete_crowded(self, other):
        """Fills a tenant with keys, sends its deletion and returns at about the time it commits."""
        client = Client(self, 999, other.rng)
        try:
            client.connection = await self.connection().open()
            tenant = await client.create_tenant()
            for _ in range(self.rng.randint(1, CASCADE)):
                if tenant.state is State.THERE:
                    await client.create_key(tenant.name)
            if tenant.state is State.THERE:
                self.model.intend_end(tenant)
                await client.connection.send("DELETE", f"/admin/v1/tenants/{tenant.name}")
                try:
                    status, _ = await asyncio.wait_for(client.connection.head(),
                                                       self.rng.random() ** 2 * 0.02)
                    if status >= 300:
                        raise Failure(f"deleting tenant {tenant.name} was answered {status}")
                    self.model.acknowledge(tenant)
                    self.count()
                except asyncio.TimeoutError:
                    pass
        finally:
            if client.connection:
                client.connection.close()

    # --- comparison ---------------------------------------------------------------------------

    async def ask(self, connection, path):
        answer = await connection.request("GET", path)
        if answer.status != 200:
            raise Failure(f"GET {path} was answered {answer.status}: {answer.body[:300]!r}")
        return answer.json()

    async def pages(self, connection, path, name):
        rows, following = [], ""
        joint = "&" if "?" in path else "?"
        while True:
            more = f"&page_token={following}" if following else ""
            page = await self.ask(connection, f"{path}{joint}limit={PAGE}{more}")
            rows += page[name]
            following = page.get("next_page_token")
            if not following:
                return rows

    async def tenant_seen(self, connection, tenant):
        known = self.model.tenants.get(tenant)
        keys = await self.pages(connection, f"/admin/v1/keys?tenant={tenant}", "keys")
        events, after = [], known.events_after if known else 0
        while True:
            page = await self.ask(connection, f"/admin/v1/events?tenant={tenant}&after={after}"
                                              f"&limit={PAGE}")
            events += [(e["seq"], e["kind"], e["subject"]) for e in page["events"]]
            if len(page["events"]) < PAGE:
                return Seen(keys, events)
            after = events[-1][0]

    async def upgrades_seen(self, connection):
        tasks = await self.pages(connection, "/admin/v1/upgrades", "upgrades")
        return await self.model.upgrades.seen(connection, tasks, self.ask)

    async def compare(self):
        """Reads everything back and lets the model judge; then tries credentials."""
        credentials = self.server.credentials()
        if credentials["token"] != self.token:
            raise Failure("the first credentials changed after a restart")
        before = self.model.live_keys()
        left = [path.name for path in self.server.data.glob("snapshot-*")]
        if left:
            raise Failure(f"a restart left behind {left}")
        async with self.connection() as c:
            names = [t["name"] for t in await self.pages(c, "/admin/v1/tenants", "tenants")]
            seen = {name: await self.tenant_seen(c, name) for name in names}
            lost, half = self.model.compare(seen)
            for ledger, shown in ((self.model.fleet, [await fleet_seen(c, self.failed)]),
                                  (self.model.sumo, await sumo_seen(c, self.failed)),
                                  (self.model.upgrades, await self.upgrades_seen(c))):
                for complaints, more in zip((lost, half), ledger.compare(*shown)):
                    complaints += more
            await self.model.received.compare(self.server.data / received.FILE, lost, half)
            if not lost and not half:
                await self.try_credentials(c, before, half)
                await self.model.sumo.try_credentials(c, half)
                await self.model.upgrades.try_files(c, self.server.data / "builds", half)
        if lost or half:
            raise Failure(f"{len(lost)} lost, {len(half)} half-applied:\n" +
                          "\n".join(f"  {text}" for text in (lost + half)[:30]))
        self.live = len(self.model.live_keys())

    async def try_credentials(self, connection, before, half):
        """Live keys open the door, revoked ones do not: what is in memory follows the store."""
        after = {id(key) for key in self.model.live_keys()}
        known = [key for tenant in self.model.tenants.values() for key in tenant.keys.values()
                 if key.token] + [key for key in before if id(key) not in after and key.token]
        for key in self.rng.sample(known, min(TOKENS, len(known))):
            answer = await connection.request("GET", "/admin/v1/whoami", token=key.token)
            wanted = id(key) in after
            if answer.status != (200 if wanted else 401):
                half.append(f"key {key.label} ({key.id}), {key.state.value}: its token is "
                            f"answered {answer.status}")
            elif wanted and answer.json()["tenant"] != key.tenant:
                half.append(f"key {key.label} belongs to {answer.json()['tenant']}")

    async def farewell(self):
        """After the last kill: compare once more, and once more over a restored backup."""
        await self.start()
        copy = self.scratch / "restored"
        if self.server.backup(copy).wait(60):
            raise Failure("a backup failed while nobody wrote")
        status = self.server.stop()
        if status:
            raise Failure(f"the server ended with {status} after SIGTERM")
        self.check()
        for name in ("master.key", "first-credentials.json"):
            shutil.copy2(self.server.data / name, copy / name)
        wrong = self.server.check(copy)
        if wrong:
            raise Failure(f"the backup: {wrong}")
        self.server.data = copy
        self.model.forget_events()
        self.model.received.left = True
        await self.server.start()
        await self.compare()
        self.server.stop()

    async def all_rounds(self):
        began = time.monotonic()
        await self.sink.open()
        kinds = []
        while sum(self.kills.values()) < self.options.kills:
            if time.monotonic() - began > self.options.seconds_budget:
                raise Broken(f"{sum(self.kills.values())} of {self.options.kills} kills were done "
                             f"in {self.options.seconds_budget} s")
            if not kinds:
                kinds = self.rng.sample(list(KINDS), sum(KINDS.values()), counts=KINDS.values())
            kind = kinds.pop()
            if self.server is None or kind == "first start" \
                    or self.rng.randrange(FRESH_EVERY) == 0:
                await self.fresh()
            try:
                await self.round(kind)
            except Lost as lost:
                raise Failure("the server ended while it was compared") from lost
            total = sum(self.kills.values())
            if total % 25 == 0:
                print(f"torture: {total} kills, "
                      f"{self.acknowledged + (self.model.acknowledged if self.model else 0)} "
                      f"acknowledged, {time.monotonic() - began:.0f} s", flush=True)
        await self.farewell()
        self.collect()
        self.model = None
        self.tell()
        if self.loads >= LOADS and not self.owed["http"]:
            raise Failure("no kill left a message that was acknowledged and not delivered")

    def tell(self):
        def listed(counter):
            return ", ".join(f"{count} {name}" for name, count in sorted(counter.items())) or "none"

        print(f"torture: killed during: {listed(self.kills)}")
        print(f"torture: first starts were killed with: {listed(self.stages)}")
        for part, calls in self.calls.items():
            print(f"torture: acknowledged calls, {part}: {listed(calls)}")
        print(f"torture: upgrades: {listed(self.upgrades)}")
        print(f"torture: {self.received} messages to sources were acknowledged, {self.repeated} "
              f"came again; of {self.loads} kills under load, {self.owed['file']} left something "
              f"to deliver to the file and {self.owed['http']} to the slow sink")
        print(f"torture: {self.copies.total()} backups were under way, {self.copies[True]} of them "
              f"came to their end")
        print(f"torture: changes in flight: {listed(self.settled)}; {self.settled_there} of them "
              f"were done; refused for now: {listed(self.unavailable)}")
        print(f"torture: {sum(self.kills.values())} kills, {self.acknowledged} acknowledged, "
              "0 lost, 0 half-applied", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="how many kills (200)")
    parser.add_argument("--seed", type=int, help="repeat the choices of a run (drawn at random)")
    parser.add_argument("--clients", type=int, default=24, help="connections that write (24)")
    parser.add_argument("--seconds-budget", type=int, default=900,
                        help="give up when the kills take longer (900)")
    parser.add_argument("--bin", default=os.environ.get("MUSTER_BIN",
                                                        str(ROOT / "build/release/muster")),
                        help="the server (MUSTER_BIN, else build/release/muster)")
    parser.add_argument("--scratch", help="folder for data files (a temporary one under build/)")
    parser.add_argument("--self-test", action="store_true",
                        help="damage the data file on purpose and expect to notice it each time")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    if not (1 <= options.kills <= 1000000 and 1 <= options.clients <= 256):
        parser.error("--kills is 1 to 1000000, --clients 1 to 256")
    return options


def main():
    options = arguments()
    if not os.access(options.bin, os.X_OK):
        print(f"torture: {options.bin} is not there: run `./dev build` first")
        return 2
    base = pathlib.Path(options.scratch or ROOT / "build")
    base.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="torture-", dir=base))
    print(f"torture: seed {options.seed}, {options.clients} clients, {options.bin}", flush=True)
    run = Run(options, scratch)
    try:
        asyncio.run(damage.self_test(run) if options.self_test else run.all_rounds())
    except (Failure, Broken) as failed:
        kills = sum(run.kills.values())
        run.collect()
        print(f"torture: FAILED after {kills} kills, {run.acknowledged} acknowledged, "
              f"seed {options.seed}\n{failed}\ntorture: everything is kept in {scratch}")
        return 1
    finally:
        if run.server:
            run.server.kill()
        run.journal.close()
    shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
