# SPDX-License-Identifier: Apache-2.0
"""A simulated Alloy: what its remote configuration service says and does, version by version, written
from its documented behavior. No Alloy runs here and no component is evaluated: `load` reads a text with
a lexer and a grammar of its own and refuses what an Alloy would refuse from the text alone, and any
component whose name begins with "broken." for what only an evaluation finds out. Messages are put
together and taken apart byte by byte here, not by generated code."""
import base64
import gzip
import hashlib
import json
import pathlib
import re

from harness import Wire

SERVICE = "/collector.v1.CollectorService/"
UNSET, APPLIED, APPLYING, FAILED = range(4)

# --- the configuration language, as far as it is needed here


class Refused(Exception):
    """The text cannot be loaded."""


TOKEN = re.compile(r"""(?P<space>[ \t\r]+|//[^\n]*|/\*.*?\*/)|(?P<line>\n)
    |(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<raw>`[^`]*`)|(?P<word>[^\W\d]\w*)|(?P<number>\d[\w.]*)
    |(?P<sign>\|\||&&|[=!<>]=|[-+*/%^=!<>{}\[\]().,])""", re.X | re.S)


def tokens(text):
    """[(kind, text)] without spaces and comments; line feeds are tokens."""
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Refused(f"byte {at}: {text[at:at + 20]!r} is no token")
        if match.lastgroup != "space":
            found.append((match.lastgroup, match[0]))
        at = match.end()
    return found


def unquoted(token):
    simple = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}

    def one(match):
        said = match[1]
        if said[0] in "xuU":
            return chr(int(said[1:], 16))
        return chr(int(said, 8)) if said[0].isdigit() else simple.get(said, said)
    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", one,
                  token[1:-1])


class Block:
    def __init__(self, name, label):
        self.name, self.label = name, label
        self.blocks, self.attributes = [], {}

    def id(self):
        return (self.name, self.label)


class Parser:
    def __init__(self, text):
        self.left = tokens(text) + [("end", "")]

    def peek(self):
        return self.left[0]

    def take(self, kind=None, text=None):
        got = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if (kind and got[0] != kind) or (text and got[1] != text):
            raise Refused(f"{got[1]!r} where {text or kind} was expected")
        return got[1]

    def lines(self):
        while self.peek()[0] == "line":
            self.take()

    def body(self, into, end):
        while True:
            self.lines()
            if self.peek()[1] == end and self.peek()[0] in ("sign", "end"):
                self.take()
                return into
            self.statement(into)
            if self.peek()[1] != end and self.peek()[0] != "end":
                self.take("line")

    def statement(self, into):
        name = self.take("word")
        while self.peek()[1] == ".":
            self.take()
            name += "." + self.take("word")
        if self.peek()[1] == "=":
            self.take()
            if name in into.attributes or "." in name:
                raise Refused(f"attribute {name} a second time")
            into.attributes[name] = self.value()
            return
        label = unquoted(self.take()) if self.peek()[0] == "string" else ""
        if label and not re.fullmatch(r"[^\W\d]\w*", label):
            raise Refused(f"label {label!r} is no identifier")
        self.take("sign", "{")
        into.blocks.append(self.body(Block(name, label), "}"))

    def value(self):
        """A string, an object as a dict, or the text of any other expression."""
        if self.peek()[1] == "{":
            return self.object()
        said, depth, strings = "", 0, []
        while depth or self.peek()[1] not in (",", "}", "\n", "") or self.peek()[0] == "string":
            kind, text = self.peek()
            if kind == "end":
                break
            self.take()
            depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
            if depth < 0:
                raise Refused(f"{text} without its beginning")
            said += text
            strings.append(kind == "string")
        if depth or not said:
            raise Refused("an expression without an end")
        return unquoted(said) if strings == [True] else said

    def object(self):
        made = {}
        self.take()
        while True:
            self.lines()
            if self.peek()[1] == "}":
                self.take()
                return made
            kind = self.peek()[0]
            key = self.take()
            if kind not in ("string", "word"):
                raise Refused(f"{key!r} is no key")
            self.take("sign", "=")
            self.lines()
            made[unquoted(key) if kind == "string" else key] = self.value()
            self.lines()
            if self.peek()[1] != "}":
                self.take("sign", ",")


SERVICES = {"http", "remotecfg", "livedebugging", "cluster", "ui", "otel", "labelstore"}
OF_A_MODULE = {"declare", "argument", "export", "import.file", "import.git", "import.http",
               "import.string", "foreach"}


class Loaded:
    """What a text declares and instantiates, in its order."""

    def __init__(self, root):
        declarations = [b for b in root.blocks if b.name == "declare"]
        self.declared = [b.label for b in declarations]
        self.arguments = {d.label: {b.label for b in d.blocks if b.name == "argument"}
                          for d in declarations}
        self.instances = [b.id() for b in root.blocks if b.name in self.declared]
        self.values = {b.name: b.attributes for b in root.blocks if b.name in self.declared}


def check_module(module, outer):
    """A module's body: the text as a whole, or of one declaration."""
    if module.attributes:
        raise Refused(f"unrecognized attribute {list(module.attributes)[0]}")
    declarations = [b for b in module.blocks if b.name == "declare"]
    labels = [b.label for b in declarations]
    seen = set()
    for block in module.blocks:
        if block.id() in seen:
            raise Refused(f"{block.id()} already declared")
        seen.add(block.id())
    if "declare" in labels or "" in labels:
        raise Refused("declare already declared")
    known = {**outer, **{d.label: d for d in declarations}}
    for block in module.blocks:
        check_block(block, known)
    for declaration in declarations:
        check_module(declaration, known)


def check_block(block, known):
    name = block.name
    if name in SERVICES:
        raise Refused(f"{name}: service blocks not allowed inside a module")
    if name in ("logging", "tracing"):
        raise Refused(f"{name}: block not allowed inside a module")
    if name.partition(".")[0] in known:
        if name not in known:
            raise Refused(f"{name}: no such custom component")
        wanted = {b.label: b for b in known[name].blocks if b.name == "argument"}
        for given in block.attributes:
            if given not in wanted:
                raise Refused(f"{name}: unrecognized argument {given}")
        for label, argument in wanted.items():
            if label not in block.attributes and not {"optional", "default"} & set(
                    argument.attributes):
                raise Refused(f"{name}: missing argument {label}")
    elif name not in OF_A_MODULE and "." not in name:
        raise Refused(f"{name}: no such component")
    elif name.startswith("broken."):
        raise Refused(f"{name}: evaluation failed")


def load(text):
    root = Parser(text).body(Block("", ""), "")
    check_module(root, {})
    return Loaded(root)


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
