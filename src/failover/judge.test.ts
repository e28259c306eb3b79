import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isEmpty, judge, standbyDaemons, type Judgement, type Sighting } from "./judge.ts";

const NOTHING: Sighting = {
  processes: [],
  holder: false,
  nfsdThreads: 0,
  linkUp: false,
  requestsHeld: false,
  volumes: 2,
  volumesMounted: 0,
  volumesActive: 0,
};
const WARM: Sighting = { ...NOTHING, processes: ["sh", ...standbyDaemons(true)], holder: true };
const SERVING: Sighting = {
  ...WARM,
  processes: [...WARM.processes, "nfsdcld"],
  nfsdThreads: 16,
  linkUp: true,
  volumesMounted: 2,
  volumesActive: 2,
};

function without(seen: Sighting, name: string): Sighting {
  return { ...seen, processes: seen.processes.filter((process) => process !== name) };
}

interface Case {
  readonly name: string;
  readonly seen: Sighting;
  readonly state: Judgement["state"];
  readonly lacks?: readonly string[];
}

const CASES: readonly Case[] = [
  { name: "nothing at all", seen: NOTHING, state: "absent" },
  { name: "a complete standby", seen: WARM, state: "warm" },
  { name: "a complete service", seen: SERVING, state: "serving" },
  {
    name: "served while the holder died",
    seen: { ...SERVING, holder: false },
    state: "serving",
    lacks: ["its holder"],
  },
  { name: "served without mountd", seen: without(SERVING, "rpc.mountd"), state: "serving", lacks: ["rpc.mountd"] },
  { name: "served without nfsdcld", seen: without(SERVING, "nfsdcld"), state: "serving", lacks: ["nfsdcld"] },
  { name: "one volume of two is mounted", seen: { ...SERVING, volumesMounted: 1 }, state: "partial" },
  { name: "everything but the link", seen: { ...SERVING, linkUp: false }, state: "partial" },
  { name: "everything, but a release has begun", seen: { ...SERVING, requestsHeld: true }, state: "partial" },
  { name: "everything but nfsd", seen: { ...SERVING, nfsdThreads: 0 }, state: "partial" },
  { name: "a standby whose link is up", seen: { ...WARM, linkUp: true }, state: "partial" },
  { name: "a standby with an active volume", seen: { ...WARM, volumesActive: 1 }, state: "partial" },
  { name: "a standby with a mounted volume", seen: { ...WARM, volumesMounted: 1 }, state: "partial" },
  { name: "a standby without its holder", seen: { ...WARM, holder: false }, state: "partial" },
  { name: "a standby without rpcbind", seen: without(WARM, "rpcbind"), state: "partial", lacks: ["rpcbind"] },
  {
    name: "a standby with what only a takeover starts",
    seen: { ...WARM, processes: [...WARM.processes, "nfsdcld"] },
    state: "partial",
  },
  {
    name: "only an active volume, as after a crash of everything",
    seen: { ...NOTHING, volumesActive: 1 },
    state: "partial",
    lacks: standbyDaemons(true),
  },
];

describe("judge", () => {
  for (const { name, seen, state, lacks = [] } of CASES) {
    test(`${name}: ${state}`, () => assert.deepEqual(judge(seen, true), { state, lacks }));
  }

  test("without NFSv3 nobody misses statd", () => {
    assert.deepEqual(judge(without(WARM, "rpc.statd"), false), { state: "warm", lacks: [] });
    assert.deepEqual(judge(without(SERVING, "rpc.statd"), false), { state: "serving", lacks: [] });
    assert.deepEqual(judge(without(SERVING, "rpc.statd"), true).lacks, ["rpc.statd"]);
  });

  test("whatever is seen: with anything of a volume, nfsd or a link it is neither absent nor warm", () => {
    const sightings = fc.record({
      processes: fc.subarray([...SERVING.processes]),
      holder: fc.boolean(),
      nfsdThreads: fc.nat(2),
      linkUp: fc.boolean(),
      requestsHeld: fc.boolean(),
      volumes: fc.integer({ min: 1, max: 2 }),
      volumesMounted: fc.nat(2),
      volumesActive: fc.nat(2),
    });
    fc.assert(
      fc.property(sightings, fc.boolean(), (seen, v3) => {
        const { state } = judge(seen, v3);
        const something = seen.nfsdThreads > 0 || seen.linkUp || seen.volumesMounted > 0 || seen.volumesActive > 0;
        assert.equal(isEmpty(seen), !something);
        if (state === "absent" || state === "warm") assert.ok(!something);
        if (state === "absent") assert.equal(seen.processes.length, 0);
        if (state !== "serving") return;
        assert.ok(seen.nfsdThreads > 0 && seen.linkUp && seen.volumesMounted === seen.volumes);
        assert.ok(!seen.requestsHeld, "clients of whom nothing is let in are not served");
      }),
    );
  });
});
