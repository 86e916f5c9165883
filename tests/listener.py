# SPDX-License-Identifier: Apache-2.0
"""An HTTP endpoint of the test's own, in a thread of it: the other end of what Muster and its
command line call."""
import http.server
import threading


class Listener:
    """Use as a context. Who inherits says in handler() how it answers."""

    port = 0  # 0: any that is free; afterwards the one it has

    def handler(self):
        """A class that inherits from http.server.BaseHTTPRequestHandler."""
        raise NotImplementedError

    def __enter__(self):
        class Handler(self.handler()):
            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01},
                         daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
