# SPDX-License-Identifier: Apache-2.0
"""A SIMULATION of OpenTelemetry's "sumologic" extension and of the exporter beside it: which
requests they send, in what order, and what they make of the answers. It is not the vendor's code.
Time is the simulation's own: where the real one would sleep, the clock is moved on and the test may
do something, such as starting a server."""
import gzip
import hashlib
import json
import pathlib

from harness import Closed, Wire, basic

BEAT = 15  # seconds
FIRST_PAUSE, LONGEST_PAUSE, PATIENCE, GROWTH = 0.5, 60, 15 * 60, 1.5


class StartFailed(Exception):
    """The process would end: with the last answer, or None when there was none."""


class Extension:
    def __init__(self, server, folder, token, name, address=None, **settings):
        self.server = server
        self.folder = pathlib.Path(folder)
        self.token = token
        self.name = name
        self.settings = settings
        self.address = address
        self.now = 0.0
        self.sent = []      # ("register", 200), ...
        self.pauses = []
        self.on_pause = None  # called with the number of pauses so far
        self.credentials = None
        self.wire = None
        self.dropped = []

    def setting(self, name, value=None):
        return self.settings.get(name, value)

    # -- credentials

    def file(self):
        base = self.setting("api_base_url", self.server.url())
        key = hashlib.sha256(f"{self.name}{self.token}{base}".encode()).hexdigest()
        return self.folder / key

    def keep(self, told):
        self.credentials = told
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file().write_text(json.dumps(told))

    def forget(self):
        self.credentials = None
        self.file().unlink(missing_ok=True)

    def authorization(self):
        return basic(self.credentials["collectorCredentialId"],
                     self.credentials["collectorCredentialKey"])

    def number(self):
        return int(self.credentials["collectorId"], 16)

    # -- requests

    def hang_up(self):
        if self.wire:
            self.wire.close()
        self.wire = None

    def post(self, what, path, body, authorization, media="application/json", fields=()):
        """The answer; None when there was none."""
        try:
            if self.wire is None:
                self.wire = Wire(self.server.port(), source=self.address)
            answer = self.wire.request("POST", path, body, None, [
                authorization, f"Content-Type: {media}", "Accept: application/json", *fields])
        except (Closed, OSError):
            self.hang_up()
            answer = None
        self.sent.append((what, answer.status if answer else None))
        if answer and answer.fields.get("connection") == "close":
            self.hang_up()
        return answer

    def send_registration(self):
        body = {"collectorName": self.name, "hostname": f"{self.name}.lan"}
        for member in ("ephemeral", "description", "category", "timeZone", "clobber", "fields",
                       "fleetId"):
            if self.setting(member):
                body[member] = self.setting(member)
        return self.post("register", "/api/v1/collector/register", body,
                         f"Authorization: Bearer {self.token}")

    def send_beat(self):
        return self.post("heartbeat", "/api/v1/collector/heartbeat", None, self.authorization())

    def send_metadata(self):
        body = {"hostDetails": {"name": f"{self.name}.lan", "osName": "linux",
                                "osVersion": "6.1", "environment": "host"},
                "collectorDetails": {"runningVersion": self.setting("version",
                                                                    "v0.155.0-sumo-0")},
                "networkDetails": {"hostIpAddress": "10.0.0.7"},
                "tagDetails": {**self.setting("fields", {}), "sumo.disco.enabled": "true"}}
        return self.post("metadata", "/api/v1/otCollectors/metadata", body, self.authorization())

    # -- patience

    def pause(self, seconds):
        self.now += seconds
        self.pauses.append(seconds)
        if self.on_pause:
            self.on_pause(len(self.pauses))

    def insist(self, attempt):
        """Again with growing pauses, until it says that it is done or nobody waits any longer."""
        wait, begun = FIRST_PAUSE, self.now
        while True:
            answer, done = attempt()
            if done:
                return answer
            if self.now - begun + wait > PATIENCE:
                raise StartFailed(answer)
            self.pause(wait)
            wait = min(wait * GROWTH, LONGEST_PAUSE)

    @staticmethod
    def is_permanent(answer):
        """A refusal in the shape that says why; 429 is none."""
        if answer is None or not 400 <= answer.status < 500 or answer.status == 429:
            return False
        try:
            return "errors" in answer.json()
        except ValueError:
            return False

    def register(self):
        def attempt():
            answer = self.send_registration()
            if answer and 200 <= answer.status < 300:
                self.keep(answer.json())
                return answer, True
            if self.is_permanent(answer):
                raise StartFailed(answer)
            return answer, False

        return self.insist(attempt)

    # -- life

    def validate(self):
        def attempt():
            answer = self.send_beat()
            if answer and answer.status == 204:
                return answer, True
            if answer and answer.status == 401:
                self.forget()
                return answer, True
            return answer, False

        self.insist(attempt)

    def start(self):
        if self.file().exists() and not self.setting("force_registration"):
            self.credentials = json.loads(self.file().read_text())
            self.validate()
        else:
            self.credentials = None
        if self.credentials is None:
            self.register()
        self.insist(lambda: (lambda a: (a, bool(a) and a.status in (200, 204)))(
            self.send_metadata()))
        self.beat()
        return self

    def beat(self):
        """One turn of the running loop. True: it goes on without a pause."""
        answer = self.send_beat()
        if answer is None or answer.status != 401:
            return False
        try:
            self.register()
        except StartFailed:
            return True  # a permanent refusal is followed by the next turn at once
        return False

    def run(self, seconds):
        """So long on its own clock."""
        end = self.now + seconds
        while self.now + BEAT <= end:
            self.now += BEAT
            turns = 0
            while self.beat() and self.now <= end:
                turns += 1
                assert turns < 100, f"a storm: {self.sent[:40]}"

    def stop(self):
        self.hang_up()

    # -- the exporter beside it

    def export(self, signal, data, media="application/x-www-form-urlencoded", fields=()):
        """One batch. True: it was taken; 401 makes it look for new credentials, 400 drop it."""
        def attempt():
            answer = self.post(signal, f"/api/v1/collector/{signal}", gzip.compress(data),
                               self.authorization(), media,
                               ["Content-Encoding: gzip", "X-Sumo-Client: otelcol", *fields])
            if answer and answer.status in (200, 204):
                assert answer.body == b"", "would be logged as a warning"
                return answer, True
            if answer and answer.status == 400:
                self.dropped.append(data)
                return answer, True
            if answer and answer.status == 401:
                self.beat()  # the extension next to it finds out, too
            return answer, False

        return self.insist(attempt).status in (200, 204)
