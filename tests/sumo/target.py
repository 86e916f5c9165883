# SPDX-License-Identifier: Apache-2.0
"""An HTTP endpoint that data is forwarded to. It keeps what it took, and answers what the test
tells it to."""
import http.server

from listener import Listener


class Taken:
    """One request: its header fields in lower case, and the body."""

    def __init__(self, path, fields, body):
        self.path = path
        self.fields = fields
        self.body = body


class Target(Listener):
    """Use as a context. `refusals` are statuses for the next requests; afterwards it takes all."""

    def __init__(self, port=0):
        self.port = port
        self.taken = []
        self.refused = []
        self.refusals = []

    def url(self):
        return f"http://127.0.0.1:{self.port}/in"

    def handler(self):
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status = target.refusals.pop(0) if target.refusals else 200
                kept = target.taken if status == 200 else target.refused
                kept.append(Taken(self.path, {k.lower(): v for k, v in self.headers.items()},
                                  body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        return Handler

    def lines(self):
        return [line for taken in self.taken for line in taken.body.decode().split("\n")]
