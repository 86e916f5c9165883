# SPDX-License-Identifier: Apache-2.0
"""Data from end to end: what the URL of a source and a collector's own credential take, what rules
make of it, and that all that was acknowledged reaches every sink in its order, across a target
that fails and a server that is killed."""
import base64
import gzip
import json
import resource
import socket
import threading
import zlib

import pytest

from fleet.client import case
from harness import Closed, Server, Wire, own_port, wait_for
from sumo.client import Sumo, error_of
from sumo.target import Target

HTTP = {"sourceType": "HTTP", "name": "in", "messagePerRequest": False}


class Door:
    """The URL of a source, and what a file sink has of it."""

    def __init__(self, sumo, collector=None, /, **members):
        self.sumo = sumo
        self.collector = collector or sumo.create(f"home of {members.get('name', 'in')}")["id"]
        self.source = sumo.add_source(self.collector, **{**HTTP, **members})
        self.path = self.source["url"][self.source["url"].index("/receiver"):]
        self.file = sumo.server.data / "received.ndjson"

    def send(self, data=None, headers=(), method="POST", suffix=""):
        headers = list(headers)
        if data is not None and not any(h.lower().startswith("content-type:") for h in headers):
            headers.append("Content-Type: application/x-www-form-urlencoded")
        if self.sumo.wire is None:
            self.sumo.wire = self.sumo.server.connect()
        return self.sumo.wire.request(method, self.path + suffix, data, None, headers)

    def give(self, data, headers=(), **more):
        answer = self.send(data, headers, **more)
        assert answer.status == 200 and answer.body == b"", answer
        assert answer.fields["content-length"] == "0"

    def records(self):
        if not self.file.exists():
            return []
        lines = self.file.read_bytes().split(b"\n")[:-1]  # the last one may not be whole yet
        return [r for r in map(self.read, lines) if r and r["source"] == self.source["id"]]

    def read(self, line):
        """None: a kill has cut it. It stands there as it is, and comes again as a whole."""
        try:
            return json.loads(line)
        except ValueError:
            assert self.sumo.server.killed, line
            return None

    def wait(self, count=1):
        """The first records, once they are there."""
        wait_for(f"{count} records", lambda: len(self.records()) >= count)
        return self.records()[:count]

    def one(self):
        record, = self.wait()
        return record


@pytest.fixture
def door(sumo):
    return Door(sumo)


# --- forms of requests


def test_data_arrives(sumo, door):
    door.give(b"first line\nsecond line\n")
    record = door.one()
    assert record["data"] == "first line\nsecond line\n"
    assert (record["collector"], record["source"]) == (door.collector, door.source["id"])
    assert record["type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("pack, coding", [
    case("gzip", gzip.compress, "gzip"), case("deflate", zlib.compress, "deflate"),
    case("capitals", gzip.compress, "GZIP"), case("identity", bytes, "identity")])
def test_packed_data_is_unpacked(door, pack, coding):
    door.give(pack(b"line\n" * 500), [f"Content-Encoding: {coding}"])
    assert door.one()["data"] == "line\n" * 500


