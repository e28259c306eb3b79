/** What Pacemaker is told; the fileserver is a double, time goes on only when it is let. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fakeNode } from "../../tests/fake-node.ts";
import { fakeControl, FAKE_TIMELINE } from "../../tests/fake-control.ts";
import { fakeLuns } from "../../tests/fake-luns.ts";
import { manualClock, type ManualClock } from "../../tests/manual-clock.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { FileserverControl, FileserverSight } from "./fileserver.ts";
import { RunFault } from "./history.ts";
import { OCF, RESOURCE_ACTIONS, type OcfAnswer, type ResourceParts } from "./resource.ts";

const HOME = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;
const SERVING: FileserverSight = { judgement: { state: "serving", lacks: [] }, empty: false };
const WARM: FileserverSight = { judgement: { state: "warm", lacks: [] }, empty: true };
const PARTIAL: FileserverSight = { judgement: { state: "partial", lacks: ["rpcbind"] }, empty: false };
const BUSY = new Fault({ kind: "refused", code: "fileserver-busy", what: "home is warming on n1" });
const UNREGISTERED = new Fault({ kind: "refused", code: "not-registered", what: "n1 is not in good standing" });
const UNVERIFIED = new Fault({ kind: "refused", code: "not-verified", what: "n1 is not in good standing: no answer" });
const BROKEN = new Fault({ code: "mount-failed", what: "mount-volume:data on n1: no" });

interface Asked {
  readonly clock: ManualClock;
  readonly downs: string[];
  readonly answer: Promise<OcfAnswer>;
  readonly settled: () => OcfAnswer | undefined;
}

function ask(
  action: string,
  answers: Partial<FileserverControl>,
  { timeoutMs = 10_000, refusal = (): Fault | undefined => undefined } = {},
): Asked {
  const clock = manualClock();
  const downs: string[] = [];
  const parts: ResourceParts = {
    node: fakeNode({ engine: "pacemaker", reservations: fakeLuns().reservationsOf("n1"), clock }),
    control: fakeControl(HOME, answers),
    refusal,
    goDown: (because) => void downs.push(because),
  };
  let settled: OcfAnswer | undefined;
  const run = RESOURCE_ACTIONS[action];
  assert.ok(run !== undefined, action);
  const answer = run(parts, timeoutMs).then((given) => (settled = given));
  return { clock, downs, answer, settled: () => settled };
}

/** Fails so often, then does. */
function after<T>(failures: readonly unknown[], value: T): () => Promise<T> {
  const left = [...failures];
  return () => {
    const failure = left.shift();
    return failure === undefined ? Promise.resolve(value) : Promise.reject(failure);
  };
}

describe("start", () => {
  test("takes over", async () => {
    assert.deepEqual(await ask("start", {}).answer, { code: OCF.success, lines: [] });
  });

  test("waits for a registration that is only not verified, and for a run under way", async () => {
    let looks = 0;
    const refusal = (): Fault | undefined => (looks++ < 3 ? UNVERIFIED : undefined);
    const asked = ask("start", { takeover: after([BUSY, BUSY], FAKE_TIMELINE) }, { refusal });
    await asked.clock.pass(300);
    assert.equal(asked.settled(), undefined);
    await asked.clock.pass(500);
    assert.equal(asked.settled()?.code, OCF.success);
  });

  test("fails at once where the node has to register first, in time where nothing is verified; nothing is taken", async () => {
    const taken: unknown[] = [];
    const takeover = (): Promise<typeof FAKE_TIMELINE> => Promise.resolve((taken.push(1), FAKE_TIMELINE));
    const unregistered = await ask("start", { takeover }, { refusal: () => UNREGISTERED }).answer;
    assert.deepEqual([unregistered.code, unregistered.lines], [OCF.generic, ["n1 is not in good standing"]]);
    const asked = ask("start", { takeover }, { refusal: () => UNVERIFIED });
    await asked.clock.pass(10_000);
    assert.equal(asked.settled()?.code, OCF.generic);
    assert.deepEqual(taken, []);
  });

  test("a takeover that fails is told at once, with its reason", async () => {
    const asked = ask("start", { takeover: after([BROKEN], FAKE_TIMELINE) });
    assert.deepEqual(await asked.answer, { code: OCF.generic, lines: ["mount-volume:data on n1: no"] });
    assert.deepEqual(asked.downs, []);
  });

  test("the announced successor takes the labels for its own; where they are not, it looks", async () => {
    const given: unknown[] = [];
    const takeover: FileserverControl["takeover"] = (circumstances) => {
      given.push(circumstances);
      return given.length === 1 ? Promise.reject(failsAt("activate-volume:data")) : Promise.resolve(FAKE_TIMELINE);
    };
    assert.equal((await ask("start", { takeover, isSuccessor: () => true }).answer).code, OCF.success);
    assert.deepEqual(given, [{ handedOver: true }, undefined]);
    const damaged = ask("start", {
      takeover: after([failsAt("mount-volume:data")], FAKE_TIMELINE),
      isSuccessor: () => true,
    });
    assert.equal((await damaged.answer).code, OCF.generic);
  });

  function failsAt(step: string): RunFault {
    const steps = [{ step, node: "n1", startMs: 0, endMs: 1, outcome: "failed" as const }];
    return new RunFault(BROKEN, { ...FAKE_TIMELINE, outcome: "undone", steps });
  }
});

