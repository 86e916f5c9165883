# SPDX-License-Identifier: Apache-2.0
"""What an operator may decide about the fleet: rates, how many there may be, when silence counts,
and the choices where the vendor's behavior is not known. Servers of their own, each with its
decisions."""
import concurrent.futures

import pytest

import h2client
from fleet.client import COLLECTORS, SERVICE_OF, Fleet, error_of, is_comment
from harness import Server, Wire, wait_for
from rpcclient import Api, Connect, Grpc, GrpcWeb
from test_reload import reload

MANY = 40  # calls in a row: more than a second gives, however slow the machine


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("limited"), "--rate-fleet-collector-per-second", "2",
                "--rate-fleet-api-per-second", "1") as server:
        yield server


@pytest.fixture
def slow(limited):
    with Fleet(limited) as made:
        yield made


def row(fleet, method, body=None):
    """Statuses of many calls in a row; what is refused says when to come back."""
    told = []
    for _ in range(MANY):
        answer = fleet.post(method, body or {})
        told.append(answer.status)
        if answer.status == 429:
            assert error_of(answer)["code"] == "resource_exhausted"
            assert int(answer.fields["retry-after"]) >= 1
    return told


def test_limits_are_told(slow):
    assert slow.call("GetLimits") == {"requestsPerSecond": {"collector": 2, "api": 1}}


@pytest.mark.parametrize("method, body", [
    ("ListCollectors", {}), ("GetCollector", {"id": "c"}), ("ListPipelines", {}),
    ("CreatePipeline", {}), ("GetLimits", {})], ids=lambda v: v if isinstance(v, str) else "")
def test_calls_of_the_api_are_counted(slow, method, body):
    told = row(slow, method, body)
    assert told[0] != 429 and 429 in told


@pytest.mark.parametrize("method", ["GetConfig", "UnregisterCollector"])
def test_calls_of_collectors_are_counted(slow, method):
    told = row(slow, method, {"id": "c"})
    assert told[:2] == [200, 200] and 429 in told


def test_a_registration_is_never_refused_by_a_rate(slow):
    row(slow, "ListCollectors")
    row(slow, "GetConfig", {"id": "c"})
    assert row(slow, "RegisterCollector", {"id": "c"}) == [200] * MANY


def test_the_two_buckets_are_apart_and_each_key_has_its_own(slow):
    assert 429 in row(slow, "ListCollectors")
    assert slow.post("GetConfig", {"id": "c"}).status == 200
    assert 429 in row(slow, "GetConfig", {"id": "c"})
    with Fleet(slow.server) as other:
        assert other.post("ListCollectors", {}).status == 200
        assert other.post("GetConfig", {"id": "c"}).status == 200
    with Fleet(slow.server, slow.tenant, slow.key("admin")) as beside:
        assert beside.post("ListCollectors", {}).status == 200


@pytest.mark.parametrize("envelope", [Connect("proto"), Grpc("proto"), Grpc("json"),
                                      GrpcWeb("proto")], ids=lambda e: e.name)
def test_a_rate_in_the_shape_of_who_asks(slow, envelope):
    api = Api()
    row(slow, "ListCollectors")
    wire = h2client.H2(slow.server.port()) if envelope.kind == "grpc" else Wire(slow.server.port())
    codes = set()
    with wire:
        for _ in range(MANY):
            got = envelope.call(api, wire, COLLECTORS + "ListCollectors",
                                api.new("collector.v1.ListCollectorsRequest"),
                                [slow.authorization()])
            codes.add(got.code)
            if got.code == "resource_exhausted" and envelope.kind != "connect":
                assert got.answer.status == 200
    assert "resource_exhausted" in codes and codes <= {"ok", "resource_exhausted"}


def test_a_burst_may_be_larger(tmp_path):
    with Server(tmp_path, "--rate-fleet-collector-per-second", "1",
                "--rate-fleet-collector-burst", "20", "--rate-fleet-api-per-second", "1",
                "--rate-fleet-api-burst", "10") as server, Fleet(server) as fleet:
        assert row(fleet, "GetConfig", {"id": "c"})[:20] == [200] * 20
        assert row(fleet, "ListCollectors")[:10] == [200] * 10
        assert fleet.server.request("GET", "/admin/v1/whoami").status == 200


