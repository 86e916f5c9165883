# SPDX-License-Identifier: Apache-2.0
"""The proof that the driver can fail: after real rounds the stopped server's data is copied,
damaged in one way that a storage defect could, and given to the comparison, which has to notice and
to say what it is. The same data without damage has to pass."""
import os
import random
import re
import shutil
import sqlite3
from contextlib import closing

import received
import upgrades
from clients import Client
from model import State
from server import Broken, Failure
from wire import Lost

PATIENCE = 2      # seconds for the sinks, over data that is damaged
UNDELIVERED = 10  # messages that the slow sink has not got when the data is copied


def _table(database, *columns):
    """The table that has these columns: the schema may grow without breaking this test."""
    for (name,) in database.execute("select name from sqlite_master where type = 'table'"):
        if set(columns) <= {row[1] for row in database.execute(f"pragma table_info({name})")}:
            return name
    raise Broken(f"no table with the columns {columns}")


def _sql(server, statement, columns, values):
    """Runs a statement on the table with the columns; it has to change exactly one row."""
    with closing(sqlite3.connect(server.data_file())) as database:
        database.execute("pragma foreign_keys = off")
        table = _table(database, *columns)
        changed = database.execute(statement.format(table=table), values).rowcount
        database.commit()
    if changed != 1:
        raise Broken(f"{statement} changed {changed} rows")


def _first(things):
    return next(iter(things), None)


def _key(model, state):
    return _first(key for key in model.tenants["default"].keys.values()
                  if key.state is state and key.label.startswith("k"))


def _key_that_expires(model):
    return _first(key for key in model.live_keys() if key.expires)


def _tenant_with_keys(model):
    """Its end leaves rows that belong to nobody."""
    return _first(tenant for name, tenant in model.tenants.items()
                  if name != "default" and tenant.keys)


def _fleet(model, kind, has):
    return _first(name for (known, name), value in model.fleet.values.items()
                  if known == kind and has(value))


def _agent(model):
    return _fleet(model, "agent", lambda value: value["remote"])


def _disabled_pipeline(model):
    return _fleet(model, "pipeline", lambda value: not value["enabled"])


def _sumo(model, kind, has=lambda _: True):
    """The number of one of these."""
    return _first(model.sumo.ids[thing] for thing, value in model.sumo.values.items()
                  if thing[0] == kind and has(value))


def _hosted_with_fields(model):
    return _sumo(model, "hosted", lambda value: value["fields"])


def _upgrade(model, *statuses):
    """One whose collector is still there."""
    known = model.upgrades
    return _first(thing for thing, value in known.values.items()
                  if thing[0] == "upgrade" and value["status"] in statuses
                  and ("agent", thing[1]) in known.values)


def _has_victims(model):
    """Each kind of damage finds something to damage."""
    return all((_key(model, State.THERE), _key(model, State.GONE), _key_that_expires(model),
                _tenant_with_keys(model), _agent(model), _disabled_pipeline(model),
                _sumo(model, "source"), _hosted_with_fields(model), model.sumo.credentials,
                _upgrade(model, *upgrades.OPEN), _upgrade(model, upgrades.SUCCEEDED),
                model.upgrades.files()))


def key_is_gone(server, model, _):
    _sql(server, "delete from {table} where id = ?", ("label", "role"),
         (_key(model, State.THERE).id,))


def key_is_live_again(server, model, _):
    _sql(server, "update {table} set revoked_us = 0 where id = ?", ("label", "role", "revoked_us"),
         (_key(model, State.GONE).id,))


def key_is_revoked(server, model, _):
    _sql(server, "update {table} set revoked_us = 1 where id = ?", ("label", "role", "revoked_us"),
         (_key(model, State.THERE).id,))


def label_is_another(server, model, _):
    _sql(server, "update {table} set label = label || 'x' where id = ?", ("label", "role"),
         (_key(model, State.THERE).id,))


def expiry_is_another(server, model, _):
    _sql(server, "update {table} set expires_us = 4102444800000000 where id = ?",
         ("label", "role", "expires_us"),
         (_key_that_expires(model).id,))


def event_is_gone(server, model, _):
    _sql(server, "delete from {table} where subject = ? and kind = 'key.created'",
         ("subject", "kind", "seq"), (_key(model, State.THERE).id,))


def agent_is_gone(server, model, _):
    with closing(sqlite3.connect(server.data_file())) as database:
        database.execute("delete from collector_seen")
        database.commit()
    _sql(server, "delete from {table} where ext_id = ?", ("ext_id", "labels"),
         (_agent(model),))


def remote_attributes_are_gone(server, model, _):
    _sql(server, "update {table} set labels = x'' where ext_id = ?", ("ext_id", "labels"),
         (_agent(model),))


