# SPDX-License-Identifier: Apache-2.0
"""The real binary as a process, and clients that say exactly what crossed the wire. Nothing waits
for a time to pass: everything waits for an event and fails when a deadline comes first."""
import atexit
import base64
import json
import os
import pathlib
import random
import re
import signal
import socket
import ssl
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("MUSTER_BIN", str(ROOT / "build/release/muster"))
BUILD = pathlib.Path(os.environ.get("MUSTER_BUILD", pathlib.Path(BINARY).resolve().parent))
PATIENCE = 60  # seconds; a sanitizer on a busy machine is slow, a hang is for ever

# Words that no log of a healthy process holds.
ALARMS = re.compile(r"panic|AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehavior"
                    r"|runtime error:|Assertion .* failed|DEADLYSIGNAL|core dumped|\bBUG\b")


def wait_for(what, condition, seconds=PATIENCE):
    """Asks again until the answer is true; returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.005)


def own_port():
    """A port to come back to: nobody listens there, and it is none of those that the kernel gives
    to connections and to whoever takes any, so that nobody gets it by chance meanwhile."""
    given = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    lowest, highest = map(int, given)
    ports = [port for port in range(10000, 65536) if not lowest <= port <= highest]
    ports = ports or range(10000, 65536)  # where the kernel gives them all
    while True:
        port = random.SystemRandom().choice(ports)
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            continue


def urls_in(value):
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from urls_in(item)


def kill_what_is_left(process):
    if process.poll() is None:
        process.kill()
        process.wait()


def environment(**more):
    """The caller's, without what would configure Muster by accident."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MUSTER_")}
    return {**kept, "LC_ALL": "C", **more}


class Certificates:
    """An authority and what it signed, made with openssl(1)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = self.folder / "ca.pem"
        self.ca_key = self.folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-days", "2", "-subj", "/CN=test authority",
                      "-keyout", self.ca_key, "-out", self.ca)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def sign(self, name, common_name="localhost", names="DNS:localhost,IP:127.0.0.1,IP:::1"):
        """Returns the paths of a certificate and its key."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        cert, extensions = self.folder / f"{name}.pem", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", f"/CN={common_name}", "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key,
                      "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", cert)
        return cert, key

    def client_context(self, alpn=("http/1.1",)):
        context = ssl.create_default_context(cafile=str(self.ca))
        context.set_alpn_protocols(list(alpn))
        return context


class Server:
    """`muster serve` over its own data directory. Use as a context: leaving it stops the process
    with SIGTERM and checks how it ended and what it logged."""

    def __init__(self, folder, *flags, listen=("127.0.0.1:0",), data=None, env=None, exit_code=0):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = pathlib.Path(data) if data else self.folder / "data"
        self.log_path = self.folder / "server.log"
        self.flags = [str(f) for f in flags]
        self.listen = list(listen)
        self.env = environment(**(env or {}))
        self.exit_code = exit_code
        self.process = None
        self.killed = False  # once, on this directory
        self.endpoints = []

    # -- life

    def spawn(self):
        self.told = False  # to end: a second SIGTERM would cut the drain short
        command = [BINARY, "serve", "--data", str(self.data)]
        for address in self.listen:
            command += ["--listen", address]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command + self.flags, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.env, cwd=self.folder)
        atexit.register(kill_what_is_left, self.process)  # of a test that failed half-way
        return self

    def _endpoints_written(self):
        assert self.process.poll() is None, \
            f"the server ended with {self.process.returncode}:\n{self.log()}"
        try:
            text = (self.data / "endpoints.json").read_text()
            return [u for u in urls_in(json.loads(text)) if "://" in u]
        except (FileNotFoundError, ValueError):
            return None

    def start(self):
        (self.data / "endpoints.json").unlink(missing_ok=True)  # of a server that was killed
        self.spawn()
        self.endpoints = wait_for("endpoints.json", self._endpoints_written)
        return self

    def kill(self):
        self.killed = True
        self.process.kill()
        self.process.wait(PATIENCE)

    def terminate(self):
        self.told = True
        self.process.send_signal(signal.SIGTERM)

    def hang_up(self):
        """SIGHUP."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None and not self.told:
            self.terminate()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end the server:\n{self.log()[-3000:]}") from None
        self.process = None
        self.check_log()
        assert code == self.exit_code, f"exit code {code}:\n{self.log()[-3000:]}"

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        elif self.process and self.process.poll() is None:
            self.kill()

    # -- what it tells

    def log(self):
        return self.log_path.read_text(errors="replace")

    def check_log(self):
        alarm = ALARMS.search(self.log())
        assert not alarm, f"{alarm[0]} in the log:\n{self.log()[-6000:]}"

    def lines(self):
        """The log's JSON lines, but for one that is being written."""
        whole = self.log().split("\n")[:-1]
        return [json.loads(line) for line in whole if line.startswith("{")]

    def wait_for_line(self, **wanted):
        """The first log line that has all these members."""
        def find():
            return next((l for l in self.lines()
                         if all(str(l.get(k)) == str(v) for k, v in wanted.items())), None)
        return wait_for(f"a log line with {wanted}", find)

    def url(self, scheme="http"):
        return next(u for u in self.endpoints if u.startswith(scheme + "://")).rstrip("/")

    def port(self, scheme="http"):
        return int(self.url(scheme).rpartition(":")[2])

    def credentials(self):
        return json.loads((self.data / "first-credentials.json").read_text())

    def token(self):
        return self.credentials()["token"]

    # -- clients

    def connect(self, certificates=None, alpn=("http/1.1",)):
        return Wire(self.port("https" if certificates else "http"), certificates, alpn)

    def request(self, method, path, body=None, token=True, headers=(), certificates=None):
        """One exchange over HTTP/1.1 on a connection of its own."""
        with self.connect(certificates) as wire:
            return wire.request(method, path, body, self.token() if token is True else token,
                                headers)

    def cli(self, *arguments, env=None, where=True, check=None):
        """Runs a command of the operator against this server."""
        command = [BINARY, *map(str, arguments)]
        if where:
            command += ["--data", str(self.data)]
        return run(*command[1:], env=env, check=check, cwd=self.folder)


