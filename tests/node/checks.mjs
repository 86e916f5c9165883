// SPDX-License-Identifier: Apache-2.0
// Runs named checks one after the other, all of them, and tells in JSON on standard output which
// failed. What the server under test listens on comes by the environment.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export { assert };
export const port = process.env.ECHO_PORT;
export const tlsPort = process.env.ECHO_TLS_PORT;
export const ca = readFileSync(process.env.ECHO_CA);
export const descriptors = readFileSync(process.env.ECHO_DESCRIPTORS);

const results = [];

export async function check(name, run) {
  let error = null;
  const began = performance.now();
  try {
    await run();
  } catch (e) {
    error = String(e?.stack ?? e);
  }
  results.push({ name, error, ms: Math.round(performance.now() - began) });
}

// Clients keep connections: nothing else would end the process.
export function finish() {
  process.stdout.write(JSON.stringify(results), () => process.exit(0));
}

// The error that a call ends with.
export async function failure(run) {
  try {
    await run();
  } catch (e) {
    return e;
  }
  throw new Error("the call did not fail");
}

export async function collect(stream, into = []) {
  for await (const message of stream) into.push(message);
  return into;
}
