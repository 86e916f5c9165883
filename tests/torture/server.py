# SPDX-License-Identifier: Apache-2.0
"""The server as a process that is started, killed and checked, over one data directory."""
import asyncio
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing

import wire

DATA_FILE = "muster.db"
READY_SECONDS = 30
CHECK_SECONDS = 120


class Failure(Exception):
    """The server broke its promise; the message says how."""


class Broken(Exception):
    """The run cannot go on: the server does not start or end, or time is up."""


def first_url(value):
    """The first clear-text TCP endpoint in DATA/endpoints.json, however deep it lies."""
    if isinstance(value, str):
        return value if value.startswith("http://") else None
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next(filter(None, map(first_url, inner)), None)


class Server:
    def __init__(self, binary, data, log, flags=()):
        self.binary = binary
        self.data = pathlib.Path(data)
        self.log = pathlib.Path(log)
        self.flags = list(flags)
        self.process = None
        self.port = None

    def spawn(self, flags=()):
        """Starts the process and does not wait for it."""
        (self.data / "endpoints.json").unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", str(self.data), "--listen", "127.0.0.1:0",
                 *self.flags, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def ready(self):
        """Waits until it answers; the port is then known."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                url = first_url(json.loads((self.data / "endpoints.json").read_text()))
                self.port = int(url.rstrip("/").rpartition(":")[2])
                async with wire.Connection(self.port, "") as connection:
                    if (await connection.request("GET", "/livez")).status == 200:
                        return
            except (OSError, ValueError, AttributeError, wire.Lost):
                pass
            await asyncio.sleep(0.002)
        state = self.process.poll()
        self.kill()
        raise Broken(f"the server did not become ready (exit {state}); the end of its log:\n" +
                     self.log.read_text(errors="replace")[-1500:])

    async def start(self, flags=()):
        self.spawn(flags)
        await self.ready()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def terminate(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends it the friendly way and returns its exit status."""
        self.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise Broken("the server did not end within 30 s of SIGTERM") from late

    def ended_alone(self):
        return self.process is not None and self.process.poll() is not None

    def credentials(self):
        return json.loads((self.data / "first-credentials.json").read_text())

    def data_file(self):
        return self.data / DATA_FILE

    def stage(self):
        """How far a first start came, read from a copy so that the crash's traces stay."""
        with tempfile.TemporaryDirectory(dir=self.data.parent) as folder:
            for path in self.data.iterdir():
                if path.is_file():
                    shutil.copy2(path, folder)
            copy = pathlib.Path(folder) / DATA_FILE
            if not copy.exists() or not copy.stat().st_size:
                return "no data file"
            with closing(sqlite3.connect(copy)) as database:
                if not database.execute("select count(*) from sqlite_master").fetchone()[0]:
                    return "no tables"
                if not database.execute("select count(*) from tenants").fetchone()[0]:
                    return "no tenant"
        return "all in place"

    def backup(self, folder):
        """Begins to copy what the running server has. A backup that is there is replaced."""
        return subprocess.Popen(
            [self.binary, "backup", "--force", str(folder), "--data", str(self.data)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def check(self, path=None):
        """`muster check` on the stopped server's folder, or on a backup: what is wrong, or None."""
        path = path or self.data
        try:
            ended = subprocess.run([self.binary, "check", str(path)], capture_output=True,
                                   text=True, timeout=CHECK_SECONDS, stdin=subprocess.DEVNULL,
                                   env={**os.environ, "LC_ALL": "C"})
        except subprocess.TimeoutExpired:
            return f"muster check {path} did not end within {CHECK_SECONDS} s"
        if ended.returncode:
            return (f"muster check {path}: exit {ended.returncode}: " +
                    (ended.stderr + ended.stdout).strip())
        return None
