# SPDX-License-Identifier: Apache-2.0
"""Messages of the fleet as bytes that were recorded elsewhere: read and written by the codec byte
for byte, read by Debian's python3-protobuf as what they are said to be, and sent to the real
server."""
import base64
import hashlib
import struct
import subprocess

import pytest

from fleet.client import COLLECTORS
from harness import BUILD
from rpcclient import Api

PEER_TYPES = ["collector.v1.GetConfigRequest", "collector.v1.GetConfigResponse",
              "collector.v1.CreateCollectorRequest", "collector.v1.BulkUpdateCollectorsRequest"]
FIRST_TYPE = 4  # of these in the peer's table


def vector(name, kind, text, **fields):
    return pytest.param("collector.v1." + kind, bytes.fromhex(text), fields, id=name)


FIRST_POLL = "0a026331 220b0a03656e76120470726f64 2a00"
LATER_POLL = ("0a026331 1a026831 220b0a03656e76120470726f64 2a020801 "
              "32170a150a130a00120f0a0178120a746578742f706c61696e")
CREATE = "0a14 0a066b6172617375 3800 42060a0161120162 5802"
BULK = ("0a0161 0a0162 121e 0801 1214 72656d6f7465417474726962757465732e656e76 "
        "2204 70726f64")
GET = "CgJjMSILCgNlbnYSBHByb2Q"

VECTORS = [
    vector("a-first-poll", "GetConfigRequest", FIRST_POLL,
           id="c1", local_attributes={"env": "prod"}, remote_config_status={}),
    vector("a-later-poll", "GetConfigRequest", LATER_POLL,
           id="c1", hash="h1", local_attributes={"env": "prod"},
           remote_config_status={"status": "RemoteConfigStatuses_APPLIED"},
           effective_config={"config_map": {"config_map": {
               "": {"body": b"x", "content_type": "text/plain"}}}}),
    vector("not-modified", "GetConfigResponse", "12026831 1801", hash="h1", not_modified=True),
    vector("content", "GetConfigResponse", "0a052f2f20780a 12026831", content="// x\n", hash="h1"),
    vector("create", "CreateCollectorRequest", CREATE, collector={
        "id": "karasu", "remote_attributes": {"a": "b"}, "enabled": False,
        "collector_type": "COLLECTOR_TYPE_OTEL"}),
    vector("bulk-update", "BulkUpdateCollectorsRequest", BULK, ids=["a", "b"], ops=[
        {"op": "ADD", "path": "remoteAttributes.env", "value": "prod"}]),
    vector("a-get", "GetConfigRequest", base64.b64decode(GET + "=").hex(), id="c1",
           local_attributes={"env": "prod"}),
]


@pytest.fixture(scope="module")
def api():
    return Api()


def made(api, kind, fields):
    """A message; deep ones from plain values."""
    message = api.type(kind)()

    def fill(into, values):
        for name, value in values.items():
            place = getattr(into, name)
            if isinstance(value, dict) and hasattr(place, "SetInParent"):
                place.SetInParent()
                fill(place, value)
            elif isinstance(value, dict):  # a map
                for key, inner in value.items():
                    if isinstance(inner, dict):
                        fill(place[key], inner)
                    else:
                        place[key] = inner
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                for inner in value:
                    fill(place.add(), inner)
            elif isinstance(value, list):
                place.extend(value)
            else:
                field = into.DESCRIPTOR.fields_by_name[name]
                if field.enum_type:
                    value = field.enum_type.values_by_name[value].number
                setattr(into, name, value)

    fill(message, fields)
    return message


@pytest.mark.parametrize("kind, data, fields", VECTORS)
def test_debians_protobuf_reads_and_writes_them(api, kind, data, fields):
    message = made(api, kind, fields)
    assert api.type(kind).FromString(data) == message
    assert message.SerializeToString(deterministic=True) == data


@pytest.mark.parametrize("kind, data, fields", VECTORS)
def test_the_codec_reads_and_writes_them(kind, data, fields):
    index = FIRST_TYPE + PEER_TYPES.index(kind)
    # Entries of maps may leave out what is empty; a codec writes them in one form or the other.
    sent = struct.pack("<IBI", 1, index, len(data)) + data
    done = subprocess.run([BUILD / "tests/proto_peer"], input=sent, capture_output=True, check=True)
    accepted, length = struct.unpack("<BI", done.stdout[:5])
    assert (accepted, done.stdout[5:5 + length]) == (1, data)


