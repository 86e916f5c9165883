# SPDX-License-Identifier: Apache-2.0
"""What a simulated Alloy makes of a text: `load` reads it with a lexer and a grammar of its own,
as far as the tests need them, and refuses what an Alloy would refuse from the text alone. Of
components it knows nothing but that those whose name begins with "broken." fail when they are
evaluated."""
import re


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
