import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeServers, parseStorageKeys, serverOf, writersOf, type ServerSample } from "./servers.ts";

/** "n1 n2?": n1 has it mounted, n2 cannot be asked; whoever is not named has it not. */
function sample(atMs: number, mounted: string, registered?: readonly string[], holder?: string): ServerSample {
  const words = mounted.split(" ").filter((word) => word !== "");
  const of = (node: string): boolean | undefined => (words.includes(`${node}?`) ? undefined : words.includes(node));
  return { atMs, mounted: new Map(["n1", "n2"].map((node) => [node, of(node)])), registered, holder };
}

test("who has it mounted and can write it", () => {
  assert.deepEqual(writersOf(sample(0, "n1", ["n1", "n2"])), ["n1"]);
  assert.deepEqual(writersOf(sample(0, "n1 n2", ["n2"])), ["n2"], "fenced: its mount does no harm");
  assert.deepEqual(writersOf(sample(0, "n1 n2", ["n1", "n2"])), ["n1", "n2"]);
  assert.deepEqual(writersOf(sample(0, "n1? n2", undefined)), ["n2"]);
  assert.deepEqual(writersOf(sample(0, "n1 n2", undefined)), [], "the storage did not say");
  assert.equal(serverOf(sample(0, "n1 n2", ["n1", "n2"], "n2")), "n2");
  assert.equal(serverOf(sample(0, "n1? n2?", ["n1", "n2"], "n1")), undefined);
});

test("two servers are told from a move between two questions", () => {
  const both = ["n1", "n2"];
  const moved = [sample(0, "n1", both), sample(1500, "n1 n2", both), sample(3000, "n2", both)];
  assert.deepEqual(judgeServers(moved, "home").because, []);
  const twice = [sample(0, "n1", both), sample(1500, "n1 n2", both), sample(3000, "n1 n2", both)];
  assert.deepEqual(judgeServers(twice, "home").because, ["two servers: n1 and n2 had home mounted and could write it"]);
  const fenced = [sample(0, "n1 n2", ["n2"]), sample(1500, "n1 n2", ["n2"]), sample(3000, "n1 n2", ["n2"])];
  assert.deepEqual(judgeServers(fenced, "home").because, []);
});

test("how long nobody served", () => {
  const samples = [sample(0, "n1"), sample(1000, "n1?"), sample(3000, "n1?"), sample(4000, "n1? n2")];
  assert.deepEqual(judgeServers(samples, "home"), { samples: 4, unservedMs: 3000, because: [] });
});

test("what the kernel's target says of registrations and of the reservation", () => {
  const printed = `SPC-3 PR Registrations:
iSCSI Node: iqn.2026-11.example.lab:n1,i,0x00023d000001
Key: 0x686f6c6400000001 PRgen: 0x00000003
iSCSI Node: iqn.2026-11.example.lab:n2,i,0x00023d000002
Key: 0x686f6c6400000002 PRgen: 0x00000004
SPC-3 Reservation: iSCSI Initiator: iqn.2026-11.example.lab:n2,i,0x00023d000002
`;
  assert.deepEqual(parseStorageKeys(printed), { registered: ["n1", "n2"], holder: "n2" });
  const none = "SPC-3 PR Registrations:\nNone\nNo SPC-3 Reservation holder\n";
  assert.deepEqual(parseStorageKeys(none), { registered: [], holder: undefined });
});