def test_nothing_is_limited_unless_it_is_said(fleet):
    assert fleet.call("GetLimits") == {}
    for method in ("ListCollectors", "GetLimits"):
        assert row(fleet, method) == [200] * MANY
    assert row(fleet, "GetConfig", {"id": "c"}) == [200] * MANY


# --- how many


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("small"), "--fleet-collectors-max", "3",
                "--fleet-pipelines-max", "2", "--fleet-local-attributes-max", "3",
                "--fleet-empty-matchers", "all", "--fleet-empty-config", "empty") as server:
        yield server


@pytest.fixture
def few(small):
    with Fleet(small) as made:
        yield made


def test_a_poll_is_served_whoever_else_comes_first(few):
    """Many new ones at once, for whom there is no room."""
    def poll(n):
        with Fleet(few.server, few.tenant, few.token) as one:
            return [one.post("GetConfig", {"id": f"c{n}-{k}"}).status for k in range(5)]

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(poll, range(12))) == [[200] * 5] * 12


def test_numbers_are_told(few):
    assert few.call("GetLimits") == {"collectors": 3, "pipelines": 2}


def test_no_more_collectors_than_that(few):
    for name in "abc":
        few.create(name)
    few.refused("resource_exhausted", "CreateCollector", collector={"id": "d"})
    few.refused("resource_exhausted", "RegisterCollector", id="d")
    few.register("c", {"x": "y"})
    # It gets its configuration all the same, and is not kept.
    few.pipeline("web", "// web\n")
    assert "// web" in few.content("d")
    assert few.listed() == ["a", "b", "c"]
    few.call("DeleteCollector", id="a")
    few.register("d")
    with Fleet(few.server) as other:
        other.create("a")


def test_no_more_pipelines_than_that(few):
    one, _ = few.pipeline("one"), few.pipeline("two")
    draft = {"name": "three", "contents": "// x\n"}
    few.refused("resource_exhausted", "CreatePipeline", pipeline=draft)
    few.refused("resource_exhausted", "UpsertPipeline", pipeline=draft)
    few.call("UpsertPipeline", pipeline={"name": "two", "contents": "// y\n"})
    git = {"type": "SOURCE_TYPE_GIT", "namespace": "n"}
    few.refused("resource_exhausted", "SyncPipelines", source=git, pipelines=[draft])
    few.call("SyncPipelines", source=git, pipelines=[{"name": "two", "contents": "// z\n"}])
    few.call("DeletePipeline", id=one)
    # One goes as the other comes.
    few.call("SyncPipelines", source=git, pipelines=[draft, {"name": "four", "contents": "// 4\n"}])
    assert few.pipelines() == ["four", "three"]


@pytest.mark.parametrize("method", ["CreateCollector", "RegisterCollector", "GetConfig",
                                    "CreatePipeline", "UpsertPipeline"])
def test_not_many_more_than_that_at_once(few, method):
    """Those that become durable together may come on top; from then on there are no more."""
    kind = "pipeline" if "Pipeline" in method else \
        "collector" if method == "CreateCollector" else None

    def write(n):
        body = {"name": f"n{n}", "contents": "// x\n"} if kind == "pipeline" else {"id": f"n{n}"}
        with Fleet(few.server, few.tenant, few.token) as own:
            return own.post(method, {kind: body} if kind else body).status

    def there():
        return few.pipelines() if kind == "pipeline" else few.listed()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        told = list(pool.map(write, range(16)))
    made = there()
    assert set(told) <= {200, 429} and len(made) >= (2 if kind == "pipeline" else 3)
    if method != "GetConfig":
        assert len(made) == told.count(200)
    assert write(16) == (200 if method == "GetConfig" else 429)
    assert there() == made


