import assert from "node:assert/strict";
import { test } from "node:test";
import { LOCKS, planLocks, shareOf, type LockPlanSettings } from "./lock-plan.ts";
import { inFlight } from "./measure-run.ts";
import { LOSSES, PROBES, PROTOCOLS, type Loss } from "./names.ts";
import { besidePlan } from "./neighbour-plan.ts";

const HOME = { name: "home", host: "home.lab.example", exportPath: "/export/data", devices: [] };
const MEDIA = { ...HOME, name: "media", host: "media.lab.example" };

function settings(parts: Partial<LockPlanSettings> = {}): LockPlanSettings {
  let count = 0;
  const random = (): number => (count += 1) / 1000;
  const ground = { family: 4, random, pace: 1, id: "x" } as const;
  const drill = { clients: ["c1", "c2"], protocols: PROTOCOLS, target: HOME, locks: LOCKS, secondDies: false } as const;
  return { ...ground, ...drill, ...parts };
}

function heldBy(plans: ReturnType<typeof planLocks>): Readonly<Record<string, number>> {
  const held: Record<string, number> = {};
  for (const { machine, protocol, heldLocks } of plans.flatMap(({ loops }) => loops)) {
    if (heldLocks > 0) held[`${machine} ${protocol}`] = heldLocks;
  }
  return held;
}

test("200 locks: half over v3, a quarter each over v4.1 and v4.2, shared by two clients", () => {
  assert.deepEqual(heldBy(planLocks(settings())), {
    "c1 v3": 50,
    "c1 v4.1": 25,
    "c1 v4.2": 25,
    "c2 v3": 50,
    "c2 v4.1": 25,
    "c2 v4.2": 25,
  });
  assert.deepEqual(heldBy(planLocks(settings({ protocols: ["v4.1"] }))), { "c1 v4.1": 100, "c2 v4.1": 100 });
  assert.equal(shareOf("v4.1", ["v4.1", "v4.2"], LOCKS), 100);
});

test("each client tries every lock of the other through each of its own mounts, and none of its own", () => {
  const plans = planLocks(settings());
  for (const [own, other] of [
    [plans[0], plans[1]],
    [plans[1], plans[0]],
  ]) {
    const steals = own?.loops.filter(({ kind }) => kind === "steal") ?? [];
    assert.deepEqual(
      steals.map(({ protocol }) => protocol),
      [...PROTOCOLS],
    );
    for (const { protocol, victims = [], waitsForGo, settleSuccesses } of steals) {
      assert.equal(waitsForGo, true);
      assert.equal(
        victims.reduce((sum, { locks }) => sum + locks, 0),
        100,
      );
      assert.equal(settleSuccesses, 8);
      for (const { file } of victims) {
        assert.match(
          file,
          new RegExp(`^/mnt/holdfast/home-${protocol}/holdfast-drill/x/${other?.machine}-v[34.12]+-held/`),
        );
      }
    }
    assert.deepEqual(
      own?.looks.map(({ loop }) => loop),
      PROTOCOLS.map((one) => `home-${other?.machine}-${one}-held`),
    );
  }
});

test("what the first client locks anew and what is held is kept open by the other one: no delegation hides a LOCK", () => {
  const [first, second] = planLocks(settings());
  const kept = second?.loops.flatMap(({ keepsOpen = [] }) => keepsOpen) ?? [];
  for (const { kind, directory, client } of first?.loops ?? []) {
    if (kind === "lock") assert.ok(kept.includes(`${directory}/probed-${client}.lock`));
    if (kind === "held") assert.ok(kept.includes(`${directory}/held-${client}.lock`));
  }
});

test("names are unique over all clients, and no two loops that write have one folder", () => {
  const loops = planLocks(settings()).flatMap((plan) => plan.loops);
  assert.equal(new Set(loops.map(({ name }) => name)).size, loops.length);
  const alone = loops.filter(({ kind }) => !["count", "tick", "watch"].includes(kind));
  assert.equal(new Set(alone.map(({ directory }) => directory)).size, alone.length);
  const counters = loops
    .filter(({ kind }) => kind === "count")
    .map(({ directory }) => directory.replace(/home-v[^/]+/, "home"));
  assert.deepEqual([counters.length, new Set(counters).size], [6, 1]);
});

test("so many LOCKs may one mount be waiting for: each loop that takes and gives back has one", () => {
  const loops = new Map(planLocks(settings()).flatMap((plan) => plan.loops.map((loop) => [loop.name, loop] as const)));
  assert.deepEqual([inFlight(loops, "c1"), inFlight(loops, "c2"), inFlight(loops, "c3")], [3, 2, 0]);
});

test("of a client that will die nobody tries the locks, and it takes part in no count", () => {
  const loops = planLocks(settings({ secondDies: true })).flatMap((plan) => plan.loops);
  assert.deepEqual(
    loops.filter(({ kind }) => kind === "steal"),
    [],
  );
  assert.deepEqual([...new Set(loops.filter(({ kind }) => kind === "count").map(({ machine }) => machine))], ["c1"]);
});

test("a loss is caused by one loop of the first client", () => {
  const causing = (inject?: Loss): readonly string[] =>
    planLocks(settings(inject === undefined ? {} : { inject })).flatMap(({ loops }) =>
      loops.flatMap(({ name, injects }) => (injects === undefined ? [] : [`${name} ${injects}`])),
    );
  assert.deepEqual(causing(), []);
  assert.deepEqual(
    LOSSES.map((loss) => causing(loss)),
    [
      ["home-c1-v4.2-write lost-write"],
      ["home-c1-v4.2-write torn-write"],
      ["home-c1-v4.2-held lost-lock"],
      ["home-c1-v4.2-count granted-twice"],
      ["home-c1-v4.2-tick stale-read"],
      ["home-c1-v4.2-open application-error"],
    ],
  );
});

test("beside a plan: ten locks each over v3 and v4.2, each tried over the other protocol", () => {
  const [, second] = planLocks(settings({ protocols: ["v4.1"] }));
  assert.ok(second !== undefined);
  const plan = besidePlan(second, settings(), MEDIA, PROBES);
  const added = plan.loops.slice(second.loops.length);
  assert.deepEqual(
    added.map(({ kind, protocol }) => `${protocol} ${kind}`),
    ["v3 held", "v4.2 held", "v3 steal", "v4.2 steal", "v4.2 write", "v4.2 read", "v4.2 open", "v4.2 lock"],
  );
  const [v3, v42, overV3, overV42] = added;
  assert.deepEqual([v3?.heldLocks, v42?.heldLocks], [10, 10]);
  assert.match(overV3?.victims?.[0]?.file ?? "", /^\/mnt\/holdfast\/media-v3\/.*\/c2-v4\.2-held\/held-/);
  assert.match(overV42?.victims?.[0]?.file ?? "", /^\/mnt\/holdfast\/media-v4\.2\/.*\/c2-v3-held\/held-/);
  assert.deepEqual(
    plan.looks.slice(second.looks.length).map(({ loop, file }) => `${loop} ${file.slice(0, 24)}`),
    ["media-c2-v3-held /mnt/holdfast/media-v4.2", "media-c2-v4.2-held /mnt/holdfast/media-v3/h"],
  );
  assert.deepEqual(
    plan.mounts.map(({ directory }) => directory),
    ["/mnt/holdfast/home-v4.1", "/mnt/holdfast/media-v3", "/mnt/holdfast/media-v4.2"],
  );
});
