# SPDX-License-Identifier: Apache-2.0
"""A simulated Alloy: what its remote configuration service says and does, version by version,
written from its documented behavior. No Alloy runs here and no component is evaluated: texts are
loaded by fleet/language.py. Messages are put together and taken apart byte by byte here, not by
generated code."""
import base64
import gzip
import hashlib
import json
import pathlib

from fleet.language import Refused, load
from harness import Wire

SERVICE = "/collector.v1.CollectorService/"
UNSET, APPLIED, APPLYING, FAILED = range(4)

# --- messages


def varint(n):
    out = b""
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def sized(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def string(number, text):
    return sized(number, text) if text else b""


def strings_map(number, entries):
    return b"".join(sized(number, sized(1, k) + sized(2, v)) for k, v in entries.items())


def fields(data):
    """[(number, value)] of a message of strings and numbers."""
    def number():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7f) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                return value

    found, at = [], 0
    while at < len(data):
        tag = number()
        value = number()
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        else:
            assert tag & 7 == 0, tag
        found.append((tag >> 3, value))
    assert at == len(data)
    return found


def fnv1(data):
    """FNV-1 of 32 bits, in hex without leading zeros."""
    hashed = 0x811c9dc5
    for byte in data:
        hashed = hashed * 0x01000193 & 0xffffffff ^ byte
    return f"{hashed:x}"


# --- the agent


class Release:
    """What tells one version from another."""

    def __init__(self, version, *, get=False, attributes=4, hashes=True, agent=True, status=False,
                 leaves=False, strict=True):
        self.version = version
        self.get = get                # GetConfig by GET
        self.attributes = attributes  # number of the field
        self.hashes = hashes          # sends and honors them
        self.agent = agent            # names itself in User-Agent
        self.status = status          # reports status and effective configuration
        self.leaves = leaves          # unregisters at its end
        self.strict = strict          # an error of the registration is one of the start


RELEASES = {r.version: r for r in (
    Release("1.3", attributes=2, hashes=False, agent=False, strict=False),
    Release("1.4", attributes=2, hashes=False, agent=False, strict=False),
    Release("1.5", attributes=2, agent=False, strict=False),
    Release("1.6", attributes=2, agent=False, strict=False),
    Release("1.7", get=True, agent=False, strict=False),
    Release("1.8", get=True, agent=False),
    Release("1.9", get=True, agent=False),
    Release("1.10", get=True, agent=False),
    Release("1.11", get=True),
    Release("1.12", status=True),
    Release("1.13", status=True, leaves=True),
    Release("1.18", status=True, leaves=True),
)}


class CallFailed(Exception):
    """The answer was an error, or there was none."""


class Exited(Exception):
    """The process would have ended here."""