def test_no_more_local_attributes_than_that(few):
    three = {"a": "1", "b": "2", "c": "3"}
    few.register("x", {**three, "collector.os": "linux", "collector.version": "v1.18.0"})
    few.refused("invalid_argument", "RegisterCollector", id="x",
                localAttributes={**three, "d": "4"})


# --- the choices


def test_no_matchers_may_mean_everybody(few):
    few.pipeline("web", "// web\n")
    assert "// web" in few.content("c")
    few.pipeline("prod", "// prod\n", ["env=prod"])
    assert "// prod" not in few.content("c")
    few.create("off", enabled=False)
    assert "// web" not in few.call("GetConfig", id="off").get("content", "")


def test_nothing_to_run_may_be_an_empty_text(few):
    told = few.call("GetConfig", id="c")
    assert "content" not in told and len(told["hash"]) == 64
    assert few.call("GetConfig", id="c", hash=told["hash"]) == {
        "hash": told["hash"], "notModified": True}


# --- silence


def test_silence_marks_and_a_call_brings_back(tmp_path):
    with Server(tmp_path, "--agents-inactive-after", "1s", "--agents-seen-interval",
                "100ms") as server, Fleet(server) as fleet:
        fleet.create("never")
        fleet.register("c", {"a": "b"})
        before = fleet.collector("c")
        before.pop("markedInactiveAt", None)  # it has been a second already, on a slow machine
        marked = wait_for("silence", lambda: fleet.collector("c").get("markedInactiveAt"))
        assert marked >= before["createdAt"]
        known = {}

        def back(call):
            call()
            return "markedInactiveAt" not in fleet.collector("c")

        for call in (lambda: fleet.config("c", {"a": "b"}, **known),
                     lambda: fleet.register("c", {"a": "b"})):
            wait_for("a call to count", lambda: back(call))
            known["hash"] = fleet.config("c", {"a": "b"})["hash"]
            wait_for("silence again", lambda: fleet.collector("c").get("markedInactiveAt"))
        after = fleet.collector("c")
        after.pop("markedInactiveAt")
        assert after == before  # none of it was a change
        # What has never spoken is not silent.
        assert "markedInactiveAt" not in fleet.collector("never")
        assert is_comment(fleet.content("c", {"a": "b"}))


def test_who_is_silent_for_long_may_be_forgotten(tmp_path):
    with Server(tmp_path, "--agents-expire-after", "1s", "--agents-inactive-after", "1s",
                "--agents-seen-interval", "100ms") as server, Fleet(server) as fleet:
        fleet.create("never")
        fleet.register("c")
        wait_for("the end of c", lambda: fleet.listed() == ["never"])
        fleet.register("c")
        wait_for("the end of c again", lambda: fleet.listed() == ["never"])


def test_nobody_is_forgotten_unless_it_is_said(fleet):
    fleet.register("c")
    assert "markedInactiveAt" not in fleet.collector("c")


# --- while it runs


def test_limits_change_while_it_runs(tmp_path):
    file = tmp_path / "muster.conf"
    file.write_text("fleet.pipelines_max = 1\n")
    with Server(tmp_path, "--config", file) as server, Fleet(server) as fleet:
        assert fleet.call("GetLimits") == {"pipelines": 1}
        fleet.pipeline("one")
        fleet.refused("resource_exhausted", "CreatePipeline",
                      pipeline={"name": "two", "contents": "// x\n"})
        file.write_text("fleet.collectors_max = 7\nrate.fleet.collector_per_second = 20\n"
                        "rate.fleet.api_per_second = 3000\n")
        assert reload(server)
        assert fleet.call("GetLimits") == {
            "collectors": 7, "requestsPerSecond": {"collector": 20, "api": 3000}}
        fleet.pipeline("two")


def test_every_method_is_in_a_bucket_or_meant_to_be_in_none(limited):
    """A method that is added later must not be free by accident."""
    with Fleet(limited) as fleet:
        free = {method for method, path in SERVICE_OF.items() if not path.startswith("/muster")
                and 429 not in row(fleet, method)}
    assert free == {"RegisterCollector"}
