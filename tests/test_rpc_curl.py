# SPDX-License-Identifier: Apache-2.0
"""What somebody with curl and a page of documentation does: Connect with JSON, by hand."""
import gzip
import json
import re
import subprocess
import urllib.parse

import pytest

from harness import PATIENCE, environment
from rpcclient import EchoServer

SERVICE = "/muster.test.v1.TestService/"
JSON = ("-H", "Content-Type: application/json")


@pytest.fixture(scope="module")
def echo(tmp_path_factory, certificates):
    with EchoServer(tmp_path_factory.mktemp("curl"), certificates, "--gzip-min", 1) as server:
        yield server


class Curled:
    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields
        self.body = body

    def json(self):
        return json.loads(self.body)


@pytest.fixture(params=["http1.1", "http2-prior-knowledge", "http2-upgrade", "tls"])
def curl(request, echo):
    where = f"http://127.0.0.1:{echo.port}"
    options = [f"--{request.param}"]
    if request.param == "tls":
        where = f"https://localhost:{echo.tls_port}"
        options = ["--cacert", str(echo.certificates.ca)]
    elif request.param == "http2-upgrade":
        options = ["--http2"]  # asks to upgrade, and lives with HTTP/1.1

    def run(path, *arguments):
        done = subprocess.run(["curl", "-sS", "-q", "-i", "--max-time", str(PATIENCE), *options,
                               *arguments, where + path], capture_output=True, timeout=2 * PATIENCE,
                              check=True, env=environment())
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        while re.match(rb"HTTP/\S+ 1\d\d", head):
            head, _, body = body.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = dict((n.lower(), v.strip()) for n, _, v in (l.partition(":") for l in lines))
        return Curled(int(first.split()[1]), fields, body)

    return run


def test_a_call_is_a_post_of_json(curl):
    answer = curl(SERVICE + "Echo", *JSON, "-d", '{"text": "hello", "number": 5, "nobody": "knows"}')
    assert answer.status == 200
    assert answer.fields["content-type"] == "application/json"
    assert answer.fields["accept-encoding"] == "gzip"
    assert answer.json() == {"text": "hello", "number": "5"}
    assert curl(SERVICE + "Echo", *JSON, "-d", "{}").json() == {}
    assert curl(SERVICE + "Echo", "--json", '{"ballast": "_-8"}').json() == {"ballast": "/+8="}


def test_names_come_as_either_spelling_and_go_as_json_spells_them(curl):
    for name in ("a_int32", "aInt32"):
        answer = curl(SERVICE + "EchoEverything", *JSON, "-d", json.dumps({name: 7}))
        assert answer.json() == {"aInt32": 7}
    answer = curl(SERVICE + "EchoEverything", *JSON, "-d", '{"a_int32":1,"aInt32":1}')
    assert (answer.status, answer.json()["code"]) == (400, "invalid_argument")


def test_without_a_side_effect_a_get_will_do(curl):
    message = urllib.parse.quote('{"text":"by GET"}')
    answer = curl(SERVICE + f"EchoHot?connect=v1&encoding=json&message={message}")
    assert (answer.status, answer.json()) == (200, {"text": "by GET"})
    answer = curl(SERVICE + f"Echo?connect=v1&encoding=json&message={message}")
    assert (answer.status, answer.fields["allow"]) == (405, "POST")


def test_errors_are_json(curl):
    problem = {"code": 5, "message": "no such thing", "details": [
        {"@type": "type.googleapis.com/muster.test.v1.Page", "size": 1}]}
    answer = curl(SERVICE + "Echo", *JSON, "-d", json.dumps({"problem": problem}))
    assert answer.status == 404
    assert answer.fields["content-type"] == "application/json"
    assert answer.json() == {"code": "not_found", "message": "no such thing",
                             "details": [{"type": "muster.test.v1.Page", "value": "CAE"}]}
    assert curl(SERVICE + "Echo", *JSON, "-d", "{").json()["code"] == "invalid_argument"


def test_the_media_type_of_a_form_is_refused(curl):
    answer = curl(SERVICE + "Echo", "-d", "{}")  # as curl says when not told otherwise
    assert (answer.status, answer.body) == (415, b"")
    assert "application/json" in answer.fields["accept-post"].split(", ")


def test_compression_both_ways(curl, tmp_path):
    packed = tmp_path / "request.gz"
    packed.write_bytes(gzip.compress(b'{"text": "packed"}'))
    answer = curl(SERVICE + "Echo", *JSON, "-H", "Content-Encoding: gzip",
                  "--data-binary", f"@{packed}", "--compressed")
    assert answer.json() == {"text": "packed"}
    assert answer.fields["content-encoding"] == "gzip"


def test_a_timeout_is_kept(curl):
    answer = curl(SERVICE + "Echo", *JSON, "-H", "Connect-Timeout-Ms: 20", "-d", '{"delayMs":600000}')
    assert (answer.status, answer.json()["code"]) == (504, "deadline_exceeded")


def test_a_credential_is_asked_for(curl):
    answer = curl(SERVICE + "CreateThing", *JSON, "-d", '{"parent":"p","thing":{"name":"n"}}')
    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.fields["www-authenticate"] == 'Basic realm="Test"'
    answer = curl(SERVICE + "CreateThing", *JSON, "-u", "any:secret",
                  "-d", '{"parent":"p","thing":{"name":"n"}}')
    assert (answer.status, answer.json()) == (200, {"name": "p/things/n"})


def test_rest_openapi_and_protos(curl):
    assert curl("/test/v1/echo/word?number=3").json() == {"text": "word", "number": "3"}
    told = curl("/openapi.json").json()
    assert told["openapi"].startswith("3.0") and "/test/v1/echo" in told["paths"]
    assert b"service TestService" in curl("/protos/muster/test/v1/test.proto").body
    assert curl("/protos/no/such.proto").status == 404
