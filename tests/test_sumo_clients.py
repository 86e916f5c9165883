# SPDX-License-Identifier: Apache-2.0
"""The sequences of requests that the Terraform provider, the management script and the Java client
send (sumo/programs.py: simulations), with the oddities of each."""
import json

import pytest

from harness import Server
from sumo.client import ETAG, Sumo
from sumo.documents import HOSTED, SECRETS, installed
from sumo.programs import Failed, Java, Script, Terraform


@pytest.fixture
def terraform(sumo):
    made = Terraform(sumo)
    yield made
    made.close()


def no_diff(sent, shown, path=""):
    """What was sent comes back; empty members may be absent, secrets are stars."""
    for key, value in sent.items():
        at = f"{path}.{key}"
        if value in ("", None) or key in ("url", "snsTopicOrSubscriptionArn", "ephemeral"):
            continue
        assert key in shown, f"{at} would be a permanent difference"
        if key in SECRETS:
            assert shown[key] == "********", at
        elif isinstance(value, dict):
            no_diff(value, shown[key], at)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            assert len(value) == len(shown[key]), at
            for n, item in enumerate(value):
                no_diff(item, shown[key][n], f"{at}[{n}]")
        else:
            assert shown[key] == value, f"{at}: {shown[key]!r} is not {value!r}"


def go_int(document, *names):
    for name in names:
        if name in document:
            assert type(document[name]) is int, name


# --- Terraform


@pytest.mark.parametrize("base", ["/api/", "/"], ids=["with api", "without it"])
def test_a_collector_by_terraform(sumo, base):
    terraform = Terraform(sumo, base)
    wanted = {"description": "d", "category": "c", "timeZone": "Etc/UTC", "fields": {"k": "v"}}
    made = terraform.create("collectors", Terraform.collector("tf", **wanted))["collector"]
    path = f"collectors/{made['id']}"
    shown = terraform.get(path)["collector"]
    go_int(shown, "id", "lastSeenAlive", "cutoffTimestamp", "targetCpu")
    no_diff(wanted, shown)

    changed = {**wanted, "description": "", "timeZone": "Europe/Berlin", "fields": {}}
    body = Terraform.collector("tf renamed", made["id"], **changed)
    assert "description" not in body["collector"] and "fields" not in body["collector"]
    terraform.update(path, body)
    shown = terraform.get(path)["collector"]
    assert shown["name"] == "tf renamed" and shown["timeZone"] == "Europe/Berlin"
    assert "description" not in shown and shown.get("fields", {}) == {}

    terraform.delete(path)
    assert terraform.get(path) is None
    statuses = [status for _, _, status in terraform.sent]
    assert statuses == [201, 200, 200, 200, 200, 200, 404]
    terraform.close()


def test_lookups_by_terraform(sumo, terraform):
    made = sumo.create("My Collector")
    by_name = terraform.get("collectors/name/My%20Collector")["collector"]
    by_id = terraform.get(f"collectors/{made['id']}")["collector"]
    assert by_name["id"] == by_id["id"] == made["id"]
    assert terraform.get("collectors/name/nobody") is None
    assert terraform.get("collectors/999999999") is None
    head = terraform.call("HEAD", "collectors")
    assert head.status == 200 and "location" not in head.fields


@pytest.mark.parametrize("kind", HOSTED)
def test_a_source_by_terraform(sumo, terraform, kind):
    document = json.loads(json.dumps(HOSTED[kind]))
    number = terraform.create("collectors", Terraform.collector("home"))["collector"]["id"]
    path = f"collectors/{number}/sources"
    if document["sourceType"] == "Universal":
        body = {"source": {k: v for k, v in document.items()}}
    else:
        body = Terraform.source(document.pop("sourceType"), document.pop("name"), **document)
    made = terraform.create(path, body)["source"]
    one = f"{path}/{made['id']}"
    shown = terraform.get(one)["source"]
    go_int(shown, "id", "cutoffTimestamp", "scanInterval")
    no_diff(body["source"], shown, kind)
    if shown["sourceType"] == "HTTP":
        assert shown["url"] and shown["token"] and shown["baseUrl"]

    body["source"]["id"] = made["id"]
    if document.get("sourceType") == "Universal":
        body["source"]["config"]["domain"] = "new"
    else:
        body["source"]["description"] = "new"
    terraform.update(one, body)
    again = terraform.get(one)["source"]
    no_diff(body["source"], again, kind)
    assert again.get("url") == shown.get("url") and again.get("token") == shown.get("token")

    found = next(s for s in terraform.get(path)["sources"] if s["name"] == shown["name"])
    assert found["id"] == made["id"], "an import by names finds it"
    terraform.delete(one)
    assert terraform.get(one) is None
    terraform.delete(f"collectors/{number}")
    assert terraform.get(f"{path}/0") is None and terraform.get(one) is None


