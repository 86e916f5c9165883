# SPDX-License-Identifier: Apache-2.0
"""The HTTP endpoint that the server forwards received data to. It can be slow, or take nothing at
all, refuses now and then, and sometimes goes away after it has taken what it was sent. Lives as
long as the driver and sees many servers come and go; what one that was killed had sent and not yet
got an answer for does not count."""
import asyncio

from received import TEXT

REFUSED = 0.05  # of the requests
CUT = 0.03      # same: taken, but not answered
MAX_HEAD = 65536
ANSWER = b"HTTP/1.1 %d Told\r\nContent-Length: 0\r\n\r\n"


class Sink:
    def __init__(self, rng):
        self.rng = rng
        self.received = None  # who wants to know
        self.epoch = 0
        self.pace = 0         # seconds for each request
        self.going = asyncio.Event()
        self.going.set()
        self.server = None
        self.port = None

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=MAX_HEAD)
        self.port = self.server.sockets[0].getsockname()[1]

    def begin(self, received):
        """For a server that will be started."""
        self.epoch += 1
        self.received = received

    def stall(self):
        self.going.clear()

    def go(self, pace):
        self.pace = pace
        self.going.set()

    async def serve(self, reader, writer):
        epoch = self.epoch
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
                fields = dict(line.split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(fields["content-length"]))
                await self.going.wait()
                await asyncio.sleep(self.pace * self.rng.random() * 2)
                if epoch != self.epoch or not self.answer(writer, fields["content-type"], body):
                    break
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # it was killed, or the driver ends
        finally:
            writer.close()

    def answer(self, writer, kind, body):
        """False: the connection ends."""
        choice = self.rng.random()
        if choice < REFUSED and self.pace or not self.received:
            writer.write(ANSWER % self.rng.choice([429, 503]))
            return True
        for data in body.split(b"\n") if kind == TEXT else [body]:
            self.received.take("http", data)
        if choice > 1 - CUT and self.pace:
            return False
        writer.write(ANSWER % 200)
        return True
