# SPDX-License-Identifier: Apache-2.0
"""What users of the vendor's Python SDK do, with its own functions; run by test_sumo_sdk.py. Prints
how many things were looked at."""
import json
import os

import requests
from sumologic import SumoLogic

sumo = SumoLogic(os.environ["SUMO_ID"], os.environ["SUMO_KEY"], endpoint=os.environ["SUMO_URL"])
looked = 0


def same(found, wanted):
    global looked
    looked += 1
    assert found == wanted, f"{found!r} is not {wanted!r}"


def fails(status, call, *arguments):
    try:
        call(*arguments)
    except requests.HTTPError as error:
        same(error.response.status_code, status)
        return json.loads(error.response.text)
    raise AssertionError(f"{call.__name__} did not fail")


def collectors():
    same(sumo.collectors(), [])
    made = sumo.create_collector({"collector": {"collectorType": "Hosted", "name": "sdk",
                                                "description": "d"}})
    same(made.status_code, 201)
    number = made.json()["collector"]["id"]
    document, tag = sumo.collector(number)
    same(tag, made.headers["etag"])
    same(document["collector"]["name"], "sdk")
    same([c["id"] for c in sumo.collectors(filter_type="Hosted")], [number])
    same(sumo.collectors(filter_type="Installed"), [])
    same([c["id"] for c in sumo.collectors(limit=1, offset=0)], [number])
    same(sumo.collectors(limit=1, offset=1), [])

    # The whole document goes back, with its links and what the server alone may say.
    document["collector"]["category"] = "changed"
    changed = sumo.update_collector(document, tag)
    same(changed.status_code, 200)
    same(changed.json()["collector"]["category"], "changed")
    same(sumo.collector(number)[1], changed.headers["etag"])
    same(fails(412, sumo.update_collector, document, tag)["code"], "service.etagid.mismatch")
    same(fails(400, sumo.create_collector,
               {"collector": {"collectorType": "Hosted", "name": "sdk"}})["code"],
         "collectors.validation.name.duplicate")
    return document


def sources(collector):
    number = collector["collector"]["id"]
    same(sumo.sources(number), [])
    for n in range(3):
        made = sumo.create_source(number, {"source": {
            "sourceType": "HTTP", "name": f"s{n}", "messagePerRequest": False}})
        same(made.status_code, 201)
    listed = sumo.sources(number)
    same([s["name"] for s in listed], ["s0", "s1", "s2"])
    same([s["name"] for s in sumo.sources(number, limit=2, offset=1)], ["s1", "s2"])
    document, tag = sumo.source(number, listed[0]["id"])
    same(document["source"], listed[0])
    document["source"]["description"] = "changed"
    changed = sumo.update_source(number, document, tag)
    same(changed.json()["source"]["description"], "changed")
    same(changed.json()["source"]["url"], listed[0]["url"])
    sent = requests.post(listed[0]["url"], data="a line")
    same((sent.status_code, sent.text), (200, ""))
    for source in listed:
        same(sumo.delete_source(number, {"source": source}).text, "")
    same(sumo.sources(number), [])
    same(fails(404, sumo.source, number, listed[0]["id"])["code"], "collectors.source.invalid")


def the_rest(collector):
    same(isinstance(sumo.get_available_builds(), list), True)
    same(sumo.delete_collector(collector).text, "")
    same(fails(404, sumo.collector, collector["collector"]["id"])["code"],
         "collectors.collector.invalid")
    sumo.session.auth = ("nobody", "nothing")
    same(fails(401, sumo.collectors)["code"], "unauthorized")


if __name__ == "__main__":
    home = collectors()
    sources(home)
    the_rest(home)
    print(looked)