def test_secrets_by_terraform(sumo, terraform):
    """It writes what it has in its state: the secret itself, each time."""
    number = sumo.create("home")["id"]
    body = {"source": json.loads(json.dumps(HOSTED["AwsS3Bucket by keys"]))}
    made = terraform.create(f"collectors/{number}/sources", body)["source"]
    one = f"collectors/{number}/sources/{made['id']}"
    body["source"]["id"] = made["id"]
    before = terraform.call("GET", one).fields["etag"]
    terraform.update(one, body)
    assert terraform.call("GET", one).fields["etag"] == before, "nothing has changed"


def test_an_empty_tag_by_terraform(sumo, terraform):
    """Its GET for the tag failed, and it goes on."""
    made = sumo.create("c")
    answer = terraform.call("PUT", f"collectors/{made['id']}",
                            Terraform.collector("c", made["id"]), ["If-Match: "])
    assert answer.status == 403 and answer.json()["code"] == "service.ifthen.missing"
    answer = terraform.call("PUT", "collectors/999999999", Terraform.collector("c", 999999999),
                            ["If-Match: "])
    assert answer.status == 404


def test_what_is_gone_by_terraform(sumo, terraform):
    made = sumo.create("c")
    sumo.delete(f"/collectors/{made['id']}")
    assert terraform.get(f"collectors/{made['id']}") is None
    for method in ("PUT", "DELETE"):
        answer = terraform.call(method, f"collectors/{made['id']}",
                                {} if method == "PUT" else None)
        assert answer.status == 404


def test_an_installed_collector_by_terraform(sumo, terraform):
    """Imported, then changed with what is stale by nature."""
    collector = sumo.register("c", fields={"team": "a"})
    collector.metadata()
    path = f"collectors/{collector.id}"
    shown = terraform.get(path)["collector"]
    sent = {k: v for k, v in shown.items() if k not in ("links", "targetCpu")}
    sent.update(category="new", alive=True, lastSeenAlive=shown["lastSeenAlive"] - 5000,
                collectorVersion="stale")
    collector.beat()
    terraform.update(path, {"collector": sent})
    after = terraform.get(path)["collector"]
    assert after["category"] == "new" and after["collectorVersion"] == "v0.155.0-sumo-0"
    terraform.delete(path)
    assert collector.beat() == 401


@pytest.mark.parametrize("kind", ["LocalFile", "LocalWindowsEventLog"])
def test_sources_in_the_field_by_terraform(sumo, terraform, kind):
    number = sumo.register("c").id
    document = installed(kind)
    if kind == "LocalWindowsEventLog":
        document.update(eventFormat=0, allowlist="a,b", denylist="c")
        del document["eventMessage"]
    body = Terraform.source(document.pop("sourceType"), document.pop("name"), **document)
    made = terraform.create(f"collectors/{number}/sources", body)["source"]
    shown = terraform.get(f"collectors/{number}/sources/{made['id']}")["source"]
    no_diff({k: v for k, v in body["source"].items() if k != "messagePerRequest"}, shown)
    for member in ("allowlist", "denylist"):
        if kind == "LocalWindowsEventLog":
            assert isinstance(shown[member], str)


def test_empty_masks_by_terraform(sumo, terraform):
    number = sumo.create("home")["id"]
    rule = {"name": "r", "filterType": "Exclude", "regexp": "x", "mask": ""}
    body = Terraform.source("HTTP", "s", filters=[rule])
    made = terraform.create(f"collectors/{number}/sources", body)["source"]
    assert made["filters"] == [{k: v for k, v in rule.items() if v}]


def test_a_token_by_terraform(sumo, terraform):
    made = terraform.call("POST", "tokens", {"name": "t", "status": "Active", "description": "d",
                                             "type": "CollectorRegistration"}).json()
    for member in ("id", "name", "status", "description", "type", "encodedTokenAndUrl"):
        assert made[member], member
    assert made["version"] == 0
    path = f"tokens/{made['id']}"
    assert terraform.get(path) == made
    tag = terraform.call("GET", path).fields.get("etag", "")
    answer = terraform.call("PUT", path, {**made, "name": "renamed",
                                          "type": "CollectorRegistration"}, [f"If-Match: {tag}"])
    assert answer.status == 200 and answer.json()["version"] == 1
    assert terraform.call("DELETE", path).status in (200, 204)
    assert terraform.get(path) is None


def test_an_ot_collector_by_terraform(sumo, terraform):
    collector = sumo.register("c")
    path = f"otCollectors/{collector.hex}"
    assert terraform.get(path)["name"] == "c"
    answer = terraform.call("PUT", f"otCollectors?id={collector.hex}", {"name": "new"})
    assert answer.status == 200 and (not answer.body or answer.json()["errors"] == [])
    assert terraform.get(path)["name"] == "new"
    assert terraform.call("DELETE", path).status in (200, 204)
    assert terraform.get(path) is None


# --- the script


@pytest.fixture
def script(sumo):
    made = Script(sumo)
    yield made
    made.close()


