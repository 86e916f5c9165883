# SPDX-License-Identifier: Apache-2.0
"""The driver's own view of what the server must know: every change is noted as intended before it
is sent and as acknowledged once the answer is there. After a kill, `Model.compare` holds this view
against what the server shows and names each difference. Pure: no sockets, no files but the journal.

An acknowledged change must be there. One that was in flight may be there or not, but only as a
whole: a key with all its fields and its event, a tenant's end together with the end of its keys.
What was in flight is settled by the comparison, so the next round starts from certainty again."""
import copy
import json
from dataclasses import dataclass, field
from enum import Enum

from fleet import Fleet
from received import Received
from sumo import Sumo
from upgrades import Upgrades


class State(Enum):
    COMING = "create in flight"
    THERE = "created"
    GOING = "delete in flight"
    GONE = "deleted"


@dataclass
class Key:
    label: str
    tenant: str
    role: str
    scopes: list
    expires: str | None
    state: State = State.COMING
    id: str | None = None
    token: str | None = None
    events: list = field(default_factory=list)  # kinds seen in the event log


@dataclass
class Tenant:
    name: str
    state: State = State.COMING
    keys: dict = field(default_factory=dict)  # label -> Key; removed once the tenant is gone
    events_after: int = 0                     # how far its event log was read


@dataclass
class Seen:
    """What the server shows of one tenant."""

    keys: list
    events: list  # (seq, kind, subject), those after Tenant.events_after, oldest first


class Journal:
    """The driver's log, a JSON line for each intent and each acknowledgement, for post-mortems."""

    def __init__(self, path):
        self.file = open(path, "a", buffering=1, encoding="ascii")

    def note(self, what, **facts):
        self.file.write(json.dumps({"what": what, **facts}) + "\n")

    def close(self):
        self.file.close()


