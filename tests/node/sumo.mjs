// SPDX-License-Identifier: Apache-2.0
// The vendor's logger for JavaScript against the URL of a source, given by SUMO_DOOR. What arrived is
// looked at by whoever runs this.
import SumoLogger from "sumo-logger";
import { assert, check, failure, finish } from "./checks.mjs";

const endpoint = process.env.SUMO_DOOR;

function logger(more) {
  return new SumoLogger({ endpoint, sessionKey: "s", clientUrl: "http://page/", ...more });
}

async function taken(sending) {
  const answer = await sending;
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["content-length"], "0");
}

await check("a text", () => taken(logger({
  sourceName: "n", hostName: "h", sourceCategory: "prod/c",
}).log("hello \u00e9")));

await check("an object", () => taken(logger().log({ level: "warn", nested: { n: 1 } })));

await check("a raw line", () => taken(logger({ raw: true }).log("as it is")));

await check("a batch that is flushed", async () => {
  let done = 0;
  const batch = logger({ raw: true, interval: 3600000, onSuccess: () => done++ });
  for (const line of ["one", "two", "three"]) batch.log(line);
  assert.equal(done, 0);
  await batch.flushLogs();
  batch.stopLogSending();
  assert.equal(done, 1);
});

const at = { timestamp: new Date(1700000000000) };

await check("a graphite metric", () =>
  taken(logger({ graphite: true }).log({ path: "a.b", value: 1 }, at)));

await check("a carbon2 metric", () =>
  taken(logger({ carbon2: true }).log({ intrinsic_tags: "a=b", meta_tags: "c=d", value: 2 }, at)));

await check("a URL that nobody knows", async () => {
  let told;
  const lost = logger({ endpoint: `${endpoint}x`, onError: (e) => { told = e; } });
  assert.equal((await failure(() => lost.log("lost"))).status, 404);
  assert.equal(told.status, 404);
});

finish();