def run(*arguments, env=None, check=None, cwd=None, timeout=PATIENCE, typed=""):
    """The program with these arguments; `typed` is its standard input."""
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, cwd=cwd,
                          env=environment(**(env or {})), timeout=timeout, input=typed)
    alarm = ALARMS.search(done.stderr)
    assert not alarm, done.stderr
    if check is not None:
        assert done.returncode == check, \
            f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


class Answer:
    def __init__(self, status, fields, body, trailers=()):
        self.status = status
        self.fields = fields  # lower-case name -> value, the last one wins
        self.body = body
        self.trailers = dict(trailers)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:300]!r}"


class Closed(Exception):
    """The server ended the connection where an answer was due."""


class Wire:
    """One HTTP/1.1 connection, bytes in and bytes out."""

    def __init__(self, port, certificates=None, alpn=("http/1.1",), host="127.0.0.1",
                 source=None):
        """`source`: the address that the server sees, such as another one of 127.0.0.0/8."""
        self.socket = socket.create_connection((host, port), PATIENCE, source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if certificates:
            context = certificates if isinstance(certificates, ssl.SSLContext) \
                else certificates.client_context(alpn)
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.kept = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """False when the server has closed already."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return False

    def send_bytewise(self, data):
        """One byte a segment, as far as the server takes them; keeps what it says meanwhile."""
        for i in range(len(data)):
            self.socket.settimeout(0)
            try:
                got = self.socket.recv(65536)
                self.kept += got
                if not got:
                    break
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            except OSError:
                break
            finally:
                self.socket.settimeout(PATIENCE)
            if not self.send(data[i:i + 1]):
                break

    def _more(self):
        try:
            got = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            got = b""
        self.kept += got
        return bool(got)

    def read_until(self, mark):
        while mark not in self.kept:
            if not self._more():
                raise Closed(self.kept[:200])
        head, _, self.kept = self.kept.partition(mark)
        return head

    def read_exactly(self, count):
        while len(self.kept) < count:
            if not self._more():
                raise Closed(self.kept[:200])
        data, self.kept = self.kept[:count], self.kept[count:]
        return data

    def head(self):
        lines = self.read_until(b"\r\n\r\n").split(b"\r\n")
        match = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [ -~]*", lines[0])
        assert match, f"not a status line: {lines[0]!r}"
        fields = {}
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            assert colon and re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name), line
            fields[name.decode().lower()] = value.strip().decode()
        return int(match[1]), fields

    def answer(self, method="GET", interim=False):
        """The next answer; interim ones (1xx) only when asked for."""
        status, fields = self.head()
        while status < 200 and not interim:
            status, fields = self.head()
        body, trailers = b"", {}
        if method == "HEAD" or status in (204, 304) or status < 200:
            pass
        elif fields.get("transfer-encoding") == "chunked":
            while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
                body += self.read_exactly(size)
                assert self.read_exactly(2) == b"\r\n"
            while line := self.read_until(b"\r\n"):
                name, _, value = line.partition(b":")
                trailers[name.decode().lower()] = value.strip().decode()
        elif "content-length" in fields:
            body = self.read_exactly(int(fields["content-length"]))
        else:
            while self._more():
                pass
            body, self.kept = self.kept, b""
        return Answer(status, fields, body, trailers)

    def request(self, method, path, body=None, token=None, headers=()):
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        payload = b""
        if body is not None:
            payload = body if isinstance(body, bytes) else json.dumps(body).encode()
            if not any(h.lower().startswith("content-type:") for h in headers):
                lines.append("Content-Type: application/json")
            lines.append(f"Content-Length: {len(payload)}")
        elif method in ("POST", "PUT", "PATCH"):
            lines.append("Content-Length: 0")
        lines += headers
        self.send("\r\n".join([*lines, "", ""]).encode() + payload)
        return self.answer(method)

    def is_closed_by_server(self):
        """Waits for the end; true when nothing but the end came."""
        while self._more():
            pass
        return self.kept == b""

    def stays_open(self):
        """Proves it with another exchange."""
        try:
            self.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            return self.answer().status == 200
        except Closed:
            return False


def basic(user, password):
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
