# SPDX-License-Identifier: Apache-2.0
"""The proof that the driver can fail: after real rounds the stopped server's data is copied, damaged
in one way that a storage defect could, and given to the comparison, which has to notice. The same
data without damage has to pass."""
import json
import os
import shutil
import sqlite3
from contextlib import closing

import received
from model import State
from server import Broken, Failure


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


def _key(model, state):
    return next(key for key in model.tenants["default"].keys.values()
                if key.state is state and key.label.startswith("k"))


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
         (next(k.id for k in model.live_keys() if k.expires),))


def event_is_gone(server, model, _):
    _sql(server, "delete from {table} where subject = ? and kind = 'key.created'",
         ("subject", "kind", "seq"), (_key(model, State.THERE).id,))


def agent_is_gone(server, model, _):
    name = next(name for kind, name in model.fleet.values if kind == "agent")
    with closing(sqlite3.connect(server.data_file())) as database:
        database.execute("delete from collector_seen")
        database.commit()
    _sql(server, "delete from {table} where ext_id = ?", ("ext_id", "labels"), (name,))


def remote_attributes_are_gone(server, model, _):
    name = next(name for (kind, name), value in model.fleet.values.items()
                if kind == "agent" and value["remote"])
    _sql(server, "update {table} set labels = x'' where ext_id = ?", ("ext_id", "labels"), (name,))


def pipeline_is_enabled(server, model, _):
    name = next(name for (kind, name), value in model.fleet.values.items()
                if kind == "pipeline" and not value["enabled"])
    with closing(sqlite3.connect(server.data_file())) as database:
        changed = database.execute("update pipelines set enabled = 1 where name = ?", (name,))
        database.commit()
        if changed.rowcount != 1:
            raise Broken(f"{name} is no pipeline")


def _number(model, kind):
    return next(number for thing, number in model.sumo.ids.items() if thing[0] == kind)


def source_is_gone(server, model, _):
    _sql(server, "delete from {table} where id = ?", ("collector", "name", "body"),
         (_number(model, "source"),))


def fields_of_a_collector_are_gone(server, model, _):
    number = next(model.sumo.ids[thing] for thing, value in model.sumo.values.items()
                  if thing[0] == "hosted" and value["fields"])
    _sql(server, "update {table} set labels = x'' where id = ?", ("ext_id", "labels"), (number,))


def credential_of_an_agent_is_gone(server, model, _):
    _sql(server, "delete from {table} where id = ?", ("label", "role"),
         (next(iter(model.sumo.credentials.values()))[0],))


def received_line_is_gone(server, model, _):
    """With all its repetitions."""
    told = model.received
    gone = next((number, min(numbers)) for number, numbers in
                zip(told.ids, told.acknowledged) if numbers)
    file = server.data / received.FILE
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(line for line in lines if gone != (
        (record := json.loads(line))["source"], int(record["data"]))))


def received_lines_are_swapped(server, _, __):
    file = server.data / received.FILE
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(reversed(lines)))


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
    name = next(name for name in model.tenants if name != "default")
    _sql(server, "delete from {table} where name = ?", ("id", "name", "created_us"), (name,))


def file_is_older(server, _, older):
    name = server.data_file().name
    for path in list(server.data.iterdir()):
        if path.name.startswith(name):
            path.unlink()
    for path in older.iterdir():
        if path.is_file():
            shutil.copy2(path, server.data / path.name)


def page_is_overwritten(server, _, __):
    path = server.data_file()
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(os.urandom(4096))


DAMAGES = (key_is_gone, key_is_live_again, key_is_revoked, label_is_another, expiry_is_another,
           event_is_gone, agent_is_gone, remote_attributes_are_gone, pipeline_is_enabled,
           source_is_gone, fields_of_a_collector_are_gone, credential_of_an_agent_is_gone,
           received_line_is_gone, received_lines_are_swapped, text_is_counted_wrong, tenant_event_is_gone, tenant_is_gone, file_is_older,
           page_is_overwritten)


async def _judge(run, server, model):
    """What a round does after a kill; returns the complaint, or None."""
    run.server, run.model = server, model
    try:
        run.check()
        await server.start()
        await run.compare()
    except (Failure, Broken) as noticed:
        return str(noticed)
    finally:
        server.kill()
    return None


async def self_test(run):
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
        said = await _judge(run, server, copy)
        name = damage.__name__.replace("_", " ") if damage else "no damage"
        good = (said is None) == (damage is None)
        missed += not good
        first = (said or "nothing to complain").strip().splitlines()
        print(f"torture: self-test: {name}: {'ok' if good else 'WRONG'}: "
              f"{' '.join(first)[:150]}", flush=True)
        shutil.rmtree(data)
    run.server = sound
    if missed:
        raise Failure(f"{missed} of {len(DAMAGES) + 1} cases were judged wrongly")
    print(f"torture: self-test: {len(DAMAGES)} damages noticed")