def pipeline_is_enabled(server, model, _):
    name = _disabled_pipeline(model)
    with closing(sqlite3.connect(server.data_file())) as database:
        changed = database.execute("update pipelines set enabled = 1 where name = ?", (name,))
        database.commit()
        if changed.rowcount != 1:
            raise Broken(f"{name} is no pipeline")


def source_is_gone(server, model, _):
    _sql(server, "delete from {table} where id = ?", ("collector", "name", "body"),
         (_sumo(model, "source"),))


def fields_of_a_collector_are_gone(server, model, _):
    _sql(server, "update {table} set labels = x'' where id = ?", ("ext_id", "labels"),
         (_hosted_with_fields(model),))


def credential_of_an_agent_is_gone(server, model, _):
    _sql(server, "delete from {table} where id = ?", ("label", "role"),
         (next(iter(model.sumo.credentials.values()))[0],))


def upgrade_is_gone(server, model, _):
    _sql(server, "delete from {table} where id = ?", ("kind", "subject", "payload"),
         (model.upgrades.ids[_upgrade(model, upgrades.SUCCEEDED)],))


def upgrade_that_is_over_is_open_again(server, model, _):
    """As its row was before the last write to it."""
    _sql(server, "update {table} set state = 1, owner = 'agent' where id = ?",
         ("kind", "subject", "payload"),
         (model.upgrades.ids[_upgrade(model, upgrades.SUCCEEDED)],))


def upgrade_is_over_too_early(server, model, _):
    _sql(server, "update {table} set state = 2, owner = '' where id = ?",
         ("kind", "subject", "payload"), (model.upgrades.ids[_upgrade(model, *upgrades.OPEN)],))


def version_of_an_upgraded_agent_is_another(server, model, _):
    _, name, _ = _upgrade(model, upgrades.SUCCEEDED)
    told = model.upgrades.values["agent", name]["version"].encode()
    with closing(sqlite3.connect(server.data_file())) as database:
        table = _table(database, "ext_id", "labels")
        row, body = database.execute(f"select id, body from {table} where ext_id = ?",
                                     (name,)).fetchone()
    _sql(server, "update {table} set body = ? where id = ?", ("ext_id", "labels"),
         (body.replace(told, b"v9" + told[2:]), row))


