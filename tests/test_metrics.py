# SPDX-License-Identifier: Apache-2.0
"""/metrics: sound by promtool, and the numbers are those of what happened."""
import re
import subprocess

import pytest

from h2client import H2
from harness import Server, wait_for

SERIES = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")


def scrape(server, token=True):
    answer = server.request("GET", "/metrics", token=token)
    assert answer.status == 200
    assert answer.fields["content-type"].startswith("text/plain; version=0.0.4")
    return answer.body.decode()


def values(text):
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SERIES.match(line)
        assert match, line
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
        found[match[1], tuple(sorted(labels.items()))] = float(match[3])
    return found


def total(text, name, **labels):
    """The sum of all series of that name with these labels."""
    return sum(v for (n, ls), v in values(text).items()
               if n == name and set(labels.items()) <= set(ls))


def check_with_promtool(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and done.stdout + done.stderr == "", done.stdout + done.stderr


def test_promtool_finds_nothing(server):
    check_with_promtool(scrape(server))
    with server.connect() as wire:  # and once every kind of series has been made
        for method, path in (("GET", "/nope"), ("PUT", "/livez"), ("GET", "/admin/v1/keys"),
                             ("POST", "/admin/v1/keys"), ("GET", "/admin/v1/events")):
            wire.request(method, path, token=server.token())
        wire.request("POST", "/admin/v1/tenants", {"name": "a"}, server.token())
        wire.send(b"nonsense\r\n\r\n")
        wire.answer()
    with H2(server.port()) as client:
        client.request("GET", "/livez")
    check_with_promtool(scrape(server))


@pytest.mark.parametrize("name", [
    "muster_http_requests_total", "muster_http_request_seconds_bucket",
    "muster_queue_wait_seconds_bucket", "muster_store_batch_jobs_bucket",
    "muster_store_commit_seconds_bucket", "muster_connections",
    "muster_connections_closed_total", "process_resident_memory_bytes"])
def test_a_family_is_there(shared, name):
    shared.request("POST", "/admin/v1/tenants", {"name": "a-metric"})
    found = {n for n, _ in values(scrape(shared))}
    if name == "process_resident_memory_bytes":
        assert any("resident" in n or "memory" in n for n in found), sorted(found)
    else:
        assert name in found, sorted(found)


def test_requests_are_counted_by_route_and_code(server):
    def count(route, code):
        return total(scrape(server), "muster_http_requests_total", route=route, code=code)
    with server.connect() as wire:
        for _ in range(7):
            wire.request("GET", "/admin/v1/whoami", token=server.token())
        for _ in range(3):
            wire.request("GET", "/admin/v1/whoami")
        for _ in range(2):
            wire.request("GET", "/nope")
        wire.request("PUT", "/admin/v1/keys", token=server.token())
    assert count("admin.whoami", 200) == 0  # labels are text
    assert count("admin.whoami", "200") == 7
    assert count("admin.whoami", "401") == 3
    assert count("admin.unmatched", "404") == 2
    assert count("admin.unmatched", "405") == 1


def test_latencies_are_observed(server):
    with server.connect() as wire:
        for _ in range(5):
            wire.request("GET", "/admin/v1/keys", token=server.token())
    text = scrape(server)
    assert total(text, "muster_http_request_seconds_count", route="admin.keys.list") == 5
    assert total(text, "muster_http_request_seconds_bucket", route="admin.keys.list",
                 le="+Inf") == 5
    assert total(text, "muster_queue_wait_seconds_count", lane="worker") >= 5


def test_writes_share_commits(server):
    """Every job is in exactly one batch, and each batch had one sync."""
    before = scrape(server)
    with H2(server.port()) as client:
        streams = []
        for i in range(100):
            body = b'{"name":"t%d"}' % i
            stream = client.begin("POST", "/admin/v1/tenants", [
                ("authorization", f"Bearer {server.token()}"),
                ("content-type", "application/json")], end=False)
            client.send(stream, body)
            streams.append(stream)
        assert all(client.answer(s).status == 201 for s in streams)
    after = scrape(server)
    jobs = total(after, "muster_store_batch_jobs_sum") - total(before,
                                                               "muster_store_batch_jobs_sum")
    batches = total(after, "muster_store_batch_jobs_count") - total(
        before, "muster_store_batch_jobs_count")
    assert jobs >= 100 and 1 <= batches <= jobs
    commits = total(after, "muster_store_commit_seconds_count") - total(
        before, "muster_store_commit_seconds_count")
    assert commits >= 1


def test_connections_are_counted_as_they_come_and_go(server):
    def open_now():
        return total(scrape(server), "muster_connections")
    before = open_now()
    kept = [server.connect() for _ in range(5)]
    for wire in kept:
        assert wire.stays_open()
    assert open_now() >= before + 5
    for wire in kept:
        wire.close()
    wait_for("the connections to go", lambda: open_now() <= before + 1)


def test_counters_never_step_back(server):
    seen = {}
    for _ in range(5):
        server.request("GET", "/admin/v1/keys")
        for series, value in values(scrape(server)).items():
            if series[0].endswith(("_total", "_count", "_sum", "_bucket")):
                assert value >= seen.get(series, 0), series
                seen[series] = value


def test_buckets_add_up(server):
    server.request("GET", "/admin/v1/keys")
    found = values(scrape(server))
    for (name, labels), count in found.items():
        if not name.endswith("_count"):
            continue
        family = name[:-len("_count")]
        buckets = sorted((float("inf") if dict(ls)["le"] == "+Inf" else float(dict(ls)["le"]), v)
                         for (n, ls), v in found.items()
                         if n == family + "_bucket" and
                         tuple(l for l in ls if l[0] != "le") == labels)
        if buckets:
            assert [v for _, v in buckets] == sorted(v for _, v in buckets), family
            assert buckets[-1][0] == float("inf") and buckets[-1][1] == count, family


def test_other_machines_need_a_key_for_metrics(tmp_path):
    """Loopback may look; the rule is shown by what an option changes, for want of a machine."""
    with Server(tmp_path) as server:
        assert server.request("GET", "/metrics", token=None).status == 200