def bare_deflate(data):
    """As OpenTelemetry's exporter packs: without zlib's frame."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def test_deflate_without_a_frame(door):
    door.give(bare_deflate(b"line\n" * 500), ["Content-Encoding: deflate"])
    door.give(bare_deflate(b""), ["Content-Encoding: deflate"])
    assert door.one()["data"] == "line\n" * 500


def test_gzip_in_several_members(door):
    door.give(gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two"),
              ["Content-Encoding: gzip"])
    assert door.one()["data"] == "one two"


def test_chunked_data(door):
    wire = door.sumo.server.connect()
    wire.send(f"POST {door.path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
              "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n".encode())
    assert wire.answer("POST").status == 200
    wire.close()
    assert door.one()["data"] == "hello world"


def test_data_in_a_query(door):
    door.give(None, method="GET", suffix="?hello%20world+again")
    assert door.one()["data"] == "hello world again"


def test_bytes_that_are_no_text(door):
    door.give(b"\xff\xfe\x00\x01", ["Content-Type: application/octet-stream"])
    assert base64.b64decode(door.one()["data_base64"]) == b"\xff\xfe\x00\x01"


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "text/plain",
                                   "application/json", "application/x-protobuf",
                                   "application/vnd.sumologic.prometheus", "nonsense"])
def test_any_media_type(door, media):
    door.give(b"data", [f"Content-Type: {media}"])
    assert door.one()["type"] == media


@pytest.mark.parametrize("suffix", ["/v1/logs", "/v1/metrics", "/v1/traces"])
def test_what_otlp_appends(sumo, suffix):
    door = Door(sumo, name="otlp", contentType="Otlp")
    door.give(b"\x0a\x00", ["Content-Type: application/x-protobuf"], suffix=suffix)
    assert door.one()["metadata"]["signal"] == suffix.rpartition("/")[2]


def test_metadata_of_the_source_and_of_the_request(sumo):
    door = Door(sumo, name="named", category="source/category", hostName="source-host",
                fields={"team": "a"})
    door.give(b"one")
    door.give(b"two", ["X-Sumo-Host: request-host", "X-Sumo-Category: request/category",
                       "X-Sumo-Name: request-name", "X-Sumo-Fields: k=v, team=b",
                       "X-Sumo-Client: test", "X-Sumo-Dimensions: a=b,c=d",
                       "X-Sumo-Metadata: e=f"])
    one, two = (r["metadata"] for r in door.wait(2))
    assert (one["host"], one["category"]) == ("source-host", "source/category")
    assert "team=a" in one["fields"]
    assert (two["host"], two["category"], two["name"]) == (
        "request-host", "request/category", "request-name")
    assert "k=v" in two["fields"] and "team=b" in two["fields"]
    assert (two["dimensions"], two["metadata"]) == ("a=b,c=d", "e=f"), "what metrics have"


def test_sources_inherit_from_their_collector(tmp_path):
    def said(number):
        told = door.wait(number)[-1]["metadata"]
        return told.get("category"), told.get("fields")

    server = Server(tmp_path).start()
    with Sumo(server) as sumo:
        home = sumo.create("home", category="first", fields={"team": "b"})["id"]
        door = Door(sumo, home, fields={"tier": "gold"})
        door.give(b"from the start")
        assert said(1) == ("first", "tier=gold, team=b")
        sumo.change(door.collector, category="home/category", fields={"team": "a", "zone": "b"})
        door.give(b"changed")
        assert said(2) == ("home/category", "tier=gold, team=a, zone=b")
        door.give(b"said", ["X-Sumo-Category: said", "X-Sumo-Fields: k=v"])
        assert said(3) == ("said", "k=v, tier=gold, team=a, zone=b")
        server.stop()
        sumo.hang_up()
        server.start()
        door.give(b"after a restart")
        assert said(4) == ("home/category", "tier=gold, team=a, zone=b")
        sumo.change_source(door.collector, door.source["id"], category="own")
        door.give(b"the source has one")
        assert said(5) == ("own", "tier=gold, team=a, zone=b")
        later = Door(sumo, door.collector, name="later")
        later.give(b"later")
        assert later.one()["metadata"]["fields"] == "team=a, zone=b"
        sumo.change(door.collector, drop=["category", "fields"])
        door.give(b"nothing any more")
        assert said(6) == ("own", "tier=gold")
    server.stop()


def test_long_fields_of_a_collector_are_left_out_whole(sumo):
    door = Door(sumo)
    written = {str(i) * 250: "v" * 200 for i in range(10)}
    sumo.change(door.collector, fields=written)
    door.give(b"x")
    fields = door.one()["metadata"]["fields"].split(", ")
    assert fields == [f"{k}={v}" for k, v in written.items()][:9]


def test_nothing_is_taken_and_good(door):
    door.give(b"")
    assert door.send(None, method="HEAD").status == 200
    door.give(b"something")
    assert door.one()["data"] == "something"


def test_each_source_is_counted(sumo, door):
    path = f"/collectors/{door.collector}/sources/{door.source['id']}"
    assert "receiver" not in sumo.get(path)["source"]
    door.give(b"a\nb\n\nc\n")
    tag = sumo.etag(path)
    door.give(b"d")
    counted = sumo.get(path)["source"]["receiver"]
    assert counted.pop("lastReceived") > 1_700_000_000_000
    assert counted == {"requests": 2, "messages": 4, "bytes": 8}
    assert sumo.etag(path) == tag, "counts are no configuration"
    sumo.change_source(door.collector, door.source["id"])
    assert sumo.etag(path) == tag, "not even where they are written back"
    assert "receiver" not in json.dumps(sumo.get(path + "?download=true"))


def test_counts_begin_again_with_the_server(tmp_path):
    server = Server(tmp_path).start()
    with Sumo(server) as sumo:
        door = Door(sumo)
        path = f"/collectors/{door.collector}/sources/{door.source['id']}"
        door.give(b"a\nb\n")
        before = sumo.get(path)["source"]
        assert before.pop("receiver")["messages"] == 2 and before["alive"] is True
        server.kill()
        sumo.hang_up()
        server.start()
        assert sumo.get(path)["source"] == before
        door.give(b"c\n")
        counted = sumo.get(path)["source"]["receiver"]
        assert (counted["requests"], counted["messages"]) == (1, 1)
    server.stop()


# --- refusals


def refused(answer, status):
    assert answer.status == status and answer.body, answer
    assert answer.fields["content-type"].startswith("text/plain"), answer


def test_codes_that_are_nobodys(sumo, door):
    for code, status in (("x", 404), (door.source["token"][:-1], 404), ("a" * 5000, 404),
                         (door.source["token"] + "x", 404), ("%00", 400), ("%FF", 400)):
        with sumo.server.connect() as wire:
            refused(wire.request("POST", f"/receiver/v1/http/{code}", b"x"), status)


def test_a_door_closes_with_its_source_and_collector(sumo, door):
    other = Door(sumo, name="other")
    door.give(b"before")
    sumo.delete(f"/collectors/{door.collector}/sources/{door.source['id']}")
    refused(door.send(b"after"), 404)
    sumo.delete(f"/collectors/{other.collector}")
    refused(other.send(b"after"), 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods(door, method):
    refused(door.send(b"x", method=method), 405)


@pytest.mark.parametrize("coding, body, status", [
    case("not packed at all", "gzip", b"plain", 400),
    case("cut off", "gzip", gzip.compress(b"x" * 1000)[:-9], 400),
    case("a bomb", "gzip", gzip.compress(b"\0" * (20 << 20)), 413),
    case("another coding", "br", b"x", 415)])
def test_bodies_that_cannot_be_unpacked(door, coding, body, status):
    answer = door.send(body, [f"Content-Encoding: {coding}"])
    assert answer.status == status, answer
    door.sumo.hang_up()
    door.give(b"good")
    assert door.one()["data"] == "good"


@pytest.mark.parametrize("line", ["X-Sumo-Name: a\x01b", "X-Sumo-Name: a\x00b",
                                  "X-Sumo-Name: a\rb", "Content-Type: a\x7fb", "X-Sumo-Name : a"])
def test_fields_that_are_none(door, line):
    with door.sumo.server.connect() as wire:
        wire.send(f"POST {door.path} HTTP/1.1\r\nHost: a\r\n{line}\r\nContent-Length: 1\r\n\r\nx"
                  .encode("latin-1"))
        assert wire.answer("POST").status == 400
    door.give(b"good", ["X-Sumo-Name: \u00c3\u00a4", "X-Sumo-Host: " + "h" * 6000])
    record = door.one()
    assert record["data"] == "good" and len(record["metadata"]["host"]) == 4096


def test_too_much_at_once(door):
    wire = door.sumo.server.connect()
    wire.send(f"POST {door.path} HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n"
              "Expect: 100-continue\r\n\r\n".encode())
    assert wire.answer("POST").status == 413
    wire.close()


def test_data_that_comes_in_is_bounded_in_all(tmp_path):
    """A body has its memory before it comes; whoever finds none left comes again."""
    with Server(tmp_path, "--receiver-memory", "1MiB") as server, Sumo(server) as sumo:
        door = Door(sumo)
        collector = sumo.register("c")
        slow = server.connect()
        slow.send(f"POST {door.path} HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n"
                  "Expect: 100-continue\r\n\r\n".encode())
        assert slow.answer("POST", interim=True).status == 100
        answer = door.send(b"x" * 300000)
        refused(answer, 503)
        assert int(answer.fields["retry-after"]) >= 1
        sumo.hang_up()
        with server.connect() as wire:
            answer = wire.request("POST", "/api/v1/collector/logs", b"x" * 300000, None,
                                  [collector.authorization, "Content-Type: text/plain"])
        assert answer.status == 503 and answer.fields["retry-after"]
        door.give(b"small")
        assert sumo.listed() == ["home of in", "c"], "everything else goes on"
        slow.send(b"y" * 900000)
        assert slow.answer("POST").status == 200
        slow.close()

        def taken(head, body):
            with server.connect() as wire:
                wire.send(f"POST {door.path} HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{body}".encode())
                return wire.answer("POST").status == 200

        # What is answered may still have its room for a moment.
        wait_for("room", lambda: taken("Content-Length: 900000", "x" * 900000))
        wait_for("all of the room", lambda: taken("Transfer-Encoding: chunked",
                                                  "1\r\nx\r\n0\r\n\r\n"))


def test_what_is_unpacked_is_bounded_in_all(tmp_path):
    """Data for rules waits for a worker as large as it has become."""
    with Server(tmp_path, "--receiver-memory", "1MiB") as server, Sumo(server) as sumo:
        door = Door(sumo, filters=[{"filterType": "Exclude", "name": "n", "regexp": "no"}])
        packed = gzip.compress(b"yes\n" * 2000000)
        assert len(packed) * 16 < 400000
        door.give(packed, ["Content-Encoding: gzip"])
        sumo.hang_up()

        def begin():
            wire = server.connect()
            wire.send(f"POST {door.path} HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n"
                      "Expect: 100-continue\r\n\r\n".encode())
            if wire.answer("POST", interim=True).status == 100:
                return wire
            wire.close()
            return None

        # What was answered may still have its room for a moment.
        slow = wait_for("room", begin)
        refused(door.send(packed, ["Content-Encoding: gzip"]), 503)
        slow.send(b"y" * 500000)
        assert slow.answer("POST").status == 200
        slow.close()


def test_the_url_needs_no_credential_and_shows_in_no_log(sumo, door):
    door.give(b"x")
    assert door.source["token"] not in sumo.server.log()


# --- rules


@pytest.mark.parametrize("rules, wanted", [
    case("exclude", [("Exclude", ".*two.*")], ["one id=1", "three id=3"]),
    case("include", [("Include", ".*two.*")], ["two id=2"]),
    case("include and exclude", [("Include", ".*t.*"), ("Exclude", ".*two.*")], ["three id=3"]),
    case("mask", [("Mask", "id=(\\d)", "#")], ["one id=#", "two id=#", "three id=#"]),
    case("hash", [("Hash", "id=(1)")],
         ["one id=c4ca4238a0b923820dcc509a6f75849b", "two id=2", "three id=3"]),
    case("mask and exclude", [("Mask", "(t)", "T"), ("Exclude", "one.*")],
         ["Two id=2", "Three id=3"])])
def test_rules_apply_on_the_way(sumo, rules, wanted):
    door = Door(sumo, filters=[
        {"name": f"r{n}", "filterType": rule[0], "regexp": rule[1],
         **({"mask": rule[2]} if len(rule) > 2 else {})} for n, rule in enumerate(rules)])
    door.give(b"one id=1\ntwo id=2\nthree id=3\n")
    assert door.one()["data"].split("\n") == wanted


def test_a_hash_by_sha_256(sumo):
    door = Door(sumo, hashAlgorithm="SHA-256",
                filters=[{"name": "r", "filterType": "Hash", "regexp": "id=(\\d+)"}])
    door.give(b"id=1")
    assert door.one()["data"] == \
        "id=6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"


def test_a_request_is_one_message_where_it_is_said(sumo):
    door = Door(sumo, messagePerRequest=True, multilineProcessingEnabled=False, filters=[
        {"name": "r", "filterType": "Exclude", "regexp": "(?s).*two.*"}])
    door.give(b"one\ntwo\n")
    door.give(b"three\nfour\n")
    assert door.one()["data"] == "three\nfour\n"


TRACE = "2026-11-21 12:00:00 boom\njava.lang.Error: x\n\tat y\nCaused by: z"
FINE = "2026-11-21 12:00:01 fine"


@pytest.mark.parametrize("members, wanted, count", [
    case("found out", {}, [FINE], 1),
    case("each line", {"multilineProcessingEnabled": False},
         TRACE.split("\n")[1:] + [FINE], 4),
    case("a prefix", {"useAutolineMatching": False, "manualPrefixRegexp": "\\d{4}-"}, [FINE], 1),
    case("neither", {"useAutolineMatching": False}, TRACE.split("\n")[1:] + [FINE], 4),
    case("a request", {"messagePerRequest": True}, [], 0)])
def test_rules_see_messages_of_several_lines(sumo, members, wanted, count):
    door = Door(sumo, filters=[
        {"name": "r", "filterType": "Exclude", "regexp": "(?s).*boom.*"}], **members)
    door.give(f"{TRACE}\n{FINE}\n".encode())
    door.give(b"last")
    assert [line for r in door.wait(2 if wanted else 1) for line in r["data"].split("\n")] == \
        wanted + ["last"]
    path = f"/collectors/{door.collector}/sources/{door.source['id']}"
    assert sumo.get(path)["source"]["receiver"]["messages"] == count + 1


def test_messages_are_counted_without_rules(sumo):
    door = Door(sumo, useAutolineMatching=False, manualPrefixRegexp="\\d{4}-")
    data = f"\n{TRACE}\r\n\r\n{FINE}\n"
    door.give(data.encode())
    assert door.one()["data"] == data, "as it came"
    path = f"/collectors/{door.collector}/sources/{door.source['id']}"
    assert sumo.get(path)["source"]["receiver"]["messages"] == 2


def test_a_prefix_that_cannot_be_used_is_refused(sumo):
    collector = sumo.create("c")["id"]
    source = {**HTTP, "useAutolineMatching": False, "manualPrefixRegexp": "(?=a)"}
    answer = sumo.api("POST", f"/collectors/{collector}/sources", {"source": source})
    assert answer.status == 400 and error_of(answer)["code"].endswith("fields.invalid")
    sumo.add_source(collector, **{**source, "useAutolineMatching": True})


def test_no_message_is_cut_by_its_rules(sumo):
    door = Door(sumo, filters=[{"name": "r", "filterType": "Mask", "regexp": "(x)", "mask": "yy"}],
                messagePerRequest=True)
    door.give(b"x" * 100000)
    assert door.one()["data"] == "yy" * 100000


def test_rules_that_change_hold_from_then_on(sumo, door):
    door.give(b"secret=1")
    sumo.change_source(door.collector, door.source["id"], filters=[
        {"name": "r", "filterType": "Mask", "regexp": "secret=(\\d)", "mask": "*"}])
    door.give(b"secret=2")
    assert [r["data"] for r in door.wait(2)] == ["secret=1", "secret=*"]


def test_rules_are_for_text_only(sumo):
    """What a rule hides must not pass in another form."""
    door = Door(sumo, filters=[{"name": "r", "filterType": "Mask", "regexp": "(x)", "mask": "*"}])
    refused(door.send(b"\x0a\x01x", ["Content-Type: application/x-protobuf"]), 400)


# --- collectors' own data


@pytest.mark.parametrize("signal", ["logs", "metrics", "traces"])
def test_what_an_installed_collector_sends(sumo, signal):
    collector = sumo.register("c")
    answer = collector.call(f"/collector/{signal}", gzip.compress(b"data"), [
        "Content-Type: application/x-www-form-urlencoded", "Content-Encoding: gzip",
        "X-Sumo-Client: otelcol", "X-Sumo-Fields: a=b, c=d"])
    assert answer.status in (200, 204) and answer.body == b""
    sumo.delete(f"/collectors/{collector.id}")
    answer = collector.call(f"/collector/{signal}", b"data")
    assert answer.status == 401 and answer.body


def test_what_an_installed_collector_sends_has_its_fields(sumo):
    collector = sumo.register("c", None, category="agents", fields={"team": "a"})
    answer = collector.call("/collector/logs", b"data", ["X-Sumo-Fields: b=c"])
    assert answer.status in (200, 204)
    file = sumo.server.data / "received.ndjson"

    def record():
        lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
        return next((r for r in map(json.loads, lines) if r["collector"] == collector.id), None)
    told = wait_for("the record", record)["metadata"]
    assert (told["category"], told["fields"]) == ("agents", "b=c, team=a")


def test_access_keys_send_no_data(sumo):
    answer = sumo.api("POST", "/collector/logs", b"x", ["Content-Type: text/plain"])
    assert answer.status == 401, answer


def test_errors_of_collectors_data(sumo):
    answer = sumo.api("POST", "/collector/logs", b"x", authorization=None)
    assert answer.status == 401 and error_of(answer)["code"] == "unauthorized"


# --- to the end, whatever happens


def numbered(first, count):
    return "".join(f"{n:06d}\n" for n in range(first, first + count)).encode()


def in_order(lines, acknowledged):
    """Every acknowledged number is there, and repeats go back without leaving anything out."""
    numbers = [int(line) for line in lines if line]
    assert set(range(acknowledged)) <= set(numbers)
    high = -1
    for n in numbers:
        assert n <= high + 1, f"{n} came before {high + 1}"
        high = max(high, n)


def data_of(door):
    return [line for r in door.records() for line in r["data"].split("\n")]


def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path):
    server = Server(tmp_path).start()
    with Sumo(server) as sumo:
        door = Door(sumo)
        sent = 0
        for round_ in range(4):
            for _ in range(20 * (round_ + 1)):
                door.give(numbered(sent, 10))
                sent += 10
            server.kill()
            sumo.hang_up()
            server.start()
            door.file = server.data / "received.ndjson"
        door.give(numbered(sent, 10))
        sent += 10
        wait_for("the last number", lambda: f"{sent - 1:06d}" in data_of(door))
        in_order(data_of(door), sent)
    server.stop()


def test_a_server_killed_amid_requests(tmp_path):
    """Several senders, each with a source of its own; what the last request of each brought may be
    there or not."""
    server = Server(tmp_path).start()
    with Sumo(server) as sumo:
        doors = [Door(sumo, name=f"s{n}") for n in range(4)]
        acknowledged = [0] * len(doors)

        def push(at):
            with Wire(server.port()) as wire:
                try:
                    while True:
                        first = acknowledged[at]
                        answer = wire.request("POST", doors[at].path, numbered(first, 5), None,
                                              ["Content-Type: text/plain"])
                        assert answer.status == 200
                        acknowledged[at] = first + 5
                except (Closed, ConnectionError, OSError):
                    pass

        threads = [threading.Thread(target=push, args=(n,)) for n in range(len(doors))]
        for thread in threads:
            thread.start()
        wait_for("some data", lambda: min(acknowledged) >= 100)
        server.kill()
        for thread in threads:
            thread.join()
        sumo.hang_up()
        server.start()
        for n, door in enumerate(doors):
            door.give(b"%06d\n" % 999999)
            wait_for("the last number", lambda: "999999" in data_of(door))  # noqa: B023
            lines = [line for line in data_of(door) if line != "999999"]
            numbers = [int(line) for line in lines if line]
            assert set(range(acknowledged[n])) <= set(numbers)
            # The one that was under way comes at most once more, as nobody sent it again.
            assert max(numbers) < acknowledged[n] + 5
            in_order(lines, acknowledged[n])
    server.stop()


@pytest.fixture
def forwarding(tmp_path):
    """A server that forwards to an endpoint and to a file."""
    with Target() as target:
        server = Server(tmp_path, "--sink-targets", f"there={target.url()}",
                        "--sink-targets", "here=file:here.ndjson", "--sink-retry", "10ms",
                        "--sink-retry-max", "20ms", "--outbound-allow", "127.0.0.1")
        with server, Sumo(server) as sumo:
            door = Door(sumo, category="cat", hostName="h", fields={"k": "v"})
            door.file = server.data / "here.ndjson"
            yield server, target, door


def test_data_is_forwarded_with_its_metadata(forwarding):
    _, target, door = forwarding
    door.give(b"hello", ["Content-Type: text/plain", "X-Sumo-Dimensions: a=b"])
    wait_for("the data", lambda: target.taken)
    taken = target.taken[0]
    assert taken.path == "/in" and taken.body == b"hello"
    assert taken.fields["content-type"].startswith("text/plain")
    assert (taken.fields["x-sumo-category"], taken.fields["x-sumo-host"]) == ("cat", "h")
    assert "k=v" in taken.fields["x-sumo-fields"]
    assert taken.fields["x-sumo-dimensions"] == "a=b"
    assert door.one()["data"] == "hello", "each sink gets all of it"


def test_a_long_media_type_holds_nothing_up(tmp_path):
    """What a client calls its data, and what its source adds to that, fits into a head."""
    with Target() as target:
        with Server(tmp_path, "--sink-targets", f"there={target.url()}", "--sink-retry", "10ms",
                    "--outbound-allow", "127.0.0.1") as server, Sumo(server) as sumo:
            door = Door(sumo, category="c" * 1000, fields={f"k{i}": "v" * 200 for i in range(5)})
            door.give(b"first", ["Content-Type: text/plain; x=" + "y" * 64000])
            door.give(b"second", ["Content-Type: text/plain"])
            wait_for("both", lambda: target.lines() == ["first", "second"])
            assert target.taken[0].fields["content-type"].startswith("text/plain; x=yyy")


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_target_that_fails_gets_it_again_in_order(forwarding, status):
    _, target, door = forwarding
    target.refusals = [status] * 5
    for n in range(20):
        door.give(numbered(n * 5, 5))
    wait_for("the last number", lambda: "000099" in target.lines())
    in_order(target.lines(), 100)
    assert target.refused, "it failed at first"
    wait_for("the other sink", lambda: "000099" in data_of(door))


def test_what_a_target_does_not_want_is_dropped(forwarding):
    server, target, door = forwarding
    target.refusals = [400]
    door.give(b"unwanted")
    wait_for("the refusal", lambda: target.refused)
    door.give(b"wanted")
    wait_for("the rest", lambda: "wanted" in target.lines())
    assert "unwanted" not in target.lines()
    assert server.wait_for_line(level="warn", status=400)


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 410])
def test_what_an_operator_can_mend_loses_nothing(forwarding, status):
    _, target, door = forwarding
    target.refusals = [status] * 3
    for n in range(10):
        door.give(numbered(n * 5, 5))
    wait_for("the last number", lambda: "000049" in target.lines())
    in_order(target.lines(), 50)
    assert len(target.refused) == 3


def test_requests_that_are_messages_stay_apart(tmp_path):
    with Target() as target:
        target.refusals = [503] * 3
        with Server(tmp_path, "--sink-targets", f"there={target.url()}", "--sink-retry", "10ms",
                    "--outbound-allow", "127.0.0.1") as server, Sumo(server) as sumo:
            door = Door(sumo, messagePerRequest=True)
            for n in range(5):
                door.give(b"%d\nmore" % n)
            wait_for("all", lambda: len(target.taken) == 5)
    assert [t.body for t in target.taken] == [b"%d\nmore" % n for n in range(5)]


def test_what_waits_outlives_its_source_and_collector(tmp_path):
    port = own_port()
    with Server(tmp_path, "--sink-targets", f"there=http://127.0.0.1:{port}/in", "--sink-retry",
                "10ms", "--sink-retry-max", "20ms", "--outbound-allow",
                "127.0.0.1") as server, Sumo(server) as sumo:
        doors = [Door(sumo, name=name) for name in ("a", "b")]
        for door in doors:
            door.give(door.source["name"].encode())
        sumo.delete(f"/collectors/{doors[0].collector}/sources/{doors[0].source['id']}")
        sumo.delete(f"/collectors/{doors[1].collector}")
        again = Door(sumo, name="b")
        assert again.source["token"] != doors[1].source["token"]
        again.give(b"again")
        with Target(port) as target:
            wait_for("all", lambda: len(target.taken) == 3)
            assert [t.body for t in target.taken] == [b"a", b"b", b"again"]


def test_a_sink_under_a_new_name_gets_what_is_there(tmp_path):
    port = own_port()
    away = ["--sink-targets", f"old=http://127.0.0.1:{port}/in", "--outbound-allow", "127.0.0.1"]
    with Server(tmp_path, *away) as server, Sumo(server) as sumo:
        door = Door(sumo)
        door.give(numbered(0, 10))
    flags = ["--sink-targets", "new=file:received.ndjson"]
    with Server(tmp_path, *flags) as server:
        wait_for("the data", lambda: "000009" in data_of(door))
        assert sorted(p.name for p in (server.data / "spool").glob("*.cursor")) == ["new.cursor"]
    in_order(data_of(door), 10)


def test_a_server_that_stops_while_its_target_hangs(tmp_path):
    """It is not held up for long, and the data comes with the next start."""
    with socket.create_server(("127.0.0.1", own_port())) as silent:
        port = silent.getsockname()[1]
        flags = ["--sink-targets", f"there=http://127.0.0.1:{port}/in", "--outbound-allow",
                 "127.0.0.1", "--sink-retry", "10ms"]
        with Server(tmp_path, *flags) as server, Sumo(server) as sumo:
            Door(sumo).give(b"kept")
            hanging, _ = silent.accept()
    hanging.close()
    with Target(port) as target, Server(tmp_path, *flags):
        wait_for("the data", lambda: "kept" in target.lines())


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path):
    with Server(tmp_path) as server, Sumo(server) as sumo:
        door = Door(sumo)
        door.give(b"before")
        pid = server.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
        answer = door.send(b"x" * (2 << 20))
        assert answer.status == 503 and int(answer.fields["retry-after"]) >= 1
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        sumo.hang_up()
        door.give(b"after")
        wait_for("the rest", lambda: [r["data"] for r in door.records()][-1:] == ["after"])
        assert [r["data"] for r in door.records()] == ["before", "after"]


def test_a_target_that_is_away_and_a_server_that_is_killed(tmp_path):
    port = own_port()
    server = Server(tmp_path, "--sink-targets", f"there=http://127.0.0.1:{port}/in",
                    "--sink-retry", "10ms", "--sink-retry-max", "20ms", "--outbound-allow",
                    "127.0.0.1").start()
    with Sumo(server) as sumo:
        door = Door(sumo)
        door.give(numbered(0, 50))
        server.kill()
        sumo.hang_up()
        server.start()
        door.give(numbered(50, 50))
        with Target(port) as target:
            wait_for("the last number", lambda: "000099" in target.lines())
            in_order(target.lines(), 100)
    server.stop()


def test_senders_are_held_back_when_nothing_goes_on(tmp_path):
    port = own_port()
    with Server(tmp_path, "--sink-targets", f"there=http://127.0.0.1:{port}/in",
                "--sink-retry", "10ms", "--sink-retry-max", "20ms", "--outbound-allow",
                "127.0.0.1", "--spool-total-bytes", "1MiB", "--spool-segment-bytes",
                "64KiB") as server, Sumo(server) as sumo:
        door = Door(sumo)
        taken = 0
        for _ in range(100):
            answer = door.send(b"%06d" % taken + b"x" * 32768)
            if answer.status != 200:
                break
            taken += 1
        assert answer.status in (429, 503) and 10 < taken < 40
        assert int(answer.fields["retry-after"]) >= 1
        refused(answer, answer.status)
        assert sumo.listed() == ["home of in"], "everything else goes on"
        with Target(port) as target:
            wait_for("what was taken", lambda: b"%06d" % (taken - 1) in b"".join(
                t.body for t in target.taken))
            wait_for("room", lambda: door.send(b"again").status == 200)
            wait_for("the rest", lambda: b"again" in b"".join(t.body for t in target.taken))
        body = b"".join(t.body for t in target.taken)
        places = [body.index(b"%06d" % n) for n in range(taken)]
        assert places == sorted(places)


def test_a_url_survives_the_server(tmp_path):
    server = Server(tmp_path).start()
    with Sumo(server) as sumo:
        door = Door(sumo, category="kept", filters=[
            {"name": "r", "filterType": "Mask", "regexp": "(x)", "mask": "*"}])
        server.stop()
        sumo.hang_up()
        server.start()
        door.give(b"x")
        record = door.one()
        assert record["data"] == "*" and record["metadata"]["category"] == "kept"
    server.stop()


def test_one_target_twice_is_a_mistake(tmp_path):
    with pytest.raises(AssertionError, match="ended with"):
        Server(tmp_path, "--sink-targets", "a=file:x", "--sink-targets", "a=file:y").start()
