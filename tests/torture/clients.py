# SPDX-License-Identifier: Apache-2.0
"""A client of the driver: one connection that makes one change after the other until the server
dies. Keys and tenants are its own business, the rest it leaves to the part that knows."""
from fleet import FleetWriter
from model import State
from received import send
from sumo import SumoWriter
from upgrades import UPGRADERS, UpgradeWriter
from wire import Lost

LIVE_KEYS = 400      # about as many keys are kept alive
FLEET_SHARE = 0.32   # of the changes
SUMO_SHARE = 0.32    # same
UPGRADE_SHARE = 0.3  # same, of clients that upgrade agents
ROLES = {"admin": ["keys:read", "keys:write"], "editor": ["collectors:read", "collectors:write"],
         "viewer": ["collectors:read"], "agent": ["agent"]}


class Client:
    """It owns the tenants it created and the keys in them, so that their changes have one order."""

    def __init__(self, run, number, rng):
        self.run = run
        self.rng = rng
        self.number = number
        self.connection = None
        self.fleet = FleetWriter(self)
        self.sumo = SumoWriter(self)
        self.upgrades = UpgradeWriter(self)

    async def work(self, stop):
        try:
            self.connection = await self.run.connection().open()
            while not stop.is_set():
                await self.one_change()
        except Lost:
            pass
        finally:
            if self.connection:
                self.connection.close()

    async def one_change(self):
        sends = self.number < len(self.run.model.received.paths)
        upgrades = UPGRADE_SHARE if self.number < UPGRADERS else 0
        part = self.rng.random()
        if self.run.only_upgrades:
            await self.upgrades.one_change()
        elif sends and self.rng.random() < self.run.data_share:
            await send(self)
        elif part < FLEET_SHARE:
            await self.fleet.one_change()
        elif part < FLEET_SHARE + SUMO_SHARE:
            await self.sumo.one_change()
        elif part < FLEET_SHARE + SUMO_SHARE + upgrades:
            await self.upgrades.one_change()
        else:
            await self.change_keys()

    async def change_keys(self):
        model = self.run.model
        mine = [t for t in model.tenants.values()
                if t.state is State.THERE and t.name.startswith(f"t{self.number}-")]
        crowded = self.run.live > LIVE_KEYS
        choice = self.rng.random()
        if choice < 0.04 and len(mine) < 3:
            await self.create_tenant()
        elif choice < 0.07 and mine:
            await self.delete_tenant(self.rng.choice(mine))
        elif choice < (0.65 if crowded else 0.3):
            mine.append(model.tenants["default"])
            keys = [k for k in self.rng.choice(mine).keys.values()
                    if k.state is State.THERE and k.label.startswith(f"k{self.number}-")]
            if keys:
                await self.revoke(self.rng.choice(keys))
        else:
            mine.append(model.tenants["default"])
            await self.create_key(self.rng.choice(mine).name)

    async def promise(self, method, path, body, kept, broken, refusals=(503,), **more):
        """Sends one change. Calls kept(answer) once its promise was read, kept(None) when the
        answer was cut short after that, and broken() when it was refused for now: nothing may have
        changed then. Returns the answer, or None when refused."""
        try:
            answer = await self.connection.request(method, path, body, **more)
        except Lost as lost:
            if lost.status and 200 <= lost.status < 300:
                kept(None)
                self.run.count()
            raise
        if 200 <= answer.status < 300:
            kept(answer)
            self.run.count()
            return answer
        if answer.status not in refusals:
            self.run.failed(f"{method} {path} {str(body)[:300]} was answered {answer.status}: "
                            f"{answer.body[:300]!r}")
        self.run.unavailable[answer.status] += 1
        broken()
        return None

    async def change(self, thing, method, path, body=None, kept=None):
        model = self.run.model
        return await self.promise(method, path, body, kept or (lambda _: model.acknowledge(thing)),
                                  lambda: model.refused(thing))

    async def create_tenant(self):
        tenant = self.run.model.intend_tenant(f"t{self.number}-{self.run.serial()}")
        await self.change(tenant, "POST", "/admin/v1/tenants", {"name": tenant.name})
        return tenant

    async def delete_tenant(self, tenant):
        self.run.model.intend_end(tenant)
        live = sum(key.state is State.THERE for key in tenant.keys.values())
        if await self.change(tenant, "DELETE", f"/admin/v1/tenants/{tenant.name}"):
            self.run.live -= live

    async def create_key(self, tenant):
        role = self.rng.choice(list(ROLES))
        await self.create_key_as(f"k{self.number}-{self.run.serial()}", tenant, role,
                                 self.rng.choice([[], ROLES[role]]),
                                 self.rng.choice([None, "2099-12-31T23:59:59.125Z"]))

    async def create_key_as(self, label, tenant, role, scopes, expires):
        model = self.run.model
        key = model.intend_key(label, tenant, role, scopes, expires)
        body = {"tenant": tenant, "label": label, "role": role}
        if scopes:
            body["scopes"] = scopes
        if expires:
            body["expires"] = expires

        def kept(answer):
            made = answer.json() if answer else {}
            if made:
                model.told_scopes(key, made["scopes"])
            model.acknowledge(key, made.get("id"), made.get("token"))

        if await self.change(key, "POST", "/admin/v1/keys", body, kept):
            self.run.live += 1
        return key

    async def revoke(self, key):
        self.run.model.intend_end(key)
        path = f"/admin/v1/keys/{key.id}?tenant={key.tenant}"
        if await self.change(key, "DELETE", path):
            self.run.live -= 1
