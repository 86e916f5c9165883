# SPDX-License-Identifier: Apache-2.0
"""A test double of an agent that takes packages: it asks which build is next, fetches it, checks
its size and hash, and from then on says that it runs it. It installs nothing. What it speaks is
muster.v1.PackageService with JSON over HTTP, as a real agent would."""
import hashlib


SERVICE = "/muster.v1.PackageService/"


class UpgradeAgent:
    def __init__(self, server, authorization, version, platform="linux/amd64", agent_id=""):
        self.server = server
        self.authorization = authorization
        self.version = version
        self.platform = platform
        self.agent_id = agent_id
        self.taken = []  # versions, in order

    # -- what it asks

    def post(self, method, **members):
        if self.agent_id:
            members.setdefault("agentId", self.agent_id)
        return self.server.request("POST", SERVICE + method, members, False, [self.authorization])

    def next(self):
        """The package that is offered, or None."""
        answer = self.post("NextPackage", runningVersion=self.version, platform=self.platform)
        assert answer.status == 200, answer
        return answer.json().get("package")

    def report(self, package, state, message=""):
        answer = self.post("ReportPackage", version=package["version"],
                           state=f"PACKAGE_STATE_{state}", message=message)
        assert answer.status == 200, answer

    def get(self, path, *headers, method="GET"):
        return self.server.request(method, path, None, False, [self.authorization, *headers])

    # -- what it does

    def fetch(self, package, pieces=1):
        """The bytes, in so many ranges, checked."""
        size = int(package["size"])
        if pieces == 1:
            answer = self.get(package["path"])
            assert answer.status == 200, answer
            data = answer.body
        else:
            data = b""
            part = -(-size // pieces)
            while len(data) < size:
                last = min(len(data) + part, size) - 1
                answer = self.get(package["path"], f"Range: bytes={len(data)}-{last}",
                                  f'If-Range: "{package["sha256"]}"')
                assert answer.status == 206, answer
                assert answer.fields["content-range"] == f"bytes {len(data)}-{last}/{size}"
                data += answer.body
        assert len(data) == size
        assert hashlib.sha256(data).hexdigest() == package["sha256"]
        return data

    def take(self, package, pieces=1):
        self.report(package, "DOWNLOADING")
        self.fetch(package, pieces)
        self.report(package, "INSTALLING")
        self.version = package["version"]
        self.taken.append(self.version)

    def step(self, pieces=1):
        """Takes what is offered; whether anything was."""
        package = self.next()
        if package:
            self.take(package, pieces)
        return package is not None

    def settle(self):
        """Takes whatever comes until nothing does."""
        while self.step():
            pass
