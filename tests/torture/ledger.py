# SPDX-License-Identifier: Apache-2.0
"""What the driver knows of one part of the server, and the part of a client that changes it. Each
client owns the things that it writes, so their changes have one order, and has at most one call
under way: what was acknowledged has to be there; the call that was in flight at a kill may be there
or not, but a call that changes many things is there for all of them or for none. Pure."""
from collections import Counter


class Ledger:
    """A thing is a tuple that begins with its kind; its value is a dict of what can be seen."""

    def __init__(self, journal, part):
        self.journal = journal
        self.part = part
        self.values = {}  # thing -> value, of what is there for certain
        self.flight = {}  # client -> {thing: new value, None: gone}
        self.calls = Counter()
        self.settled_there = 0
        self.settled_not = 0

    def intend(self, client, call, changes):
        self.journal.note(self.part, client=client, call=call,
                          changes=[[*thing, value] for thing, value in changes.items()])
        self.flight[client] = changes

    def acknowledge(self, client, call):
        self.journal.note(f"{self.part} acknowledged", client=client, call=call)
        self.calls[call] += 1
        self._apply(self.flight.pop(client))

    def refused(self, client):
        self.journal.note(f"{self.part} refused", client=client)
        del self.flight[client]

    def _apply(self, changes):
        for thing, value in changes.items():
            self.change(thing, value)

    def change(self, thing, value):
        """It is certain now."""
        if value is None:
            self.values.pop(thing, None)
        else:
            self.values[thing] = value

    def compare(self, seen):
        """seen: {thing: value} of all. Settles what was in flight; returns complaints: what is
        lost, and what is there by half."""
        lost, half = [], []
        for client, changes in sorted(self.flight.items()):
            found = {thing: seen.get(thing) for thing in changes}
            if found == changes:
                self.settled_there += 1
                self._apply(changes)
            elif found == {thing: self.values.get(thing) for thing in changes}:
                self.settled_not += 1
            else:
                half.append(f"{self.part}: client {client} had {changes} in flight, "
                            f"there is {found}")
        self.flight.clear()
        for thing in sorted(seen.keys() | self.values.keys()):
            if seen.get(thing) != self.values.get(thing) and not half:
                lost.append(f"{self.part}: {thing} is {seen.get(thing)}, "
                            f"not {self.values.get(thing)}")
        return lost, half


class Writer:
    """The part of a client that writes what a ledger knows."""

    part = ""  # the model's name for the ledger

    def __init__(self, client):
        self.client = client
        self.rng = client.rng
        self.number = client.number

    @property
    def ledger(self):
        return getattr(self.client.run.model, self.part)

    def mine(self, kind, names):
        """Those that are there."""
        return [name for name in names if (kind, name) in self.ledger.values]

    async def call(self, name, method, path, body, changes, **more):
        """Makes a call that has these effects; what is under way when the server dies stays open.
        Returns the answer, or None when nothing was changed."""
        ledger = self.ledger
        ledger.intend(self.number, name, changes)
        return await self.client.promise(
            method, path, body, kept=lambda _: ledger.acknowledge(self.number, name),
            broken=lambda: ledger.refused(self.number), **more)