class Model:
    part = "keys and tenants"

    def __init__(self, journal):
        self.journal = journal
        self.fleet = Fleet(journal)
        self.sumo = Sumo(journal)
        self.upgrades = Upgrades(journal)
        self.ledgers = (self.fleet, self.sumo, self.upgrades)
        self.received = Received(journal)
        self.tenants = {}
        self.home = None         # the tenant whose event log tells of all tenants
        self.tenant_events = {}  # name -> kinds seen there
        self.ended = set()       # names of tenants that were deleted
        self.role_scopes = {}    # (role, at home) -> what keys without scopes of their own have
        self.acknowledged = 0
        self.settled_there = 0  # in flight at a kill, found done
        self.settled_not = 0    # in flight at a kill, found not done

    # --- what the clients report --------------------------------------------------------------

    def adopt_tenant(self, name):
        """The tenant that the server made by itself."""
        self.tenants[name] = Tenant(name, State.THERE)
        self.home = name

    def adopt_key(self, tenant, label, key_id, token, role, scopes):
        key = Key(label, tenant, role, scopes, None, State.THERE, key_id, token)
        self.tenants[tenant].keys[label] = key

    def intend_key(self, label, tenant, role, scopes, expires):
        self.journal.note("create key", label=label, tenant=tenant)
        key = Key(label, tenant, role, scopes, expires)
        self.tenants[tenant].keys[label] = key
        return key

    def intend_tenant(self, name):
        self.journal.note("create tenant", name=name)
        self.tenants[name] = Tenant(name)
        return self.tenants[name]

    def intend_end(self, thing):
        self.journal.note("end", thing=_name(thing))
        thing.state = State.GOING

    def acknowledge(self, thing, key_id=None, token=None):
        """The answer said yes to what was intended for a key or a tenant."""
        self.journal.note("acknowledged", thing=_name(thing), state=thing.state.value, id=key_id)
        if thing.state is State.COMING:
            thing.state = State.THERE
            if isinstance(thing, Key):
                thing.id, thing.token = key_id, token
        elif thing.state is State.GOING:
            thing.state = State.GONE
            if isinstance(thing, Tenant):
                self._end(thing)

    def told_scopes(self, key, scopes):
        """What an acknowledgement said of a key's scopes. The home tenant's keys may do more."""
        if not key.scopes:
            self.role_scopes[self._rights(key)] = scopes
        key.scopes = scopes

    def _rights(self, key):
        return key.role, key.tenant == self.home

    def refused(self, thing):
        """The answer said no: nothing may have changed."""
        self.journal.note("refused", thing=_name(thing), state=thing.state.value)
        if thing.state is State.GOING:
            thing.state = State.THERE
        elif isinstance(thing, Tenant):
            del self.tenants[thing.name]
        else:
            del self.tenants[thing.tenant].keys[thing.label]

    # --- what the server shows ----------------------------------------------------------------

    def compare(self, seen):
        """seen: {tenant name: Seen} of all tenants. Settles what was in flight. Returns two lists
        of complaints: acknowledged changes that are lost, and changes that are there by half."""
        lost, half = [], []
        for name in sorted(seen.keys() - self.tenants.keys()):
            lost.append(f"tenant {name} is there, but it was deleted, or nobody created it")
        for tenant in list(self.tenants.values()):
            if tenant.name in seen:
                if tenant.state in (State.COMING, State.GOING):
                    self._settle(tenant, State.THERE)
                self._compare_keys(tenant, seen[tenant.name], lost, half)
            elif tenant.state is State.THERE:
                lost.append(f"tenant {tenant.name} was created and is not there")
            elif tenant.state is State.COMING:
                self._settle(tenant, State.GONE)
                del self.tenants[tenant.name]
            else:
                self._settle(tenant, State.GONE)
                self._end(tenant)
        self._compare_tenant_events(half)
        return lost, half

    def _end(self, tenant):
        del self.tenants[tenant.name]
        self.ended.add(tenant.name)

    def _settle(self, thing, outcome):
        happened = (thing.state is State.COMING) == (outcome is State.THERE)
        self.settled_there += happened
        self.settled_not += not happened
        self.journal.note("settled", thing=_name(thing), happened=happened)
        thing.state = outcome

    def _compare_keys(self, tenant, seen, lost, half):
        rows = {}
        for row in seen.keys:
            if row["label"] in rows:
                half.append(f"key {row['label']} is there twice")
            rows[row["label"]] = row
        for label in sorted(rows.keys() - tenant.keys.keys()):
            lost.append(f"key {label} of {tenant.name} is there, but nobody created it")
        for key in list(tenant.keys.values()):
            row = rows.get(key.label)
            live = row is not None and not row.get("revoked")
            if key.state is State.COMING:
                self._settle(key, State.THERE if row else State.GONE)
                if row is None:
                    del tenant.keys[key.label]
                    continue
                key.id = row["id"]
            elif key.state is State.GOING:
                self._settle(key, State.THERE if live else State.GONE)
            self._compare_key(key, row, live, lost, half)
        self._compare_events(tenant, seen.events, half)

    def _compare_key(self, key, row, live, lost, half):
        if key.state is State.GONE and live:
            lost.append(f"key {key.label} ({key.id}) was revoked and is live")
        if key.state is State.THERE and not live:
            lost.append(f"key {key.label} ({key.id}) was created and is " +
                        ("revoked" if row else "not there"))
        if row is None:
            return
        key.id = key.id or row["id"]  # when the acknowledgement was cut short
        scopes = key.scopes or self.role_scopes.get(self._rights(key), row["scopes"])
        for name, wanted, found in (
                ("id", key.id, row["id"]), ("label", key.label, row["label"]),
                ("tenant", key.tenant, row["tenant"]), ("role", key.role, row["role"]),
                ("scopes", sorted(scopes), sorted(row["scopes"])),
                ("expires", key.expires, row["expires"])):
            if found != wanted:
                half.append(f"key {key.label}: {name} is {found!r}, not {wanted!r}")

    def _compare_events(self, tenant, events, half):
        by_id = {key.id: key for key in tenant.keys.values() if key.id}
        for seq, kind, subject in events:
            if seq <= tenant.events_after:
                half.append(f"event {seq} of {tenant.name} comes out of order")
            tenant.events_after = seq
            if kind.startswith("tenant.") and tenant.name == self.home:
                self.tenant_events.setdefault(subject, []).append(kind)
            elif tenant.name == self.home:
                self.upgrades.take_event(kind, subject)
            if not kind.startswith("key."):
                continue
            if subject in by_id:
                by_id[subject].events.append(kind)
            else:
                half.append(f"event {seq} {kind} of {tenant.name} names {subject}, which is no key")
        for key in tenant.keys.values():
            wanted = ["key.created"] + ["key.revoked"] * (key.state is State.GONE)
            if key.events != wanted:
                half.append(f"key {key.label} ({key.id}) has events {key.events}, not {wanted}")

    def _compare_tenant_events(self, half):
        told = dict(self.tenant_events)
        told.pop(self.home, None)
        for name in sorted(told.keys() | self.ended | self.tenants.keys() - {self.home}):
            wanted = ["tenant.created"] if name in self.tenants else []
            if name in self.ended:
                wanted = ["tenant.created", "tenant.deleted"]
            if told.get(name, []) != wanted:
                half.append(f"tenant {name} has events {told.get(name, [])}, not {wanted}")

    # --- for the driver -----------------------------------------------------------------------

    def copy(self):
        """An independent view that starts to read the events anew."""
        twin = copy.deepcopy(self, {id(self.journal): self.journal})
        twin.forget_events()
        twin.received.forget_file()
        return twin

    def forget_events(self):
        self.tenant_events.clear()
        self.upgrades.forget_events()
        for tenant in self.tenants.values():
            tenant.events_after = 0
            for key in tenant.keys.values():
                key.events.clear()

    def live_keys(self):
        return [key for tenant in self.tenants.values() if tenant.state is State.THERE
                for key in tenant.keys.values() if key.state is State.THERE]


def _name(thing):
    return thing.name if isinstance(thing, Tenant) else f"{thing.tenant}/{thing.label}"