class Alloy:
    def __init__(self, version, port, authorization, storage, name="alloy", attributes=None,
                 display=""):
        self.release = RELEASES[version]
        self.port = port
        self.authorization = authorization
        self.storage = pathlib.Path(storage)
        self.id = name
        self.display = display
        self.attributes = dict(attributes or {})
        self.said = []  # (method, parts that were in the request)
        self.hash = ""            # as the server named it
        self.received = None      # FNV of the last text that came
        self.loaded = None        # FNV of the one that runs
        self.running = None       # what it declares
        self.loads = 0
        self.status = (UNSET, "")
        self.effective = None
        self.pending_status = True   # not yet delivered
        self.pending_effective = False
        self.stopped = False
        self.wire = None

    # -- the wire

    def local_attributes(self):
        return {"collector.os": "linux", "collector.version": f"v{self.release.version}.0",
                **self.attributes}

    def head(self):
        lines = [self.authorization, "Accept-Encoding: gzip"]
        agent = f"Alloy/v{self.release.version}.0 (linux; binary)" if self.release.agent \
            else "connect-go/1.18.1 (go1.24.0)"
        return [*lines, "User-Agent: " + agent]

    def exchange(self, *request):
        try:
            if self.wire is None:
                self.wire = Wire(self.port)
            answer = self.wire.request(*request)
        except OSError as error:
            self.hang_up()
            raise CallFailed(f"unavailable: {error.strerror}") from None
        if answer.status != 200:
            said = {}
            if answer.fields.get("content-type") == "application/json":
                said = answer.json()
            self.hang_up()
            raise CallFailed(f"{said.get('code', answer.status)}: {said.get('message', '')}")
        assert answer.fields["content-type"] == "application/proto"
        if answer.fields.get("content-encoding") == "gzip":
            return gzip.decompress(answer.body)
        return answer.body

    def hang_up(self):
        if self.wire:
            self.wire.close()
        self.wire = None

    def post(self, method, message):
        head = [*self.head(), "Content-Type: application/proto", "Connect-Protocol-Version: 1"]
        return self.exchange("POST", SERVICE + method, message, None, head)

    def get(self, method, message):
        text = base64.urlsafe_b64encode(message).decode().rstrip("=")
        query = f"?base64=1&connect=v1&encoding=proto&message={text}"
        return self.exchange("GET", SERVICE + method + query, None, None, self.head())

    # -- calls

    def register(self):
        message = string(1, self.id) + string(3, self.display) + strings_map(
            self.release.attributes, self.local_attributes())
        self.said.append(("RegisterCollector", set()))
        assert self.post("RegisterCollector", message) == b""

    def unregister(self):
        self.said.append(("UnregisterCollector", set()))
        assert self.post("UnregisterCollector", string(1, self.id)) == b""

    def get_config(self):
        """(content, hash, not_modified)"""
        parts, message = set(), string(1, self.id)
        if self.release.hashes and self.hash:
            message += string(3, self.hash)
            parts.add("hash")
        message += strings_map(self.release.attributes, self.local_attributes())
        if self.release.status and self.pending_status:
            code, text = self.status
            message += sized(5, (b"\x08" + varint(code) if code else b"") + string(2, text))
            parts.add(("UNSET", "APPLIED", "APPLYING", "FAILED")[code])
        if self.release.status and self.pending_effective:
            file = sized(1, self.effective) + sized(2, "text/plain")
            message += sized(6, sized(1, sized(1, sized(1, "") + sized(2, file))))
            parts.add("effective")
        self.said.append(("GetConfig", parts))
        told = dict(fields((self.get if self.release.get else self.post)("GetConfig", message)))
        self.pending_status = self.pending_effective = False
        return told.get(1, b""), told.get(2, b"").decode(), bool(told.get(3, 0))

    # -- what it does with them

    def report(self, status, text="", effective=None):
        if (status, text) != self.status:
            self.status, self.pending_status = (status, text), True
        if effective is not None and effective != self.effective:
            self.effective, self.pending_effective = effective, True

    def cache(self):
        arguments = json.dumps([self.id, sorted(self.attributes.items()), self.port])
        return self.storage / hashlib.sha256(arguments.encode()).hexdigest()

    def fetch(self, may_use_cache):
        """One look for a new text, and what comes of it."""
        try:
            content, hashed, same = self.get_config()
        except CallFailed as failure:
            self.report(FAILED, str(failure))
            if may_use_cache and self.cache().exists():
                self.run(self.cache().read_bytes())
        else:
            self.take(content, hashed, same)
        if self.release.status and (self.pending_status or self.pending_effective):
            try:
                self.get_config()
            except CallFailed:
                self.pending_status = True

    def take(self, content, hashed, same):
        if same:
            assert self.release.hashes and content == b""
            if self.loaded is not None and self.loaded == self.received:
                self.report(APPLIED)
            return
        self.hash = hashed or self.hash
        mine = fnv1(content)
        if mine == self.received:
            return
        self.received = mine
        if mine == self.loaded:
            self.report(APPLIED)
            return
        try:
            self.run(content)
        except Refused as problem:
            self.report(FAILED, str(problem))
            if self.loaded is not None and self.cache().exists():
                self.report(*self.status, effective=self.cache().read_bytes())
            return
        self.cache().write_bytes(content)
        self.report(APPLIED, effective=content)

    def run(self, content):
        self.loads += 1
        if content:  # an empty text is fine and stops nothing
            self.running = load(content.decode())
        self.loaded = fnv1(content)

    # -- its life

    def begin(self):
        """The local configuration is loaded, then the service runs."""
        try:
            self.register()
        except CallFailed as failure:
            if self.release.strict:
                raise Exited(str(failure)) from None
        self.fetch(may_use_cache=True)
        try:
            self.register()
        except CallFailed:
            self.stopped = self.release.strict

    def tick(self):
        if not self.stopped:
            self.fetch(may_use_cache=False)

    def reload(self, **attributes):
        """With other arguments; what it remembers of the last text stays."""
        self.attributes = attributes
        self.register()
        self.fetch(may_use_cache=True)

    def end(self):
        if self.release.leaves:
            try:
                self.unregister()
            except CallFailed:
                pass  # it is only logged
        self.hang_up()
