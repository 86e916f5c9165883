# SPDX-License-Identifier: Apache-2.0
"""Received data under the kills. Some clients have a source of their own, to whose URL they send
numbers, one request at a time. After each restart the file that the default sink writes is read:
every number that was acknowledged has to be there at least once, and what comes for the first time
has to come in the order in which it was sent. What was in flight may be there or not."""
import asyncio
import json
import time

from wire import Lost

SOURCES = 4         # the first so many clients have one
PATIENCE = 20       # seconds for the sink to catch up after a restart
HOME = "received"   # the collector of these sources
FILE = "received.ndjson"


class Received:
    """What was sent and acknowledged, and how far the sink's file was read. Sources are counted."""

    def __init__(self, journal):
        self.journal = journal
        self.paths = []         # of the URLs
        self.ids = {}           # number of a source -> its place in paths
        self.sent = []          # last number that was sent, for each source
        self.acknowledged = []  # sets of numbers
        self.found = []         # same, of what the sink has
        self.offset = 0         # in the sink's file
        self.left = False       # the data file moved away from its sink

    def add(self, number, url):
        self.ids[number] = len(self.paths)
        self.paths.append(url[url.index("/receiver"):])
        self.sent.append(0)
        self.acknowledged.append(set())
        self.found.append(set())

    def forget_found(self):
        """Lets the file be read from its begin."""
        self.offset = 0
        for found in self.found:
            found.clear()

    def total(self):
        return sum(map(len, self.acknowledged))

    def acknowledge(self, source, number):
        self.journal.note("received", source=source, number=number)
        self.acknowledged[source].add(number)

    def caught_up(self):
        return all(max(told, default=0) in found or not told
                   for told, found in zip(self.acknowledged, self.found))

    def read(self, file, half):
        """Takes in the whole lines that the file has beyond what was read."""
        if not file.exists():
            return
        with open(file, "rb") as lines:
            lines.seek(self.offset)
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # it is being written
                self.offset += len(line)
                self.take(line, half)

    def take(self, line, half):
        try:
            record = json.loads(line)
            source, number = self.ids[record["source"]], int(record["data"])
        except (ValueError, KeyError):
            half.append(f"received: the sink's file has the line {line[:200]!r}")
            return
        found = self.found[source]
        if number in found:
            return
        if not 1 <= number <= self.sent[source]:
            half.append(f"received: source {source} has {number}, which was not sent")
        elif number < max(found, default=0):
            half.append(f"received: source {source} has {number} for the first time after "
                        f"{max(found)}")
        found.add(number)

    async def compare(self, data, lost, half):
        """data: the server's folder. Waits for what was acknowledged last."""
        if self.left:
            return
        deadline = time.monotonic() + PATIENCE
        self.read(data / FILE, half)
        while not self.caught_up() and time.monotonic() < deadline:
            await asyncio.sleep(0.003)
            self.read(data / FILE, half)
        for source, (told, found) in enumerate(zip(self.acknowledged, self.found)):
            if told - found:
                lost.append(f"received: source {source}: {sorted(told - found)[:10]} of "
                            f"{len(told)} were acknowledged and are not in the sink's file")


async def add_sources(connection, model, count, failed):
    """Made at the first start of a data directory; they stay."""
    async def made(path, kind, members):
        answer = await connection.request("POST", "/api/v1" + path, {kind: members})
        if answer.status not in (200, 201):
            failed(f"POST {path} was answered {answer.status}: {answer.body[:300]!r}")
        return answer.json()[kind]

    words = {"category": "c/0", "fields": {}}
    home = await made("/collectors", "collector",
                      {"collectorType": "Hosted", "name": HOME, **words})
    model.sumo.values["hosted", HOME] = words
    model.sumo.ids["hosted", HOME] = home["id"]
    for name in map(str, range(min(count, SOURCES))):
        thing = "source", HOME, name
        source = await made(f"/collectors/{home['id']}/sources", "source", {
            "sourceType": "HTTP", "name": name, "category": "c/0", "messagePerRequest": False})
        model.sumo.values[thing] = {"category": "c/0", "filters": []}
        model.sumo.ids[thing], model.sumo.urls[thing] = source["id"], source["url"]
        model.received.add(source["id"], source["url"])


async def send(client):
    """Sends the next number to the client's source."""
    received, source = client.run.model.received, client.number
    received.sent[source] += 1
    number = received.sent[source]
    try:
        answer = await client.connection.request("POST", received.paths[source], number)
    except Lost as lost:
        if lost.status == 200:
            received.acknowledge(source, number)
        raise
    if answer.status == 200:
        received.acknowledge(source, number)
        client.run.model.acknowledged += 1
        client.run.count()
    elif answer.status in (429, 503):
        client.run.unavailable += 1
    else:
        client.run.failed(f"{number} for source {source} was answered {answer.status}: "
                          f"{answer.body[:300]!r}")
