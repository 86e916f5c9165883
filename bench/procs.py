# SPDX-License-Identifier: Apache-2.0
"""The servers under measurement, started on free loopback ports with their own scratch folder,
and what the kernel says about a process: CPU time, memory. One owner: bench.py's main thread."""
import base64
import http.client
import json
import pathlib
import resource
import select
import shutil
import signal
import socket
import subprocess
import time

READY_SECONDS = 60


class Trouble(Exception):
    """Something that makes a measurement impossible; the message is for the operator."""


def cpu_seconds(pid):
    """User and system time of all threads of a process so far. The number of a process's CPU clock
    is made of its id (clock_getcpuclockid(3)), which is finer than the ticks of /proc/PID/stat."""
    return time.clock_gettime(~pid << 3 | 2)


def memory_kib(pid):
    """{"Rss": KiB, "Pss": KiB, "Private_Dirty": KiB, ...} of a process."""
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith("kB"):
            found[name] = int(rest.split()[0])
    return found


def raise_file_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        except (ValueError, PermissionError) as refused:
            raise Trouble(f"{wanted} open files are needed (ulimit -n): {refused}") from refused


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pinned(command, cores):
    return ["taskset", "-c", cores, *command] if cores else command


def first_url(value):
    """The first clear-text TCP endpoint in DATA/endpoints.json, however deep it lies."""
    if isinstance(value, str):
        return value if value.startswith("http://") else None
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next(filter(None, map(first_url, inner)), None)


class Muster:
    """One `muster serve` over one data directory."""

    def __init__(self, binary, folder, cores=None, flags=()):
        self.binary = binary
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.cores = cores
        self.flags = list(flags)
        self.process = None
        self.port = None
        self.folder.mkdir(parents=True, exist_ok=True)

    def start(self):
        """Starts it and returns the seconds from exec to the first good answer of /livez."""
        endpoints = self.data / "endpoints.json"
        endpoints.unlink(missing_ok=True)
        command = pinned([self.binary, "serve", "--data", str(self.data), "--listen",
                          "127.0.0.1:0", *self.flags], self.cores)
        with open(self.folder / "log", "ab") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        while time.monotonic() - began < READY_SECONDS:
            if self.process.poll() is not None:
                break
            try:
                url = first_url(json.loads(endpoints.read_text()))
                self.port = int(url.rstrip("/").rpartition(":")[2])
                if self.get("/livez")[0] == 200:
                    return time.monotonic() - began
            except (OSError, ValueError, AttributeError, http.client.HTTPException):
                pass
            time.sleep(0.001)
        tail = (self.folder / "log").read_text(errors="replace")[-2000:]
        self.stop()
        raise Trouble(f"the server did not become ready: {' '.join(command)}\n{tail}")

    @property
    def pid(self):
        return self.process.pid

    def credentials(self):
        return json.loads((self.data / "first-credentials.json").read_text())

    def exchange(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def get(self, path, token=None):
        return self.exchange("GET", path, None,
                             {"Authorization": f"Bearer {token}"} if token else {})

    def call(self, method, path, document):
        """A management request as the first key; the answer's document."""
        key = self.credentials()
        user = base64.b64encode(f"{key['id']}:{key['secret']}".encode()).decode()
        status, text, _ = self.exchange(method, path, json.dumps(document), {
            "Authorization": f"Basic {user}", "Content-Type": "application/json"})
        if status >= 300:
            raise Trouble(f"{method} {path} answered {status}: {text!r}")
        return json.loads(text)

    def agents_token(self):
        """The token of a new key for agents."""
        return self.call("POST", "/admin/v1/keys", {"label": "fleet", "role": "agent"})["token"]

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def forget(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Echo:
    """A program that prints "ready ADDRESS" and serves there until it is told to end."""

    def __init__(self, command, folder, cores=None):
        self.command = command
        self.folder = pathlib.Path(folder)
        self.cores = cores
        self.process = None
        self.address = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(pinned(self.command, self.cores), stderr=log,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        ready, _, _ = select.select([self.process.stdout], [], [], READY_SECONDS)
        said = self.process.stdout.readline().decode() if ready else ""
        word, _, address = said.partition(" ")
        if word != "ready":
            self.stop()
            raise Trouble(f"{self.command[0]} did not become ready\n" +
                          (self.folder / "log").read_text(errors="replace")[-2000:])
        self.address = address.split()[0]

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.process.stdout.close()


NGINX = """
daemon off;
master_process on;
worker_processes 1;
error_log error.log warn;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    default_type application/json;
    keepalive_timeout 600;
    keepalive_requests 1000000000;
    http2_max_concurrent_streams 256;
    server {{
        listen 127.0.0.1:{quiet} backlog=4096;
        listen 127.0.0.1:{quiet2} http2 backlog=4096;
        access_log off;
        return 200 '{body}';
    }}
    server {{
        listen 127.0.0.1:{logged} backlog=4096;
        listen 127.0.0.1:{logged2} http2 backlog=4096;
        access_log access.log;
        return 200 '{body}';
    }}
}}
"""


class Nginx:
    """nginx with one worker that answers every path with a fixed body, quietly and logged."""

    def __init__(self, folder, body, cores=None):
        self.folder = pathlib.Path(folder)
        self.body = body
        self.cores = cores
        self.process = None
        self.ports = {}

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ports = {name: free_port() for name in ("quiet", "quiet2", "logged", "logged2")}
        text = "".join("x" if c in "\\'$" else c for c in self.body)
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(body=text, **self.ports))
        command = ["nginx", "-p", str(self.folder), "-e", str(self.folder / "error.log"),
                   "-c", str(config)]
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(pinned(command, self.cores), stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.ports["quiet"]), 1):
                    if self.worker():
                        return
            except OSError:
                pass
            time.sleep(0.01)
        said = (self.folder / "out").read_text() + (self.folder / "error.log").read_text()
        self.stop()
        raise Trouble(f"nginx did not start: {said}")

    def worker(self):
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    @property
    def pid(self):
        return self.worker()

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}/"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(10)
