import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { recordRun } from "../../tests/recorded-io.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import type { ClientsAnswer, ClientStatus } from "../wire/clients.ts";
import { clientsCommand, type ClientsReply } from "./clients.ts";
import type { NodeReply } from "./reach.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-clients-"));
const path = join(folder, "holdfast.yaml");
writeFileSync(path, SAMPLE_SPEC);
after(() => rmSync(folder, { recursive: true }));

const OVER = { lasts: false, because: [] };
const SINCE_MS = Date.UTC(2026, 10, 21, 11, 30, 5, 123);

function client(address: string, change: Partial<ClientStatus> = {}): ClientStatus {
  return {
    address,
    name: "c1",
    protocol: "v4.2",
    state: "active",
    opens: 3,
    locks: 2,
    delegations: 1,
    sinceMs: SINCE_MS,
    ...change,
  };
}

const V3 = { protocol: "v3", opens: undefined, locks: undefined, delegations: undefined } as const;

function answer(clients: readonly ClientStatus[], change: Partial<ClientsAnswer> = {}): ClientsAnswer {
  return { fileserver: "home", node: "n1", grace: { v4: OVER, v3: OVER }, clients, v3Locks: 0, ...change };
}

function says(node: string, value: ClientsReply): NodeReply<ClientsReply> {
  return { node, result: { ok: true, value } };
}

function silent(node: string): NodeReply<ClientsReply> {
  return { node, result: { ok: false, error: new Error("no route to host") } };
}

const run = (...replies: readonly NodeReply<ClientsReply>[]) =>
  recordRun(
    clientsCommand(() => Promise.resolve(replies)),
    { file: path },
    ["home"],
  );

describe("holdfast clients", () => {
  test("a table of who holds what, the clients of one machine together", async () => {
    const clients = [
      client("10.77.0.22", { name: "c2", state: "silent", delegations: 0 }),
      client("10.77.0.21", V3),
      client("fd77::21", { name: "", protocol: "v4.1", opens: 1200, locks: 0 }),
      client("10.77.0.21"),
    ];
    const { said, status } = await run(says("n1", answer(clients, { v3Locks: 100 })), says("n2", { state: "warm" }));
    assert.equal(status, 0);
    assert.deepEqual(said, [
      "home on n1: 4 clients, 1206 v4 opens, 4 v4 locks, 100 v3 locks",
      "ADDRESS     NAME  PROTOCOL  STATE   OPENS  LOCKS  DELEGATIONS  SINCE",
      "10.77.0.21  c1    v3        active      -      ?            -  2026-11-21T11:30:05Z",
      "10.77.0.21  c1    v4.2      active      3      2            1  2026-11-21T11:30:05Z",
      "10.77.0.22  c2    v4.2      silent      3      2            0  2026-11-21T11:30:05Z",
      "fd77::21    ?     v4.1      active   1200      0            1  2026-11-21T11:30:05Z",
      "grace for NFSv4: over",
      "grace for NFSv3 locks: over",
    ]);
  });

  test("while a grace lasts: each client's reclaim, and whom it waits for", async () => {
    const reclaim = { state: "waiting", because: "notified 3 s ago, has not reconnected" } as const;
    const grace = { v4: OVER, v3: { lasts: true, because: ["waiting for c2"], endsWithinS: 12 } };
    const { said } = await run(
      says("n1", answer([client("10.77.0.21", { ...V3, reclaim }), client("10.77.0.22")], { grace })),
    );
    assert.match(said[1] ?? "", / RECLAIM$/);
    assert.match(said[2] ?? "", /Z {2}waiting: notified 3 s ago, has not reconnected$/);
    assert.match(said[3] ?? "", /Z$/);
    assert.deepEqual(said.slice(-2), ["grace for NFSv3 locks: lasts, for at most 12 s more", "  waiting for c2"]);
  });

  test("the document is the agent's answer", async () => {
    const whole = answer([client("10.77.0.21")]);
    assert.deepEqual((await run(says("n1", whole))).documents, [whole]);
  });

  test("no client is said in words; v3 locks whose holder is unknown are not hidden", async () => {
    assert.equal((await run(says("n1", answer([])))).said[0], "home on n1: no clients");
    assert.equal(
      (await run(says("n1", answer([], { v3Locks: 1 })))).said[0],
      "home on n1: no known client, but 1 v3 lock",
    );
  });

  test("another node's silence is told, and is no failure where one serves", async () => {
    const { status, progress } = await run(silent("n2"), says("n1", answer([])));
    assert.deepEqual([status, progress], [0, ["n2 does not answer"]]);
  });

  const fault = (code: string, what: RegExp) => (error: unknown) => {
    assert.ok(error instanceof Fault);
    assert.equal(error.code, code);
    assert.match(error.message, what);
    return true;
  };

  test("nobody serves it: what each node has instead", async () => {
    await assert.rejects(
      run(says("n1", { state: "warm" }), says("n2", { state: "absent" })),
      fault("served-nowhere", /^nobody serves home, and only who serves can tell: n1 has it warm, n2 has it absent$/),
    );
  });

  test("during a move nobody does either, and nothing is to be done", async () => {
    await assert.rejects(run(says("n1", { state: "releasing" }), says("n2", { state: "warm" })), (error) => {
      fault("served-nowhere", /^nobody serves home just now/)(error);
      return error instanceof Fault && error.remedy === "ask again when the move is done; its clients wait meanwhile";
    });
  });

  test("nobody who answers serves it: the silent one may", async () => {
    await assert.rejects(
      run(says("n1", { state: "warm" }), silent("n2")),
      fault("serving-unknown", /^the clients of home are not known: n2 does not say, n1 has it warm$/),
    );
  });

  test("two that say so contradict each other", async () => {
    await assert.rejects(
      run(says("n1", answer([])), says("n2", answer([], { node: "n2" }))),
      fault("served-twice", /both n1 and n2/),
    );
  });

  test("an unknown fileserver is told together with the known ones", async () => {
    const command = clientsCommand(() => Promise.reject(new Error("must not be asked")));
    await assert.rejects(recordRun(command, { file: path }, ["hme"]), fault("unknown-fileserver", /"hme"/));
  });
});