describe("stop", () => {
  test("of what is not here is done, without a release", async () => {
    const release = (): Promise<never> => Promise.reject(new Error("must not be asked"));
    assert.deepEqual(await ask("stop", { release }).answer, { code: OCF.success, lines: [] });
  });

  test("releases, and is done when nothing is here any more", async () => {
    const asked = ask("stop", { sight: sights(SERVING, WARM) });
    await asked.clock.pass(500);
    assert.equal(asked.settled()?.code, OCF.success);
    assert.deepEqual(asked.downs, []);
  });

  test("waits for a takeover under way, tries again what failed", async () => {
    const failures = [BUSY, BROKEN, BUSY];
    const sight = (): Promise<FileserverSight> => Promise.resolve(failures.length > 0 ? SERVING : WARM);
    const release = (): Promise<typeof FAKE_TIMELINE> => Promise.reject(failures.shift());
    const asked = ask("stop", { sight, release });
    await asked.clock.pass(1_000);
    assert.equal(asked.settled()?.code, OCF.success);
  });

  const lasting: readonly (readonly [string, Partial<FileserverControl>])[] = [
    ["fails for good", { release: () => Promise.reject(BROKEN) }],
    ["hangs", { release: () => new Promise(() => undefined) }],
    ["cannot be seen", { sight: () => Promise.reject(new Error("/proc cannot be read")) }],
    ["is said to be done, and it still serves", {}],
  ];
  for (const [what, answers] of lasting) {
    test(`that ${what}: the node goes down at the bound, and not before`, async () => {
      const asked = ask("stop", { sight: () => Promise.resolve(SERVING), ...answers });
      await asked.clock.pass(9_000);
      assert.deepEqual([asked.settled(), asked.downs], [undefined, []]);
      await asked.clock.pass(1_500);
      assert.equal(asked.settled()?.code, OCF.generic);
      assert.equal(asked.downs.length, 1);
      assert.match(asked.downs[0] ?? "", /home could not be stopped within 10 s/);
    });
  }
});

test("a stop on a storage that does not answer is waited for no longer than it may help", async () => {
  const hangs = { sight: () => Promise.resolve(SERVING), release: () => new Promise<never>(() => undefined) };
  const asked = ask("stop", { ...hangs, silenced: () => true }, { timeoutMs: 120_000 });
  await asked.clock.pass(16_000);
  assert.equal(asked.downs.length, 1);
});

describe("monitor", () => {
  test("not running where nothing is here, half of it is a failure", async () => {
    assert.equal((await ask("monitor", {}).answer).code, OCF.notRunning);
    const half = await ask("monitor", { sight: sights(PARTIAL) }).answer;
    assert.deepEqual(half, { code: OCF.generic, lines: ["only a part of it is here", "rpcbind is missing"] });
  });

  test("what cannot be seen is a failure, never 'not running'", async () => {
    const answer = await ask("monitor", { sight: () => Promise.reject(new Error("no cgroup")) }).answer;
    assert.equal(answer.code, OCF.generic);
  });

  test("serving: only where nothing is missing, the node is registered, and the close look finds nothing", async () => {
    const sight = (): Promise<FileserverSight> => Promise.resolve(SERVING);
    assert.deepEqual(await ask("monitor", { sight }).answer, { code: OCF.success, lines: [] });
    const lacking: FileserverSight = { ...SERVING, judgement: { state: "serving", lacks: ["rpc.statd"] } };
    const bad: readonly (readonly [Promise<OcfAnswer>, RegExp])[] = [
      [ask("monitor", { sight: sights(lacking) }).answer, /rpc.statd is missing/],
      [ask("monitor", { sight }, { refusal: () => UNREGISTERED }).answer, /not in good standing/],
      [ask("monitor", { sight, check: () => Promise.resolve(["no RPC"]) }).answer, /no RPC/],
    ];
    for (const [answer, why] of bad) {
      const { code, lines } = await answer;
      assert.equal(code, OCF.generic);
      assert.match(lines.join(), why);
    }
  });

  test("silence is borne for a while, then it is a failure", async () => {
    const silent: FileserverSight = { ...PARTIAL, silencedBecause: "no answer" };
    const short = ask("monitor", { sight: sights(silent, silent, SERVING) });
    await short.clock.pass(1_000);
    assert.equal(short.settled()?.code, OCF.success);
    const long = ask("monitor", { sight: () => Promise.resolve(silent) });
    await long.clock.pass(4_000);
    assert.equal(long.settled(), undefined);
    await long.clock.pass(2_000);
    assert.match(long.settled()?.lines[0] ?? "", /its address is silent: no answer/);
  });

  test("a run under way is waited for; the making of a standby is none", async () => {
    const under = ask("monitor", { sight: sights({ ...PARTIAL, running: "taking-over" }, SERVING) });
    await under.clock.pass(500);
    assert.equal(under.settled()?.code, OCF.success);
    assert.equal(
      (await ask("monitor", { sight: sights({ ...WARM, running: "warming" }) }).answer).code,
      OCF.notRunning,
    );
  });
});

test("validate-all: the node must have what the fileserver needs, and be registered", async () => {
  const nowhere = fakeControl({ ...HOME, interface: "hf-none0" });
  assert.equal((await ask("validate-all", nowhere).answer).code, OCF.installed);
  const here = fakeControl({ ...HOME, interface: "lo" });
  assert.equal((await ask("validate-all", here).answer).code, OCF.success);
  assert.equal((await ask("validate-all", here, { refusal: () => UNREGISTERED }).answer).code, OCF.generic);
});

/** One after the other; the last one stays. */
function sights(...list: readonly FileserverSight[]): () => Promise<FileserverSight> {
  const left = [...list];
  return () => Promise.resolve((left.length > 1 ? left.shift() : left[0]) ?? WARM);
}
