#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The protobuf codec against Debian's python3-protobuf: the same bytes, accepted or refused alike,
and written again alike. hypothesis makes messages as records on the wire, in every form that the
format allows; from each come variants that are cut, changed, joined, padded and nested. There are
no known differences.

    proto_differential.py PEER DESCRIPTOR_SET CASES"""
import os
import random
import struct
import subprocess
import sys
import time
import warnings

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

TYPES = ["muster.test.v1.Everything", "muster.test.v1.Relayed", "muster.test.v1.Report",
         "google.protobuf.Struct", "collector.v1.GetConfigRequest",
         "collector.v1.GetConfigResponse", "collector.v1.CreateCollectorRequest",
         "collector.v1.BulkUpdateCollectorsRequest", "pipeline.v1.Pipeline"]
KEEPS_UNKNOWN = {1}
VARIANTS = 60

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)
WIRE = {F.TYPE_DOUBLE: FIXED64, F.TYPE_FLOAT: FIXED32, F.TYPE_FIXED64: FIXED64,
        F.TYPE_FIXED32: FIXED32, F.TYPE_SFIXED64: FIXED64, F.TYPE_SFIXED32: FIXED32,
        F.TYPE_STRING: BYTES, F.TYPE_BYTES: BYTES, F.TYPE_MESSAGE: BYTES}

NUMBERS = st.one_of(
    st.integers(0, 127),
    st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]),
    st.integers(0, 2**64 - 1))
FIXED = {FIXED32: st.one_of(st.binary(min_size=4, max_size=4),
                            st.sampled_from([b"\0\0\0\x80", b"\0\0\xc0\x7f", b"\0\0\x80\xff"])),
         FIXED64: st.one_of(st.binary(min_size=8, max_size=8),
                            st.sampled_from([b"\0" * 7 + b"\x80", b"\0" * 6 + b"\xf8\x7f"]))}
TEXT = st.one_of(st.text(max_size=12).map(str.encode), st.text("ab", max_size=2).map(str.encode))
RAW = st.binary(max_size=12)


def varint(n, padding=0):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    for _ in range(padding):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def record(number, wire, payload):
    return varint(number << 3 | wire) + payload


def sized(payload):
    return varint(len(payload)) + payload


@st.composite
def value(draw, field, depth):
    """What follows the tag of one value."""
    wire = WIRE.get(field.type, VARINT)
    if wire == VARINT:
        return varint(draw(NUMBERS))
    if wire != BYTES:
        return draw(FIXED[wire])
    if field.type == F.TYPE_MESSAGE:
        return sized(draw(message(field.message_type, depth - 1)))
    if field.type == F.TYPE_STRING and draw(st.integers(0, 30)) > 0:
        return sized(draw(TEXT))
    return sized(draw(RAW))


@st.composite
def unknown(draw):
    number = draw(st.sampled_from([20, 999, 2000, 536870910]))
    wire = draw(st.sampled_from([VARINT, FIXED64, BYTES, GROUP, FIXED32]))
    if wire == GROUP:
        inside = b"".join(draw(st.lists(unknown(), max_size=2)))
        return record(number, GROUP, inside) + varint(number << 3 | GROUP_END)
    if wire == VARINT:
        return record(number, wire, varint(draw(NUMBERS)))
    return record(number, wire, sized(draw(RAW)) if wire == BYTES else draw(FIXED[wire]))


@st.composite
def records(draw, desc, depth):
    fields = [f for f in desc.fields if depth > 0 or f.type != F.TYPE_MESSAGE]
    if not fields or draw(st.integers(0, 12)) == 0:
        return draw(unknown())
    field = draw(st.sampled_from(fields))
    wire = WIRE.get(field.type, VARINT)
    repeated = field.label == F.LABEL_REPEATED
    if repeated and wire != BYTES and draw(st.booleans()):
        return record(field.number, BYTES,
                      sized(b"".join(draw(st.lists(value(field, depth), max_size=5)))))
    many = draw(st.integers(1, 4)) if repeated else 1
    return b"".join(record(field.number, wire, draw(value(field, depth))) for _ in range(many))


@st.composite
def message(draw, desc, depth=3):
    return b"".join(draw(st.lists(records(desc, depth), max_size=6 if depth > 1 else 3)))


def change(rng, data, other):
    """One of the things that can happen to bytes."""
    kind = rng.randrange(9)
    at = rng.randrange(len(data) + 1)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1:]
    if kind == 2:
        return data[:at] + bytes([rng.randrange(256)]) + data[at:]
    if kind == 3:
        return data[:at] + data[at + 1:]
    if kind == 4:
        return data + other
    if kind == 5:
        return other + data
    if kind == 6:
        end = rng.randrange(at, len(data) + 1)
        return data[:end] + data[at:end] + data[end:]
    if kind == 7 and data:
        at = rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]
    if at < len(data) and data[at] < 0x80:  # a number made longer without changing it, perhaps
        return data[:at] + varint(data[at], rng.randrange(1, 10)) + data[at + 1:]
    return data


def nest(rng, index, data):
    """Within itself, around the number of levels that is allowed."""
    number = {0: 19, 1: 2}.get(index)
    for _ in range(rng.randrange(90, 104) if number else 0):
        data = record(number, BYTES, sized(data))
    return data


class Peer:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=sys.stderr)

    def ask(self, index, cases):
        out = [struct.pack("<I", len(cases))]
        for data in cases:
            out.append(struct.pack("<BI", index, len(data)) + data)
        self.process.stdin.write(b"".join(out))
        self.process.stdin.flush()
        for _ in cases:
            accepted, size = struct.unpack("<BI", self.process.stdout.read(5))
            yield accepted == 1, self.process.stdout.read(size)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def settle_maps(message):
    """Maps that nobody looked at are written as they came, in any order and with equal keys."""
    for field, value in message.ListFields():
        if field.type != F.TYPE_MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            len(value)
            if field.message_type.fields_by_name["value"].type == F.TYPE_MESSAGE:
                for one in value.values():
                    settle_maps(one)
        elif field.label == F.LABEL_REPEATED:
            for one in value:
                settle_maps(one)
        else:
            settle_maps(value)


class Reference:
    def __init__(self, path):
        files = descriptor_pb2.FileDescriptorSet.FromString(open(path, "rb").read())
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        factory = message_factory.MessageFactory(pool)
        # A tag that ends no group makes it stop there and warn instead of refusing.
        self.warned = False
        warnings.simplefilter("always", RuntimeWarning)
        warnings.showwarning = self.note_warning
        self.classes = [factory.GetPrototype(pool.FindMessageTypeByName(name)) for name in TYPES]

    def note_warning(self, *_, **__):
        self.warned = True

    def recode(self, index, data):
        """The message written again, or None."""
        self.warned = False
        try:
            parsed = self.classes[index].FromString(data)
        except DecodeError:
            return None
        if self.warned:
            return None
        settle_maps(parsed)
        if index not in KEEPS_UNKNOWN:
            parsed.DiscardUnknownFields()
            settle_maps(parsed)
        return parsed.SerializeToString(deterministic=True)


class Comparison:
    def __init__(self, peer, reference, wanted):
        self.peer, self.reference, self.wanted = peer, reference, wanted
        self.done = self.accepted = 0

    def variants(self, index, data, other, rng):
        cases = [data]
        canonical = self.reference.recode(index, data)
        if canonical is not None:
            cases.append(canonical)
        while len(cases) < VARIANTS:
            changed = data if rng.randrange(4) else canonical or data
            for _ in range(rng.choice([1, 1, 1, 2, 3])):
                changed = change(rng, changed, other)
            cases.append(nest(rng, index, changed) if rng.randrange(20) == 0 else changed)
        return cases

    def run(self, index, data, other, rng):
        cases = self.variants(index, data, other, rng)
        for case, (accepted, ours) in zip(cases, list(self.peer.ask(index, cases))):
            theirs = self.reference.recode(index, case)
            same = accepted == (theirs is not None)
            if same and accepted:
                # Unknown fields stay as they came with us; theirs are put in shape.
                again = self.reference.recode(index, ours) if index in KEEPS_UNKNOWN else ours
                same = again == theirs
            if not same:
                raise AssertionError(
                    f"{TYPES[index]}: {case.hex()}\n  ours: {accepted} {ours!r}\n"
                    f"  theirs: {theirs.hex() if theirs is not None else 'refused'}")
            self.done += 1
            self.accepted += accepted


def silence_libprotobuf():
    """It writes a line to descriptor 2 for each text that is not UTF-8; we keep a copy for ourselves."""
    sys.stderr = os.fdopen(os.dup(2), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def main():
    program, descriptors, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    silence_libprotobuf()
    reference = Reference(descriptors)
    comparison = Comparison(Peer(program), reference, wanted)
    any_case = st.sampled_from([0, 0, 0, 1, 2, 3]).flatmap(lambda index: st.tuples(
        st.just(index), *[message(reference.classes[index].DESCRIPTOR)] * 2))

    @seed(20260101)
    @settings(max_examples=wanted // VARIANTS + 1, deadline=None, database=None,
              phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck))
    @given(any_case, st.integers(0, 2**32))
    def same(case, chance):
        comparison.run(*case, random.Random(chance))

    began = time.monotonic()
    same()
    status = comparison.peer.close()
    print(f"{comparison.done} cases, {comparison.accepted} of them accepted, no difference, "
          f"{time.monotonic() - began:.0f} s")
    # Fewer would mean that hypothesis ran out of new messages; none refused, that nothing was tried.
    enough = comparison.done >= wanted and 0 < comparison.accepted < comparison.done
    return 0 if enough and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