@pytest.fixture
def fleet_of_three(sumo):
    token = sumo.installation_token()["encodedTokenAndUrl"]
    sumo.create("hosted")
    made = [sumo.register(f"i{n}", token) for n in range(3)]
    for one in made:
        one.metadata(collectorDetails={"runningVersion": "19.115-37"})
    return made


def test_versions_by_the_script(script, fleet_of_three):
    assert script.list_versions() == [(c.name, c.id, "19.115-37", True) for c in fleet_of_three]


def test_more_than_a_page_by_the_script(sumo, script):
    for n in range(1001):
        sumo.create(f"c{n}")
    found = script.pages("collectors")
    assert len(found) == len({c["id"] for c in found}) == 1001


def test_sources_by_the_script(sumo, script, fleet_of_three):
    """What is alive comes twice: the second post is refused with words."""
    document = {"source": installed("LocalFile", name="logs", category="cat")}
    script.add_source(document)
    numbers = [said for said in script.said if isinstance(said, int)]
    assert len(numbers) == 3 and len(script.said) == 7, "the hosted one was tried, too"
    assert script.said.count("a resource with the same name already exists") == 3
    found = script.get_sources()
    assert len(found) == 6 and {row[2:] for row in found} == {("logs", "cat")}
    assert {row[1] for row in found} == set(numbers)
    script.said.clear()
    document["source"]["category"] = "new"
    script.update_source(document, "logs")
    assert [number for number, _ in script.said] == [n for n in numbers for _ in (1, 2)]
    assert {row[3] for row in script.get_sources()} == {"new"}


def test_offline_by_the_script(sumo, script, fleet_of_three):
    assert script.list_offline(100) == [] and script.list_offline(1) == []
    assert script.delete_offline(1) == 200
    assert len(sumo.listed()) == 4


def test_budgets_by_the_script(sumo, script):
    hosted, installed = sumo.create("c")["id"], sumo.register("i").id
    script.assign_budget("0000000000000001")
    assert script.said == [200, 200]
    for number in (hosted, installed):
        assert sumo.collector(number)["fields"] == {"_budget": "0000000000000001"}


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """A server with builds to upgrade to."""
    folder = tmp_path_factory.mktemp("builds")
    with Server(folder, "--rate-sumologic-key-per-minute", "0") as server:
        for version in ("19.115-37", "20.1-2749"):
            (folder / version).write_text(version)
            server.cli("builds", "add", folder / version, "--version", version, "--platform",
                       "any", check=0)
        yield server


def test_upgrades_by_the_script(builds):
    with Sumo(builds) as sumo:
        token = sumo.installation_token()["encodedTokenAndUrl"]
        made = [sumo.register(f"i{n}", token) for n in range(60)]
        for one in made:
            one.metadata(collectorDetails={"runningVersion": "19.115-37"})
        script = Script(sumo)
        tasks = script.upgrade("latest")
        assert len(tasks) == len(set(tasks)) == 60 and script.said == []
        assert all(isinstance(t, str) for t in tasks)
        assert {script.task(t)[0] for t in tasks} <= {0, 1, 6}
        assert script.upgrade("latest") == [], "those with an open task are not offered"
        made[0].metadata(collectorDetails={"runningVersion": "20.1-2749"})
        assert script.task(tasks[0]) == (2, "")
        sumo.delete(f"/collectors/{made[1].id}")
        status, message = script.task(tasks[1])
        assert status == 3 and message
        script.close()


# --- the Java client


def test_the_java_client(sumo):
    java = Java(sumo)
    document, tag = java.call(201, "POST", "collectors",
                              {"collector": {"collectorType": "Hosted", "name": "java"}})
    assert ETAG.fullmatch(tag)
    collector = document["collector"]
    path = f"collectors/{collector['id']}"
    document, tag = java.call(200, "GET", path)
    document["collector"]["description"] = "d"
    changed, after = java.call(200, "PUT", path, document, tag)
    assert changed["collector"]["description"] == "d" and after != tag
    with pytest.raises(Failed, match="service.etagid.mismatch"):
        java.call(200, "PUT", path, document, tag)

    for n in range(120):
        sumo.add_source(collector["id"], sourceType="HTTP", name=f"s{n}")
    found = java.pages(path + "/sources", "sources")
    assert [s["name"] for s in found] == [f"s{n}" for n in range(120)]
    assert len(java.pages("collectors", "collectors")) == 1

    source = f"{path}/sources/{found[0]['id']}"
    document, tag = java.call(200, "GET", source)
    document["source"]["category"] = "c"
    java.call(200, "PUT", source, document, tag)
    assert java.call(200, "DELETE", source) == (None, None)
    assert java.call(200, "DELETE", path) == (None, None)
    with pytest.raises(Failed, match="collectors.collector.invalid"):
        java.call(200, "GET", path)
    with pytest.raises(Failed, match="collectors.validation.fields.missing"):
        java.call(201, "POST", "collectors", {"collector": {}})
    assert java.challenges == 14
