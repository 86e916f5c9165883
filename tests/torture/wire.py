# SPDX-License-Identifier: Apache-2.0
"""A small HTTP/1.1 client on asyncio streams. It is our own because the driver must know exactly
how much of an answer arrived before the server died: a status line that was read is a promise."""
import asyncio
import json

MAX_LINE = 1 << 20


class Lost(Exception):
    """The connection ended before the answer was complete; status is what was already read."""

    def __init__(self, status=None):
        super().__init__(f"connection lost, status read: {status}")
        self.status = status


class Answer:
    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields
        self.body = body

    def json(self):
        return json.loads(self.body)


class Connection:
    """One keep-alive connection; one request at a time."""

    def __init__(self, port, token):
        self.port = port
        self.token = token
        self.reader = self.writer = None

    async def open(self):
        try:
            self.reader, self.writer = await asyncio.open_connection(
                "127.0.0.1", self.port, limit=MAX_LINE)
        except OSError as failed:
            raise Lost() from failed
        return self

    async def __aenter__(self):
        return await self.open()

    async def __aexit__(self, *_):
        self.close()

    def close(self):
        if self.writer:
            self.writer.close()
            self.writer = None

    async def send(self, method, path, body=None, token=None, authorization=None, fields=()):
        authorization = authorization or f"Bearer {token or self.token}"
        lines = [f"{method} {path} HTTP/1.1", "Host: muster", f"Authorization: {authorization}",
                 *fields]
        payload = b""
        if isinstance(body, bytes):
            payload = body
            lines += [f"Content-Length: {len(payload)}"]
        elif body is not None:
            payload = json.dumps(body).encode()
            lines += ["Content-Type: application/json", f"Content-Length: {len(payload)}"]
        elif method in ("POST", "PUT"):
            lines += ["Content-Length: 0"]
        if not self.writer:
            await self.open()
        try:
            self.writer.write("\r\n".join([*lines, "", ""]).encode() + payload)
            await self.writer.drain()
        except OSError as failed:
            raise Lost() from failed

    async def head(self):
        """The status and the fields of the next answer."""
        status = None
        try:
            line = await self.reader.readuntil(b"\r\n")
            status = int(line.split(None, 2)[1])
            fields = {}
            while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
                name, _, value = line.partition(b":")
                fields[name.strip().lower().decode()] = value.strip().decode()
            return status, fields
        except (OSError, asyncio.IncompleteReadError) as failed:
            raise Lost(status) from failed

    async def pieces(self, status, fields):
        """The body, piece by piece."""
        try:
            if "content-length" in fields:
                left = int(fields["content-length"])
                while left:
                    piece = await self.reader.read(min(left, 65536))
                    if not piece:
                        raise Lost(status)
                    left -= len(piece)
                    yield piece
            elif fields.get("transfer-encoding") == "chunked":
                while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                    yield await self.reader.readexactly(size)
                    await self.reader.readexactly(2)
                await self.reader.readuntil(b"\r\n")
        except (OSError, asyncio.IncompleteReadError) as failed:
            raise Lost(status) from failed

    async def request(self, method, path, body=None, **more):
        await self.send(method, path, body, **more)
        status, fields = await self.head()
        parts = []
        if status not in (204, 304):
            parts = [piece async for piece in self.pieces(status, fields)]
        if fields.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, fields, b"".join(parts))
