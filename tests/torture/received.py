# SPDX-License-Identifier: Apache-2.0
"""Received data under the kills. Some clients have a source of their own, to whose URL they send
messages, numbered, small and large, text and bytes, plain and compressed, one at a time; half of
the sources have processing rules, which let everything through. There are two sinks: the file of
the default one, and an HTTP endpoint (sink.py) that is slow, so that at a kill there always is
something that was acknowledged and not delivered. Each sink has to get every message that was
acknowledged at least once, byte for byte, and for the first time in the order in which they were
sent. What was in flight may be there or not. Who is told to come back later sends the same message
again."""
import asyncio
import base64
import functools
import gzip
import json
import random
import time
import zlib

SOURCES = 4         # the first so many clients have one
PATIENCE = 20       # seconds for the sinks to catch up after a restart
PAUSE = 0.003       # after a refusal
LARGEST = 400 << 10
HOME = "received"   # the collector of these sources
RULE = {"name": "none", "filterType": "Exclude", "regexp": "no.*"}  # matches nothing that is sent
FILE = "received.ndjson"
SINKS = "file", "http"
TEXT = "text/plain"


def _raw_deflate(data):
    """As some clients do it: without the frame."""
    stream = zlib.compressobj(1, wbits=-15)
    return stream.compress(data) + stream.flush()


CODINGS = (("", bytes), ("gzip", functools.partial(gzip.compress, compresslevel=1)),
           ("deflate", functools.partial(zlib.compress, level=1)), ("deflate", _raw_deflate))


@functools.lru_cache(maxsize=64)
def message(place, number):
    """Media type and bytes of a message, always the same ones. Most are small. Where there are
    rules, all are text."""
    rng = random.Random(place << 40 | number)
    size = int(LARGEST * rng.random() ** 12)
    head = f"{place} {number} ".encode()
    if has_rules(place) or rng.random() < 0.5:
        return TEXT, head + rng.randbytes(size // 2).hex().encode()
    return "application/octet-stream", head + rng.randbytes(size)


def has_rules(place):
    """Such data takes another way through the server."""
    return place % 2 == 1


def head_of(data):
    """Place and number of a message."""
    place, number, _ = data.split(b" ", 2)
    return int(place), int(number)


def record_of(line):
    """The number of the source, and the data, of a line of the file."""
    record = json.loads(line)
    data = record["data"].encode() if "data" in record else base64.b64decode(record["data_base64"])
    return record["source"], data


class Received:
    """What was sent and acknowledged, and what the sinks have. Sources are counted."""

    def __init__(self, journal):
        self.journal = journal
        self.paths = []         # of the URLs
        self.ids = []           # numbers of the sources
        self.sent = []          # last number that was sent, for each source
        self.again = set()      # sources whose last message was refused
        self.acknowledged = []  # sets of numbers
        self.found = {sink: [] for sink in SINKS}  # same, of what the sink has
        self.offset = 0         # in the file
        self.cuts = set()       # where lines begin that a kill has cut
        self.repeated = 0       # messages that a sink got once more
        self.wrong = []         # complaints about what the sinks have
        self.patience = PATIENCE
        self.left = False       # the data file moved away from its sinks

    def add(self, number, url):
        self.ids.append(number)
        self.paths.append(url[url.index("/receiver"):])
        self.sent.append(0)
        self.acknowledged.append(set())
        for found in self.found.values():
            found.append(set())

    def forget_file(self):
        """Lets the file be read from its begin."""
        self.offset = 0
        for found in self.found["file"]:
            found.clear()

    def total(self):
        return sum(map(len, self.acknowledged))

    # --- what is sent -------------------------------------------------------------------------

    def next(self, place):
        if place not in self.again:
            self.sent[place] += 1
        self.again.discard(place)
        return self.sent[place]

    def acknowledge(self, place, number):
        self.journal.note("received", source=place, number=number)
        self.acknowledged[place].add(number)

    # --- what the sinks have ------------------------------------------------------------------

    def read(self, file):
        """Takes in the whole lines that the file has beyond what was read."""
        if not file.exists():
            return
        with open(file, "rb") as lines:
            lines.seek(self.offset)
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # it is being written
                if self.offset not in self.cuts:
                    self.take_line(line)
                self.offset += len(line)

    def take_line(self, line):
        try:
            source, data = record_of(line)
            place, _ = head_of(data)
            if self.ids[place] != source:
                raise ValueError
        except (ValueError, KeyError, IndexError):
            self.wrong.append(f"received: the file has the line {line[:200]!r}")
            return
        self.take("file", data)

    def take(self, sink, data):
        place, number = head_of(data)
        found = self.found[sink][place]
        if data != message(place, number)[1]:
            self.wrong.append(f"received: {sink}: source {place} has {number} with other bytes")
        elif number in found:
            self.repeated += 1
        elif not 1 <= number <= self.sent[place]:
            self.wrong.append(f"received: {sink}: source {place} has {number}, which was not sent")
        elif number < max(found, default=0):
            self.wrong.append(f"received: {sink}: source {place} has {number} for the first time "
                              f"after {max(found)}")
        found.add(number)

    def killed(self, file):
        """To be called while the server is down: how many messages it owes each sink."""
        self.read(file)
        if file.exists() and file.stat().st_size > self.offset:
            self.cuts.add(self.offset)
        return {sink: sum(len(told - has) for told, has in zip(self.acknowledged, found))
                for sink, found in self.found.items()}

    def caught_up(self):
        return all(told <= has for found in self.found.values()
                   for told, has in zip(self.acknowledged, found))

    async def compare(self, file, lost, half):
        """Waits for what was acknowledged last."""
        if self.left:
            return
        deadline = time.monotonic() + self.patience
        self.read(file)
        while not self.caught_up() and not self.wrong and time.monotonic() < deadline:
            await asyncio.sleep(0.003)
            self.read(file)
        for sink, found in self.found.items():
            for place, (told, has) in enumerate(zip(self.acknowledged, found)):
                if told - has:
                    lost.append(f"received: {sink}: source {place}: {sorted(told - has)[:10]} of "
                                f"{len(told)} were acknowledged and did not come")
        half += self.wrong


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
    for place in range(min(count, SOURCES)):
        thing = "source", HOME, str(place)
        rules = [RULE] if has_rules(place) else []
        source = await made(f"/collectors/{home['id']}/sources", "source", {
            "sourceType": "HTTP", "name": str(place), "category": "c/0", "filters": rules,
            "messagePerRequest": False})
        model.sumo.values[thing] = {"category": "c/0", "filters": [r["name"] for r in rules]}
        model.sumo.ids[thing], model.sumo.urls[thing] = source["id"], source["url"]
        model.received.add(source["id"], source["url"])


async def send(client):
    """Sends the next message to the client's source."""
    received, place = client.run.model.received, client.number
    number = received.next(place)
    kind, data = message(place, number)
    coding, packed = client.rng.choice(CODINGS)
    fields = [f"Content-Type: {kind}", *([f"Content-Encoding: {coding}"] if coding else [])]
    if not await client.promise(
            "POST", received.paths[place], packed(data), refusals=(429, 503),
            kept=lambda _: received.acknowledge(place, number),
            broken=lambda: received.again.add(place), fields=fields):
        client.run.held_back()
        await asyncio.sleep(PAUSE)
