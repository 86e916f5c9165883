# SPDX-License-Identifier: Apache-2.0
"""A fleet that is changed at random, against a plain model of it: after every few changes each
agent polls with the hash it has, and the pipelines it is given, and whether anything is new to it,
have to be what the model works out from scratch. Also over a kill, from which nothing that was
told may be lost."""
import random
import re

import pytest

from fleet.client import Fleet, is_comment
from fleet.language import load
from harness import Server

KEYS = ["env", "role", "zone", "a.b"]
VALUES = ["", "prod", "dev", "x", "prod|dev"]
STEPS = 120


class Agent:
    def __init__(self):
        self.local, self.remote = {}, {}
        self.enabled, self.type = True, "ALLOY"
        self.known = ""  # hash
        self.seen = None  # what it was given with it

    def effective(self, name, local):
        return {**local, **self.remote, "collector.ID": name}


SCRAPE = 'prometheus.scrape "s" {\n\tforward_to = [%s]\n}\n'


class Pipeline:
    """uses: None, "all" attributes, ("key", attribute), "exports", or ("imports", pipeline)."""

    def __init__(self, matchers, enabled, kind, uses, number):
        self.matchers, self.enabled, self.type, self.uses = matchers, enabled, kind, uses
        self.number = number  # in its contents: every write is another text

    def contents(self):
        text = f"// number {self.number}\n"
        if self.type == "OTEL":
            return f"# number {self.number}\na: b\n"
        if self.uses == "all":
            return text + SCRAPE % "encoding.to_json(argument.attributes.value)"
        if self.uses == "exports":
            return text + 'export "sink" {\n\tvalue = 1\n}\n'
        if self.uses:
            return text + SCRAPE % (
                f'argument.attributes.value["{self.uses[1]}"]' if self.uses[0] == "key" else
                f'argument.pipeline_exports.value["{self.uses[1]}"]["sink"]')
        return text

    def given(self, attributes, exporters):
        """What its instance is handed: two pieces of data."""
        if self.uses == "all":
            return attributes, {}
        if self.uses and self.uses[0] == "key":
            return {k: v for k, v in attributes.items() if k == self.uses[1]}, {}
        if self.uses and self.uses[0] == "imports":
            return {}, {n: {"sink": f"{n}.default.sink"} for n in exporters if n == self.uses[1]}
        return {}, {}


def holds(matcher, attributes):
    key, operator, value = re.fullmatch(r"(.+?)(=~|!~|!=|=)\"(.*)\"", matcher).groups()
    found = attributes.get(key, "")
    if "~" in operator:
        return bool(re.fullmatch(value, found)) == (operator == "=~")
    return (found == value) == (operator == "=")