def raw(fleet, method, text, headers=()):
    return fleet.proto(method, bytes.fromhex(text), headers)


def test_polls_in_bytes(fleet):
    fleet.pipeline("web", "// x\n", ["env=prod"])
    first = raw(fleet, "GetConfig", FIRST_POLL)
    content = fleet.content("c1", {"env": "prod"}).encode()
    hashed = hashlib.sha256(content).hexdigest().encode()
    length = len(content)
    assert length < 1 << 14
    head = bytes([length & 0x7f | 0x80, length >> 7]) if length > 0x7f else bytes([length])
    assert first == b"\x0a" + head + content + b"\x12\x40" + hashed
    assert fleet.agent("c1")["agent"]["status"] == "AGENT_STATUS_UNSET"
    # The same with a hash of somewhere else: everything again, and what it reports is kept.
    assert raw(fleet, "GetConfig", LATER_POLL) == first
    told = fleet.agent("c1")
    assert told["agent"]["status"] == "AGENT_STATUS_APPLIED"
    file, = told["effectiveConfig"]
    assert (file["body"], file["contentType"]) == ("eA==", "text/plain")
    # With ours: not modified, in so many bytes.
    mine = LATER_POLL.replace("1a026831", "1a40" + hashed.hex())
    assert raw(fleet, "GetConfig", mine) == b"\x12\x40" + hashed + b"\x18\x01"


def test_a_poll_by_get_in_bytes(fleet):
    posted = fleet.proto("GetConfig", base64.b64decode(GET + "="))
    answer = fleet.http("GET", f"{COLLECTORS}GetConfig?base64=1&encoding=proto&message={GET}")
    assert answer.status == 200 and answer.body == posted


def test_a_create_in_bytes(fleet, api):
    told = api.type("collector.v1.Collector").FromString(raw(fleet, "CreateCollector", CREATE))
    assert (told.id, dict(told.remote_attributes), told.collector_type) == ("karasu", {"a": "b"}, 2)
    assert told.HasField("enabled") and told.enabled is False
    # False is said in bytes, too: whoever reads it would take its absence for true.
    assert b"\x38\x00" in fleet.proto("GetCollector", b"\x0a\x06karasu")
    assert fleet.collector("karasu")["enabled"] is False


def test_a_bulk_update_in_bytes(fleet):
    for name in "ab":
        fleet.create(name)
    assert raw(fleet, "BulkUpdateCollectors", BULK) == b""
    assert fleet.remote("a") == fleet.remote("b") == {"env": "prod"}


def test_map_entries_may_leave_out_what_is_empty(fleet):
    """An entry without its key's or its value's field is one with an empty key or value."""
    for data in (b"\x22\x05\x0a\x03env", b"\x22\x07\x0a\x03env\x12\x00"):
        fleet.proto("RegisterCollector", b"\x0a\x02c1" + data)
        assert fleet.collector("c1")["localAttributes"] == {"env": "", "collector.ID": "c1"}
    # The last of two entries with one key counts, as everywhere in protobuf.
    fleet.proto("RegisterCollector",
                b"\x0a\x02c1\x22\x06\x0a\x01k\x12\x01a\x22\x06\x0a\x01k\x12\x01b")
    assert fleet.collector("c1")["localAttributes"] == {"k": "b", "collector.ID": "c1"}


def test_unknown_fields_are_passed_over(fleet):
    fleet.proto("RegisterCollector", b"\x0a\x02c1\xf8\x07\x01\x9a\x06\x03abc")
    assert fleet.listed() == ["c1"]


def test_the_old_field_of_attributes(fleet):
    fleet.proto("RegisterCollector", b"\x0a\x02c1\x12\x06\x0a\x01k\x12\x01a")
    assert fleet.collector("c1")["localAttributes"] == {"k": "a", "collector.ID": "c1"}
    data = fleet.proto("GetCollector", b"\x0a\x02c1")
    assert b"\x4a\x06\x0a\x01k\x12\x01a" in data  # by its new number only
    assert b"\x32\x06" not in data
