#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Messages as JSON against Debian's python3-protobuf, both ways: the same texts and messages,
accepted or refused alike, with the same result, in every flavor. hypothesis makes documents out of
the descriptors and messages on the wire; from each come variants that are changed.

The known differences are all here, in `Parser` and `Printer`, which correct the reference where it
is laxer than protobuf's description of the mapping or does not have a flavor of ours:
  in   a field under both of its names is refused; a string or list is no message; integers and
       floats in strings are JSON numbers ("1_0", " 5", "inf", "nan" are not; "1e3" is an integer),
       true is no number, numbers are exact at any size, -0 keeps its sign, infinite ones are refused; keys of maps are
       plain integers without a sign or zero that says nothing; base64 has its alphabets and
       padding only; an enum is no bool, no fraction and no number in a string; a time has two
       digits for each part and seconds below 60; a duration has no blanks and signs inside; a path
       of a FieldMask is not empty; @type has a '/'; the types with a "value" have nothing beside
       it; an Empty in an Any may have one; null for a list of Values is absent; no lone surrogate
       anywhere; enum names that are not known can be ignored
  out  a Value without a kind or with NaN, a time with negative nanoseconds, an empty path or one
       with a comma are refused; an Empty in an Any has a "value"; a NullValue is null also where
       enums are numbers; 64-bit integers can be numbers
  Letters outside ASCII change their case in a FieldMask of the reference: not compared.

    protojson_differential.py PEER DESCRIPTOR_SET CASES"""
import base64
import decimal
import json
import math
import random
import re
import struct
import subprocess
import sys
import time
import warnings

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import proto_differential as wire

TYPES = ["muster.test.v1.Everything", "muster.test.v1.Report", "google.protobuf.Struct",
         "google.protobuf.Any"]
PROTO_NAMES, PRINT_DEFAULTS, ENUM_NUMBERS, INT64_NUMBERS, POINT_DOUBLES, IGNORE_UNKNOWN = (
    1 << n for n in range(6))
TEXTS, MESSAGES = 40, 20  # variants of each example

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
KEY = re.compile(r"0|-?[1-9][0-9]*")
BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d{1,9})?(Z|[-+]([01]\d|2[0-3]):[0-5]\d)",
                  re.ASCII)
DURATION = re.compile(r"-?[0-9]+(\.[0-9]{1,9})?s")
WRAPPERS = re.compile(r"google\.protobuf\.(Double|Float|U?Int64|U?Int32|Bool|String|Bytes)Value")
WITH_VALUE = set(json_format._WKTJSONMETHODS)


class Skip(Exception):
    """A known difference that is not compared."""


class Real(float):
    """A number with a point or an exponent, and its text."""

    def __new__(cls, text):
        self = float.__new__(cls, text)
        self.text = text
        return self


def whole(text):
    return Real(text) if text == "-0" else int(text)


class Single(float):
    """The value of a float."""


class Raw(str):
    """Goes into a document as it is."""


GONE = object()


def refuse(why):
    raise json_format.ParseError(why)


def integer(value):
    if isinstance(value, bool) or not isinstance(value, (int, Real, str)):
        refuse("no integer")
    if isinstance(value, int):
        return value
    text = value.text if isinstance(value, Real) else value
    if not NUMBER.fullmatch(text):
        refuse("no integer")
    exact = decimal.Decimal(text)
    if exact and exact.adjusted() > 30:
        refuse("too large")
    if exact and exact != exact.to_integral_value():
        refuse("a fraction")
    return int(exact)


def real(value, field):
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        refuse("no number")
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        refuse("no number")
    value = float(value)
    if math.isinf(value):
        refuse("infinite")
    if field.cpp_type == F.CPPTYPE_FLOAT:
        struct.pack("<f", value)  # OverflowError
    return value


def enum_number(value, field):
    if isinstance(value, str):
        if value not in field.enum_type.values_by_name:
            refuse("no name of the enum")
        return field.enum_type.values_by_name[value].number
    if value is None and field.enum_type.name == "NullValue":
        return 0
    number = integer(value)
    if not -2**31 <= number < 2**31:
        refuse("out of range")
    return number


def raw_bytes(value):
    if not isinstance(value, str) or not BASE64.fullmatch(value):
        refuse("no base64")
    bare = value.rstrip("=")
    if len(bare) % 4 == 1 or (bare != value and len(value) % 4):
        refuse("no base64")
    return base64.b64decode(bare.replace("-", "+").replace("_", "/") + "=" * (-len(bare) % 4))


def scalar(value, field, path="", require_str=False):
    if require_str and field.cpp_type in json_format._INT_TYPES:
        if not KEY.fullmatch(value):
            refuse("no key")
        return int(value)
    if field.cpp_type in json_format._INT_TYPES:
        return integer(value)
    if field.cpp_type in json_format._FLOAT_TYPES:
        return real(value, field)
    if field.type == F.TYPE_BYTES:
        return raw_bytes(value)
    if field.cpp_type == F.CPPTYPE_ENUM:
        return enum_number(value, field)
    return THEIR_SCALAR(value, field, path, require_str)


THEIR_SCALAR = json_format._ConvertScalarFieldValue
json_format._ConvertScalarFieldValue = scalar


def is_map(field):
    return field.type == F.TYPE_MESSAGE and field.message_type.GetOptions().map_entry


class Parser(json_format._Parser):
    def without_unknown_names(self, value, field):
        """The value without names of enums that nobody knows; GONE when nothing is left."""
        if is_map(field):
            inner = field.message_type.fields_by_name["value"]
            if inner.cpp_type == F.CPPTYPE_ENUM and isinstance(value, dict):
                return {k: v for k, v in value.items()
                        if not KEY_OK(k, field) or self.is_known_name(v, inner)}
        elif field.cpp_type == F.CPPTYPE_ENUM and field.label == F.LABEL_REPEATED:
            if isinstance(value, list):
                return [v for v in value if self.is_known_name(v, field)]
        elif field.cpp_type == F.CPPTYPE_ENUM and not self.is_known_name(value, field):
            return GONE
        return value

    @staticmethod
    def is_known_name(value, field):
        return not isinstance(value, str) or value in field.enum_type.values_by_name

    def _ConvertFieldValuePair(self, js, message, path):
        if not isinstance(js, dict):
            refuse("no object")
        desc = message.DESCRIPTOR
        by_json = {f.json_name: f for f in desc.fields}
        seen, oneofs, cleaned = set(), set(), {}
        for name, value in js.items():
            field = by_json.get(name) or desc.fields_by_name.get(name)
            if field is None:
                cleaned[name] = value
                continue
            if field.name in seen:
                refuse("twice")
            seen.add(field.name)
            null_value = field.enum_type is not None and field.enum_type.name == "NullValue"
            a_value = (field.message_type is not None and field.label != F.LABEL_REPEATED
                       and field.message_type.full_name == "google.protobuf.Value")
            if value is None and not null_value and not a_value:
                continue
            if field.containing_oneof is not None:
                if field.containing_oneof.name in oneofs:
                    refuse("two members")
                oneofs.add(field.containing_oneof.name)
            if self.ignore_unknown_fields:
                value = self.without_unknown_names(value, field)
                if value is GONE:
                    continue
            cleaned[name] = value
        for name in [n for n in cleaned if n.startswith("[")]:
            raise Skip(name)
        super()._ConvertFieldValuePair(cleaned, message, path)

    def _ConvertValueMessage(self, value, message, path):
        if isinstance(value, (int, float)) and math.isinf(float(value)):
            refuse("infinite")
        super()._ConvertValueMessage(value, message, path)

    def _ConvertGenericMessage(self, value, message, path):
        if not isinstance(value, str):
            refuse("no string")
        kind = message.DESCRIPTOR.name
        if kind == "Timestamp" and not TIME.fullmatch(value):
            refuse("no time")
        if kind == "Duration" and not DURATION.fullmatch(value):
            refuse("no duration")
        if kind == "FieldMask" and value:
            if any(not c.isascii() and c.isupper() for c in value):
                raise Skip("case")
            if "" in value.split(","):
                refuse("an empty path")
        super()._ConvertGenericMessage(value, message, path)
        if kind == "Timestamp" and not -62135596800 <= message.seconds <= 253402300799:
            refuse("out of range")

    def _ConvertAnyMessage(self, value, message, path):
        if not isinstance(value, dict):
            refuse("no object")
        if not value:
            return
        url = value.get("@type")
        if not isinstance(url, str) or "/" not in url:
            refuse("no type")
        inner = json_format._CreateMessageFromTypeUrl(url, self.descriptor_pool)
        name = inner.DESCRIPTOR.full_name
        rest = {k: v for k, v in value.items() if k != "@type"}
        if name in WITH_VALUE or WRAPPERS.fullmatch(name) or name == "google.protobuf.Empty":
            if not self.ignore_unknown_fields and rest.keys() - {"value"}:
                refuse("more than a value")
            if name != "google.protobuf.Empty" or "value" in rest:
                self.ConvertMessage(rest["value"], inner, path)
        else:
            self._ConvertFieldValuePair(rest, inner, path)
        message.value = inner.SerializeToString(deterministic=True)
        message.type_url = url


def KEY_OK(key, field):
    kind = field.message_type.fields_by_name["key"].cpp_type
    return kind == F.CPPTYPE_STRING or KEY.fullmatch(key) is not None


class Printer(json_format._Printer):
    int64_numbers = False

    def _FieldToJsonObject(self, field, value):
        if field.cpp_type == F.CPPTYPE_ENUM and field.enum_type.name == "NullValue":
            return None
        if self.int64_numbers and field.cpp_type in json_format._INT64_TYPES:
            return value
        if field.cpp_type == F.CPPTYPE_FLOAT and math.isfinite(value):
            return Single(value)
        return super()._FieldToJsonObject(field, value)

    def _ValueMessageToJsonObject(self, message):
        kind = message.WhichOneof("kind")
        if kind is None or (kind == "number_value" and not math.isfinite(message.number_value)):
            raise ValueError("no JSON form")
        return super()._ValueMessageToJsonObject(message)

    def _GenericMessageToJsonObject(self, message):
        kind = message.DESCRIPTOR.name
        if kind == "Timestamp" and not 0 <= message.nanos < 10**9:
            raise ValueError("out of range")
        if kind == "FieldMask":
            for one in message.paths:
                if any(not c.isascii() and c.isalpha() for c in one):
                    raise Skip("case")
                if not one or "," in one:
                    raise ValueError("would not come back")
        return super()._GenericMessageToJsonObject(message)

    def _AnyMessageToJsonObject(self, message):
        if message.ListFields() and "/" not in message.type_url:
            raise ValueError("no type")
        js = super()._AnyMessageToJsonObject(message)
        if message.type_url.endswith("/google.protobuf.Empty"):
            js["value"] = {}
        return js


def steadily(ask):
    """Once in millions of times the reference says that a message lacks a method of its class,
    ListFields, and finds it when it is asked again. What input is to blame for stays an error."""
    try:
        return ask()
    except AttributeError:
        return ask()


class Reference:
    def __init__(self, path):
        files = descriptor_pb2.FileDescriptorSet.FromString(open(path, "rb").read())
        self.pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self.pool.Add(file)
        factory = message_factory.MessageFactory(self.pool)
        json_format.symbol_database.Default().pool = self.pool
        self.classes = [factory.GetPrototype(self.pool.FindMessageTypeByName(n)) for n in TYPES]

    def parse(self, index, text, flags):
        """The message that a text is, or None."""
        def read():
            message = self.classes[index]()
            js = json.loads(text.decode(), object_pairs_hook=json_format._DuplicateChecker,
                            parse_float=Real, parse_constant=refuse, parse_int=whole)
            json.dumps(js, ensure_ascii=False, default=str).encode()
            Parser(bool(flags & IGNORE_UNKNOWN), self.pool, 100).ConvertMessage(js, message, "")
            return message

        try:
            return steadily(read)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError,
                json_format.ParseError):
            return None

    def show(self, index, data, flags):
        """What a message is as JSON, or None."""
        printer = Printer(bool(flags & PRINT_DEFAULTS), bool(flags & PROTO_NAMES),
                          bool(flags & ENUM_NUMBERS), self.pool)
        printer.int64_numbers = bool(flags & INT64_NUMBERS)
        try:
            return steadily(lambda: printer._MessageToJsonObject(
                self.classes[index].FromString(data)))
        except (ValueError, TypeError, OverflowError, KeyError, DecodeError,
                SystemError, json_format.SerializeToJsonError):
            return None


# --- documents ---

def dump(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k) + ":" + dump(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


EDGES = [0, 1, -1, 127, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**32 - 1, 2**32, 2**53 + 1,
         2**63 - 1, 2**63, -2**63, -2**63 - 1, 2**64 - 1, 2**64]
RANGES = {F.CPPTYPE_INT32: (-2**31, 2**31 - 1), F.CPPTYPE_UINT32: (0, 2**32 - 1),
          F.CPPTYPE_INT64: (-2**63, 2**63 - 1), F.CPPTYPE_UINT64: (0, 2**64 - 1)}
WEIRD = [None, True, False, "", " ", "x", [], {}, [None], [[]], {"": None}, "NaN", "Infinity",
         "-Infinity", "inf", "nan", "true", "null", "1", "-1", "01", "+1", " 1", "1 ", "1_0", "1.0",
         "1.5", "1e3", "1e400", "0x1", "-0", "A", "AQ", "AQ=", "AQ==", "AQ===", "-_8", "+/8=",
         "+_8=", "A Q=", "COLOR_RED", "COLOR_CRIMSON", "PLAID", "NULL_VALUE", "1s", "-1.5s", "1.s",
         ".5s", "+1s", "315576000000s", "315576000001s", "0.000000001s", "1.0000000001s", "s",
         "2024-02-29T23:59:59Z", "2023-02-29T00:00:00Z", "0001-01-01T00:00:00Z",
         "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59.999999999-00:01", "2024-1-1T0:0:0Z",
         "2024-01-01T00:00:00z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:60Z",
         "2024-01-01T00:00:00.1234567890Z", "2024-01-01T00:00:00+24:00", "a,b", "aB.cD", "a_b",
         "a,,b", ",", "\u00e9", "\U0001f600", "\ufffd", "\0",
         *map(Raw, ["1.0", "1.5", "1e3", "1E+3", "-0", "-0.0", "1e-7", "1e400", "1e-400", "1e309",
                    "3.4028235e38", "3.4028236e38", "3.5e38", "-3.5e38", "1.7976931348623157e308",
                    "9007199254740993", "9007199254740993.0", "18446744073709551615.0",
                    "184467440737095516150e-1", "0.1", "16777217", "5e-324", "1e-45", "NaN", "01",
                    "+1", "1.", ".5", "nul", "True", '"\\ud800"', '"\\u0000"', '"\\ud83d\\ude00"',
                    '"\\x"', '"\t"']), *EDGES, *map(str, EDGES)]
ANYS = ["muster.test.v1.Everything.Nested", "muster.test.v1.Page", "google.protobuf.Duration",
        "google.protobuf.Timestamp", "google.protobuf.Struct", "google.protobuf.Value",
        "google.protobuf.Int64Value", "google.protobuf.BytesValue", "google.protobuf.Any",
        "google.protobuf.Empty", "google.protobuf.FieldMask", "no.Such"]

TEXT = st.text(max_size=8)
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), TEXT, st.integers(-2**60, 2**60),
              st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6)
PATHS = st.lists(st.text("abXY.z", min_size=1, max_size=6), max_size=3).map(",".join)
TIMES = st.tuples(st.datetimes(), st.sampled_from(["", ".5", ".000001", ".123456789", ".100"]),
                  st.sampled_from(["Z", "Z", "+08:00", "-23:59"])).map(
                      lambda t: t[0].replace(microsecond=0).isoformat() + t[1] + t[2])
DURATIONS = st.tuples(st.integers(-315576000000, 315576000000),
                      st.sampled_from(["", ".5", ".000000001", ".120"])).map(
                          lambda t: f"{t[0]}{t[1]}s")


def integers(kind):
    low, high = RANGES[kind]
    whole = st.one_of(st.integers(low, high), st.integers(max(low, -100), 100),
                      st.sampled_from([e for e in EDGES if low <= e <= high]))
    return st.one_of(whole, whole.map(str), whole.map(lambda n: Raw(f"{n}.0")),
                     whole.map(lambda n: Raw(f"{n}0e-1")))


def scalars(field):
    if field.cpp_type in RANGES:
        return integers(field.cpp_type)
    if field.cpp_type in json_format._FLOAT_TYPES:
        width = 32 if field.cpp_type == F.CPPTYPE_FLOAT else 64
        finite = st.floats(width=width, allow_nan=False, allow_infinity=False)
        return st.one_of(finite, finite.map(repr), st.integers(-10**6, 10**6),
                         st.sampled_from(["NaN", "Infinity", "-Infinity"]))
    if field.type == F.TYPE_BYTES:
        encoders = [base64.b64encode, base64.urlsafe_b64encode]
        return st.tuples(st.binary(max_size=8), st.sampled_from(encoders), st.booleans()).map(
            lambda t: t[1](t[0]).decode().rstrip("=" if t[2] else " "))
    if field.cpp_type == F.CPPTYPE_ENUM:
        return st.one_of(st.sampled_from(list(field.enum_type.values_by_name)),
                         st.sampled_from(list(field.enum_type.values)).map(lambda v: v.number),
                         st.integers(-2**31, 2**31 - 1))
    return st.booleans() if field.cpp_type == F.CPPTYPE_BOOL else TEXT


@st.composite
def any_document(draw, pool, depth):
    name = draw(st.sampled_from(ANYS))
    if name == "no.Such":
        return {"@type": "t/no.Such"}
    desc = pool.FindMessageTypeByName(name)
    inner = draw(document(pool, desc, depth - 1))
    js = {"@type": draw(st.sampled_from(["t/", "type.googleapis.com/", "a/b/"])) + name}
    if name in WITH_VALUE or WRAPPERS.fullmatch(name) or name == "google.protobuf.Empty":
        js["value"] = inner
    else:
        js.update(inner)
    if draw(st.booleans()):
        js = dict(reversed(list(js.items())))
    return js


@st.composite
def document(draw, pool, desc, depth):
    known = {"google.protobuf.Timestamp": TIMES, "google.protobuf.Duration": DURATIONS,
             "google.protobuf.FieldMask": PATHS, "google.protobuf.Value": JSON_VALUES,
             "google.protobuf.Empty": st.just({}),
             "google.protobuf.Struct": st.dictionaries(TEXT, JSON_VALUES, max_size=3),
             "google.protobuf.ListValue": st.lists(JSON_VALUES, max_size=3)}
    if desc.full_name in known:
        return draw(known[desc.full_name])
    if WRAPPERS.fullmatch(desc.full_name):
        return draw(scalars(desc.fields[0]))
    if desc.full_name == "google.protobuf.Any":
        return draw(any_document(pool, depth)) if depth > 0 else {}
    fields = [f for f in desc.fields if depth > 0 or f.type != F.TYPE_MESSAGE]
    js, oneofs = {}, set()
    for field in draw(st.lists(st.sampled_from(fields), max_size=8 if depth > 1 else 3,
                               unique_by=lambda f: f.name)) if fields else []:
        if field.containing_oneof is not None:
            if field.containing_oneof.name in oneofs:
                continue
            oneofs.add(field.containing_oneof.name)
        name = field.json_name if draw(st.integers(0, 3)) else field.name
        js[name] = draw(field_value(pool, field, depth))
    return js


@st.composite
def field_value(draw, pool, field, depth):
    def one(f):
        if f.type == F.TYPE_MESSAGE:
            return document(pool, f.message_type, depth - 1)
        return scalars(f)
    if is_map(field):
        key = field.message_type.fields_by_name["key"]
        if key.cpp_type == F.CPPTYPE_STRING:
            keys = TEXT
        elif key.cpp_type == F.CPPTYPE_BOOL:
            keys = st.sampled_from(["true", "false"])
        else:
            keys = st.integers(*RANGES[key.cpp_type]).map(str)
        return draw(st.dictionaries(keys, one(field.message_type.fields_by_name["value"]),
                                    max_size=3))
    if field.label == F.LABEL_REPEATED:
        return draw(st.lists(one(field), max_size=3))
    return draw(one(field))


def places(js, found):
    """Every container in a document."""
    if isinstance(js, (dict, list)):
        found.append(js)
        for value in js.values() if isinstance(js, dict) else js:
            places(value, found)
    return found


def change_document(rng, js, names):
    """One of the things that can happen to a document."""
    where = rng.choice(places(js, []) or [None])
    if where is None:
        return copy(rng.choice(WEIRD))
    keys = list(where) if isinstance(where, dict) else list(range(len(where)))
    kind = rng.randrange(6)
    if kind == 0 or not keys:
        if isinstance(where, list):
            where.insert(rng.randrange(len(where) + 1), copy(rng.choice(WEIRD)))
        else:
            where[rng.choice(names)] = copy(rng.choice(WEIRD))
        return js
    key = rng.choice(keys)
    if kind <= 2:
        where[key] = copy(rng.choice(WEIRD))
    elif kind == 3:
        where[key] = [where[key]]
    elif kind == 4:
        del where[key]
    elif isinstance(where, dict):
        where[rng.choice(names)] = where.pop(key)
    return js


def change_text(rng, text):
    at = rng.randrange(len(text) + 1)
    kind = rng.randrange(4)
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + bytes([rng.choice(b'{}[]",:0123456789eE+-.\\ \tntfu\xff\xc3/_=')]) + text[at:]
    if kind == 2:
        return text[:at] + text[at + 1:]
    return text + rng.choice([b" ", b"\n", b"x", b"{}", b"\0", b","])


class Peer:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, is_json, index, cases):
        out = [struct.pack("<I", len(cases))]
        for flags, data in cases:
            out.append(struct.pack("<BBBI", is_json, index, flags, len(data)) + data)
        self.process.stdin.write(b"".join(out))
        self.process.stdin.flush()
        for _ in cases:
            accepted, size = struct.unpack("<BI", self.process.stdout.read(5))
            yield accepted == 1, self.process.stdout.read(size)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def same_json(ours, theirs):
    """Equal, and 0.0 is not -0.0, true is not 1; a float is compared as one."""
    if isinstance(theirs, dict):
        return (isinstance(ours, dict) and ours.keys() == theirs.keys()
                and all(same_json(ours[k], v) for k, v in theirs.items()))
    if isinstance(theirs, list):
        return (isinstance(ours, list) and len(ours) == len(theirs)
                and all(map(same_json, ours, theirs)))
    if isinstance(theirs, (bool, str)) or theirs is None:
        return type(ours) is type(theirs) and ours == theirs
    if isinstance(ours, bool) or not isinstance(ours, (int, float)):
        return False
    if isinstance(theirs, Single):
        return struct.pack("<f", ours) == struct.pack("<f", theirs)
    if isinstance(theirs, float):
        return struct.pack("<d", ours) == struct.pack("<d", theirs)
    return ours == theirs


class Comparison:
    def __init__(self, peer, reference):
        self.peer, self.reference = peer, reference
        self.done, self.accepted, self.skipped = [0, 0], [0, 0], 0
        self.names = [n for c in reference.classes for f in c.DESCRIPTOR.fields
                      for n in (f.json_name, f.name)] + ["@type", "value", "id", "text", "bogus", "1"]

    def differ(self, index, flags, data, ours, theirs):
        raise AssertionError(f"{TYPES[index]}, flags {flags}: {data!r}\n  ours: {ours}\n"
                             f"  theirs: {theirs!r}")

    def texts(self, index, js, rng):
        base = dump(js).encode("utf-8", "surrogatepass")
        cases = [(0, base), (IGNORE_UNKNOWN, base)]
        while len(cases) < TEXTS:
            if rng.randrange(5) == 0:
                text = change_text(rng, base)
            else:
                changed = copy(js)
                for _ in range(rng.choice([1, 1, 1, 2, 3])):
                    changed = change_document(rng, changed, self.names)
                text = dump(changed).encode("utf-8", "surrogatepass")
            cases.append((rng.choice([0, IGNORE_UNKNOWN]), text))
        for (flags, text), (accepted, ours) in zip(cases, list(self.peer.ask(1, index, cases))):
            try:
                message = self.reference.parse(index, text, flags)
            except Skip:
                self.skipped += 1
                continue
            theirs = None if message is None else message.SerializeToString(deterministic=True)
            if accepted != (theirs is not None) or (accepted and ours != theirs):
                self.differ(index, flags, text, (accepted, ours), theirs)
            self.done[0] += 1
            self.accepted[0] += accepted
            if accepted and rng.randrange(4) == 0:
                yield ours

    def messages(self, index, data, more, rng):
        cases = []
        for _ in range(MESSAGES):
            changed = rng.choice([data, *more])
            if rng.randrange(3):
                changed = wire.change(rng, changed, data)
            try:
                message = self.reference.classes[index].FromString(changed)
            except (DecodeError, SystemError):
                continue
            wire.settle_maps(message)
            message.DiscardUnknownFields()
            cases.append((rng.randrange(64), message.SerializeToString(deterministic=True)))
        for (flags, case), (accepted, ours) in zip(cases, list(self.peer.ask(0, index, cases))):
            try:
                theirs = self.reference.show(index, case, flags)
            except Skip:
                self.skipped += 1
                continue
            if accepted != (theirs is not None) or (
                    accepted and not same_json(json.loads(ours, parse_int=whole), theirs)):
                self.differ(index, flags, case, (accepted, ours), theirs)
            self.done[1] += 1
            self.accepted[1] += accepted

    def run(self, index, js, data, rng):
        more = list(self.texts(index, js, rng))
        self.messages(index, data, more, rng)


def copy(js):
    if isinstance(js, dict):
        return {k: copy(v) for k, v in js.items()}
    return [copy(v) for v in js] if isinstance(js, list) else js


def main():
    program, descriptors, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    wire.silence_libprotobuf()
    # A tag that ends no group makes the reference stop there and warn; as an error this becomes a SystemError.
    warnings.simplefilter("error", RuntimeWarning)
    reference = Reference(descriptors)
    comparison = Comparison(Peer(program), reference)

    def example(index):
        desc = reference.classes[index].DESCRIPTOR
        return st.tuples(st.just(index), document(reference.pool, desc, 3), wire.message(desc))

    @seed(20260102)
    @settings(max_examples=wanted // 50 + 1, deadline=None, database=None,
              phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck))
    @given(st.sampled_from([0, 0, 0, 1, 2, 3]).flatmap(example), st.integers(0, 2**32))
    def same(case, chance):
        comparison.run(*case, random.Random(chance))

    began = time.monotonic()
    same()
    status = comparison.peer.close()
    for what, done, accepted in zip(["texts", "messages"], comparison.done, comparison.accepted):
        print(f"{done} {what}, {accepted} of them accepted, no difference")
    print(f"{comparison.skipped} not compared, {time.monotonic() - began:.0f} s")
    # Fewer would mean that hypothesis ran out of documents; none refused, that nothing was tried.
    enough = sum(comparison.done) >= wanted and comparison.skipped * 100 < wanted and all(
        0 < accepted < done for accepted, done in zip(comparison.accepted, comparison.done))
    return 0 if enough and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