class Model:
    """Draws changes, makes them here and there."""

    def __init__(self, fleet, seed):
        self.fleet, self.draw = fleet, random.Random(seed)
        self.agents, self.pipelines, self.numbers = {}, {}, 0

    # -- what is drawn

    def some_attributes(self):
        return {key: self.draw.choice(VALUES) for key in KEYS if self.draw.random() < 0.5}

    def matcher(self):
        if self.draw.random() < 0.1:
            return f'collector.ID="agent-{self.draw.randrange(8)}"'
        operator = self.draw.choice(["=", "!=", "=~", "!~"])
        value = self.draw.choice(["prod", "dev", "", "x"])
        if "~" in operator:
            value = self.draw.choice(["prod|dev", ".*", ".+", "p.*", "x?", ""])
        return f'{self.draw.choice(KEYS)}{operator}"{value}"'

    def pipeline(self):
        self.numbers += 1
        uses = self.draw.choice([
            None, None, "all", ("key", self.draw.choice(KEYS + ["collector.ID"])), "exports",
            ("imports", f"pipeline{self.draw.randrange(10)}")])
        return Pipeline([self.matcher() for _ in range(self.draw.randrange(4))],
                        self.draw.random() < 0.8, self.draw.choice(["ALLOY"] * 4 + ["OTEL"]),
                        uses, self.numbers)

    @staticmethod
    def said(name, made):
        return {"name": name, "contents": made.contents(), "matchers": made.matchers,
                "enabled": made.enabled, "configType": "CONFIG_TYPE_" + made.type}

    def any_agent(self):
        return self.draw.choice(sorted(self.agents))

    # -- changes

    def register(self):
        name = f"agent-{self.draw.randrange(8)}"
        agent = self.agents.setdefault(name, Agent())
        agent.local = self.some_attributes()
        self.fleet.register(name, agent.local)

    def update(self):
        name = self.any_agent()
        agent = self.agents[name]
        agent.remote, agent.enabled = self.some_attributes(), self.draw.random() < 0.8
        if self.draw.random() < 0.2:
            agent.type = self.draw.choice(["ALLOY", "OTEL"])
        self.fleet.call("UpdateCollector", collector={
            "id": name, "remoteAttributes": agent.remote, "enabled": agent.enabled,
            "collectorType": "COLLECTOR_TYPE_" + agent.type})

    def bulk(self):
        names = self.draw.sample(sorted(self.agents), self.draw.randint(1, len(self.agents)))
        key, value = self.draw.choice(KEYS), self.draw.choice(VALUES)
        steps = [{"op": "ADD", "path": "remoteAttributes." + key, "value": value}]
        if self.draw.random() < 0.5:
            steps = [{"op": "REMOVE", "path": "/remoteAttributes/" + key}]
        self.fleet.call("BulkUpdateCollectors", ids=names, ops=steps)
        for name in names:
            if steps[0]["op"] == "ADD":
                self.agents[name].remote[key] = value
            else:
                self.agents[name].remote.pop(key, None)

    def delete(self):
        if len(self.agents) > 3:
            name = self.any_agent()
            del self.agents[name]
            self.fleet.call("DeleteCollector", id=name)

    def leave(self):
        self.fleet.call("UnregisterCollector", id=self.any_agent())

    def write(self):
        name = f"pipeline{self.draw.randrange(10)}"
        self.pipelines[name] = self.pipeline()
        self.fleet.call("UpsertPipeline", pipeline=self.said(name, self.pipelines[name]))

    def drop(self):
        if self.pipelines:
            name = self.draw.choice(sorted(self.pipelines))
            del self.pipelines[name]
            self.fleet.call("DeletePipeline", self.fleet.call("GetPipelineID", name=name))

    def sync(self):
        """Of its own names, so that it owns them all."""
        self.pipelines = {n: p for n, p in self.pipelines.items() if not n.startswith("git")}
        made = {f"git{n}": self.pipeline() for n in self.draw.sample(range(4), 2)}
        self.pipelines.update(made)
        self.fleet.call("SyncPipelines", source={"type": "SOURCE_TYPE_GIT", "namespace": "n"},
                        pipelines=[self.said(n, p) for n, p in made.items()])

    def step(self):
        changes = [self.register, self.update, self.bulk, self.delete, self.leave, self.write,
                   self.write, self.drop, self.sync]
        (self.draw.choice(changes) if self.agents else self.register)()

    # -- what has to be

    def wanted(self, name, local):
        """[(pipeline, number, attributes, exports)] by name."""
        agent = self.agents[name]
        attributes = agent.effective(name, local)
        if not agent.enabled or agent.type == "OTEL":
            return []
        chosen = [(n, p) for n, p in sorted(self.pipelines.items())
                  if p.enabled and p.type == "ALLOY" and p.matchers
                  and all(holds(m, attributes) for m in p.matchers)]
        exporters = [n for n, p in chosen if p.uses == "exports"]
        return [(n, p.number, *p.given(attributes, exporters)) for n, p in chosen]

    def poll(self, name):
        agent = self.agents[name]
        local = agent.local if self.draw.random() < 0.8 else self.some_attributes()
        wanted = self.wanted(name, local)
        told = self.fleet.config(name, local, hash=agent.known)
        if told.get("notModified"):
            assert wanted == agent.seen, (name, local)
            return
        assert wanted != agent.seen, (name, local)
        found = []
        if not is_comment(told["content"]):
            loaded = load(told["content"])
            numbers = map(int, re.findall(r"// number (\d+)$", told["content"], re.M))
            found = [(n, number, *(loaded.values[n].get(part, {})
                                   for part in ("attributes", "pipeline_exports")))
                     for n, number in zip(loaded.declared, numbers)]
        assert found == wanted, (name, local)
        agent.known, agent.seen = told["hash"], wanted

    def compare(self):
        for name in sorted(self.agents):
            self.poll(name)
        matcher = self.matcher()
        assert self.fleet.listed(matcher) == sorted(
            n for n, a in self.agents.items() if holds(matcher, a.effective(n, a.local))), matcher
        assert self.fleet.listed() == sorted(self.agents)
        for name, agent in self.agents.items():
            assert self.fleet.remote(name) == agent.remote
        assert self.fleet.pipelines() == sorted(self.pipelines)
        local = self.some_attributes()
        assert not local or self.fleet.pipelines(localAttributes=local) == sorted(
            n for n, p in self.pipelines.items()
            if p.matchers and all(holds(m, local) for m in p.matchers)), local

    def run(self, steps):
        for n in range(steps):
            self.step()
            if n % 3 == 0:
                self.compare()
        self.compare()


@pytest.mark.parametrize("seed", range(6))
def test_a_fleet_that_changes(fleet, seed):
    Model(fleet, seed).run(STEPS)


def test_a_fleet_that_changes_while_its_server_dies(tmp_path):
    with Server(tmp_path) as server:
        with Fleet(server) as fleet:
            model = Model(fleet, 1000)
            for _ in range(4):
                model.run(25)
                before = fleet.state()
                fleet.hang_up()
                server.kill()
                server.start()
                assert fleet.state() == before
                model.compare()