def build_is_cut(server, model, _):
    digest, size = next(iter(model.upgrades.files().items()))
    os.truncate(server.data / "builds" / digest, size // 2)


def build_is_gone(server, model, _):
    (server.data / "builds" / next(iter(model.upgrades.files()))).unlink()


def _lines(server):
    """What the file sink has, each line with its source and its data."""
    lines = (server.data / received.FILE).read_bytes().splitlines(keepends=True)
    return [(line, *received.record_of(line)) for line in lines]


def received_line_is_gone(server, model, _):
    """With all its repetitions."""
    gone = next((place, min(numbers)) for place, numbers in
                enumerate(model.received.acknowledged) if numbers)
    (server.data / received.FILE).write_bytes(b"".join(
        line for line, _, data in _lines(server) if received.head_of(data) != gone))


def received_lines_are_swapped(server, _, __):
    (server.data / received.FILE).write_bytes(b"".join(
        line for line, _, _ in reversed(_lines(server))))


def received_byte_is_another(server, _, __):
    file = server.data / received.FILE
    longest = max((line for line, _, _ in _lines(server)), key=len)
    damaged = longest[:-20] + (b"A" if longest[-20:-19] != b"A" else b"B") + longest[-19:]
    file.write_bytes(file.read_bytes().replace(longest, damaged))


def spool_is_gone(server, _, __):
    """While the slow sink has not got all of it."""
    shutil.rmtree(server.data / "spool")


def spool_is_damaged(server, model, _):
    """One byte of a message that waits for the slow sink."""
    number = model.received.sent[0] - UNDELIVERED // 2
    _, data = received.message(0, number)
    for segment in (server.data / "spool").glob("*.seg"):
        at = segment.read_bytes().find(data)
        if at >= 0:
            break
    else:
        raise Broken(f"message {number} of source 0 is not in the spool")
    with open(segment, "r+b") as file:
        file.seek(at)
        file.write(b"x")


def text_is_counted_wrong(server, _, __):
    with closing(sqlite3.connect(server.data_file())) as database:
        changed = database.execute("update text_refs set refs = refs + 1")
        database.commit()
        if changed.rowcount < 1:
            raise Broken("there are no texts")


def tenant_event_is_gone(server, model, _):
    name = next(name for name in model.tenants if name != "default")
    _sql(server, "delete from {table} where subject = ? and kind = 'tenant.created'",
         ("subject", "kind", "seq"), (name,))


def tenant_is_gone(server, model, _):
    _sql(server, "delete from {table} where name = ?", ("id", "name", "created_us"),
         (_tenant_with_keys(model).name,))


def file_is_older(server, _, older):
    name = server.data_file().name
    for path in list(server.data.iterdir()):
        if path.name.startswith(name):
            path.unlink()
    for path in older.iterdir():
        if path.is_file():
            shutil.copy2(path, server.data / path.name)


def page_is_overwritten(server, _, __):
    """One that is in use, by bytes that are no page: in a free one there is nothing to lose."""
    with closing(sqlite3.connect(server.data_file())) as database:
        size, = database.execute("pragma page_size").fetchone()
        root, = database.execute("select rootpage from sqlite_master where name = ?",
                                 (_table(database, "label", "role"),)).fetchone()
    with open(server.data_file(), "r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)


CHECK = "^muster check"

# What has to be noticed, and of what the complaints have to speak.
DAMAGES = {
    key_is_gone: ["key .* was created"], key_is_live_again: ["key .* was revoked"],
    key_is_revoked: ["key .* is revoked"], label_is_another: ["key .* nobody created"],
    expiry_is_another: ["expires"], event_is_gone: ["key .* has events"],
    agent_is_gone: ["fleet: .*agent"], remote_attributes_are_gone: ["fleet: .*agent"],
    pipeline_is_enabled: ["fleet: .*pipeline"], source_is_gone: ["sumo: .*source"],
    fields_of_a_collector_are_gone: ["sumo: .*hosted"],
    credential_of_an_agent_is_gone: ["sumo: the credential"],
    upgrade_is_gone: ["upgrades: .*upgrade.* is None"],
    upgrade_that_is_over_is_open_again: ["upgrades: .*upgrade"],
    upgrade_is_over_too_early: ["upgrades: .*upgrade"],
    version_of_an_upgraded_agent_is_another: ["upgrades: .*agent"],
    build_is_cut: [CHECK, "upgrades: the build"], build_is_gone: [CHECK, "upgrades: the build"],
    received_line_is_gone: ["received: file: .* did not come"],
    received_lines_are_swapped: ["for the first time after"],
    received_byte_is_another: ["received: file: .* other bytes"],
    spool_is_gone: ["received: http: .* did not come"],
    spool_is_damaged: [CHECK, "received: http: .* did not come"],
    text_is_counted_wrong: [CHECK], tenant_event_is_gone: ["tenant .* has events"],
    tenant_is_gone: [CHECK, "tenant .* was created and is not there"],
    file_is_older: ["lost"], page_is_overwritten: [CHECK]}


async def _judge(run, server, model):
    """What a round does after a kill; returns the complaints."""
    run.server, run.model = server, model
    said = []
    try:
        run.check()
    except Failure as noticed:
        said.append(str(noticed))
    try:
        await run.start()
    except (Failure, Broken, Lost) as noticed:
        said.append(str(noticed))
    finally:
        server.kill()
    return said


def _is_good(damage, said):
    if not damage:
        return not said
    return all(any(re.search(words, text, re.S) for text in said) for words in DAMAGES[damage])


async def add_what_is_needed(run):
    """Something to damage of each kind, and a few messages that stay in the spool. How far the
    rounds came is chance; what is asked of the comparison is not."""
    run.sink.stall()
    client = Client(run, 0, random.Random(run.options.seed))
    async with run.connection() as client.connection:
        while not _has_victims(run.model):
            await client.one_change()
        for _ in range(UNDELIVERED):
            await received.send(client)


async def self_test(run):
    await run.sink.open()
    await run.fresh()
    sound = run.server
    older = run.scratch / "older"
    for _ in range(3):
        await run.start()
        if not older.exists():
            sound.stop()
            shutil.copytree(sound.data, older, ignore=shutil.ignore_patterns("*.sock"))
            await run.start()
        await run.load("writes")
        run.check()
    await run.start()
    await add_what_is_needed(run)
    sound.stop()
    model = run.model
    missed = 0
    for damage in (None, *DAMAGES):
        data = run.scratch / "damaged"
        shutil.copytree(sound.data, data, ignore=shutil.ignore_patterns("*.sock"))
        server = type(sound)(sound.binary, data, sound.log, sound.flags)
        copy = model.copy()
        if damage:
            damage(server, copy, older)
            copy.received.patience = PATIENCE
        said = await _judge(run, server, copy)
        name = damage.__name__.replace("_", " ") if damage else "no damage"
        good = _is_good(damage, said)
        missed += not good
        told = " ".join("; ".join(said or ["nothing to complain"]).split())
        print(f"torture: self-test: {name}: {'ok' if good else 'WRONG'}: {told[:300]}", flush=True)
        shutil.rmtree(data)
    run.server = sound
    if missed:
        raise Failure(f"{missed} of {len(DAMAGES) + 1} cases were judged wrongly")
    print(f"torture: self-test: {len(DAMAGES)} damages noticed")
