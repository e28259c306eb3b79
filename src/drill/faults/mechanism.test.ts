import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../../base/fault.ts";
import { SAMPLE_SPEC } from "../../../tests/sample-spec.ts";
import { loadSpec } from "../../model/load.ts";
import { systemClock } from "../../system/clock.ts";
import type { World } from "../measure.ts";
import type { LabFaults, MachineFaults } from "../ports.ts";
import type { FaultStep } from "./fault-words.ts";
import { openMechanism, type Mechanism } from "./mechanism.ts";
import type { Observer } from "./observe-servers.ts";
import type { ServerSample } from "./servers.ts";

const hasCode = (code: string) => (error: unknown) => error instanceof Fault && error.code === code;

interface Bench {
  readonly mechanism: Mechanism;
  readonly done: string[];
  readonly play: (...steps: readonly FaultStep[]) => Promise<void>;
  /** Who serves, as the observer sees it. */
  server: string | undefined;
  /** What a node answers when it is asked for missing daemons, in turn. */
  missing: string[];
}

function bench(parts: Partial<World["mover"]> = {}, more: Partial<World> = {}): Bench {
  const done: string[] = [];
  const note = async (what: string): Promise<void> => void done.push(what);
  const lab: LabFaults = {
    storage: "st",
    inject: (fault) => note([fault.kind, ...Object.values(fault).slice(1)].join(" ")),
    isOn: async () => true,
    diskOf: () => "lun0",
  };
  const faults: MachineFaults = { powerOff: (one) => note(`off ${one}`), powerOn: (one) => note(`on ${one}`), lab };
  const exec: World["machines"]["exec"] = async (machine, argv, { input = "" }) => {
    if (input.includes("rpc.mountd rpc.statd")) return { status: 0, stdout: self.missing.shift() ?? "", stderr: "" };
    await note(`${machine}: ${input.split("\n")[0]} ${argv.slice(3).join(" ")}`.replace(/\d{10}/, "TIME"));
    return { status: 0, stdout: "", stderr: "" };
  };
  const mover = {
    serving: async () => "n1",
    move: async (_: string, node: string) => {
      await note(`move to ${node}`);
      return undefined as never;
    },
    ...parts,
  };
  const world = {
    machines: { exec, copyTo: () => note("copy") },
    mover,
    // No waiting: every level is there when it is asked for, or never.
    clock: { ...systemClock, sleep: () => Promise.resolve() },
    progress: () => undefined,
    ...more,
  } as unknown as World;
  const mechanism = openMechanism({
    world,
    faults,
    lab,
    nodes: ["n1", "n2"],
    timeScale: 1,
    thawed: (node) => void done.push(`thawed ${node}`),
    reasons: (lines) => void done.push(...lines),
  });
  const observer: Observer = {
    samples: [],
    until: async (wanted) => {
      const mounted = new Map([["n1", self.server === "n1"] as const, ["n2", self.server === "n2"] as const]);
      const sample: ServerSample = { atMs: Infinity, mounted, registered: ["n1", "n2"], holder: self.server };
      return wanted(self.server) ? sample : undefined;
    },
    stop: () => Promise.reject(new Error("not here")),
  };
  const target = { name: "home", host: "home", exportPath: "/export", devices: [] };
  const scene = { serving: "n1", standby: "n2", target };
  const self: Bench = {
    mechanism,
    done,
    server: "n1",
    missing: [],
    play: async (...steps) => {
      for (const step of steps) await mechanism.carryOut(step, scene, observer);
    },
  };
  return self;
}

test("what a step ends is not ended again; the rest is, latest first", async () => {
  const { play, mechanism, done } = bench();
  await play(
    { do: "power-off", at: "standby" },
    { do: "freeze", at: "serving" },
    { do: "cut", at: "both", networks: ["ring"], direction: "in" },
    { do: "slow-disk", iops: 20 },
    { do: "thaw", at: "serving" },
  );
  assert.deepEqual(done.splice(0), [
    "off n2",
    "freeze n1",
    "cut n1 ring in",
    "cut n2 ring in",
    "slow-disk lun0 20",
    "thaw n1",
    "thawed n1",
  ]);
  assert.deepEqual(await mechanism.mend(), []);
  assert.deepEqual(done.splice(0), ["heal", "on n2"]);
  assert.deepEqual(await mechanism.mend(), []);
  assert.deepEqual(done, []);
});

test("a machine that panicked keeps its power, and has to lose it first", async () => {
  const { play, mechanism, done } = bench();
  await play({ do: "panic", at: "serving" });
  await mechanism.mend();
  assert.deepEqual(done, ["panic n1", "off n1", "on n1"]);
});

test("what was done inside a machine is undone there, by a step or in the end", async () => {
  const { play, mechanism, done } = bench();
  await play({ do: "inside", at: "standby", deed: "clock-forward" }, { do: "undo", deed: "clock-forward" });
  assert.deepEqual(done.splice(0), [
    'n2: date -s "@$(($(date +%s) + 3600))" >/dev/null home data TIME',
    'n2: date -s "@$3" >/dev/null home data TIME',
  ]);
  await play({ do: "inside", at: "serving", deed: "kill-agent" });
  await mechanism.mend();
  assert.equal(done.length, 1);
});

test("who is to serve: the other, the same, anybody", async () => {
  const { play } = bench();
  const expect = (by: "other" | "same" | "any"): FaultStep => ({ do: "expect-served", by, withinMs: 1 });
  await play(expect("same"), expect("any"));
  await assert.rejects(play(expect("other")), { code: "not-served" });
});

test("nobody may serve, and the reason is asked for", async () => {
  const told = bench({ whyNotServed: async () => ["n1 is unclean"] });
  told.server = undefined;
  await told.play({ do: "expect-nobody", durationMs: 1 });
  assert.deepEqual(told.done, ["n1 is unclean"]);
  told.server = "n2";
  await assert.rejects(told.play({ do: "expect-nobody", durationMs: 1 }), { code: "served-unfenced" });
});

test("a second move that is refused is no failure; two that are, are", async () => {
  let asked = 0;
  const refusing = (from: number) => async () => {
    asked += 1;
    if (asked > from) throw new Error("busy");
    return undefined as never;
  };
  await bench({ move: refusing(1) }).play({ do: "move-during-move" });
  asked = 0;
  await assert.rejects(bench({ move: refusing(0) }).play({ do: "move-during-move" }), { code: "neither-move" });
});

test("a node in standby is brought back", async () => {
  const asked: string[] = [];
  const word = (name: string) => async (node: string) => void asked.push(`${name} ${node}`);
  const { play, mechanism } = bench({ standby: word("standby"), unstandby: word("unstandby") });
  await play({ do: "standby" });
  await mechanism.mend();
  assert.deepEqual(asked, ["standby n1", "unstandby n1"]);
  await assert.rejects(bench().play({ do: "standby" }), { code: "no-standby" });
});

test("daemons are waited for, and those that stay away are named", async () => {
  const repaired = bench();
  repaired.missing = ["rpc.mountd\nnfsd\n", ""];
  await repaired.play({ do: "expect-daemons", withinMs: 10_000 });
  const broken = bench();
  broken.missing = ["rpc.statd\n"];
  await assert.rejects(broken.play({ do: "expect-daemons", withinMs: 0 }), {
    message: "home was not repaired within 0 s: rpc.statd",
  });
});

const BEHIND = loadSpec(
  `${SAMPLE_SPEC}directors:
  - name: lb
    machines: [{ name: d1, address: 10.77.0.31 }, { name: d2, address: 10.77.0.32 }]
    services: [{ fileserver: home }]
`,
  "behind",
);

interface Director {
  readonly here: boolean;
  readonly serving?: readonly string[];
  readonly problems?: readonly string[];
}

/** Directors that say this; one that is not in it does not answer. */
function directors(say: Record<string, Director>): Partial<World> {
  const exec: World["machines"]["exec"] = async (machine) => {
    const said = say[machine];
    if (said === undefined) return { status: 7, stdout: "", stderr: "no answer" };
    const service = { fileserver: "home", here: said.here, serving: said.serving ?? ["n1"] };
    return { status: 0, stdout: JSON.stringify({ services: [service], problems: said.problems ?? [] }), stderr: "" };
  };
  return { spec: BEHIND, machines: { exec, copyTo: () => Promise.reject(new Error("not here")) } };
}

test("the director that has the address loses its power, and gets it back", async () => {
  const { play, mechanism, done } = bench({}, directors({ d1: { here: false }, d2: { here: true } }));
  await play({ do: "power-off", at: "director" }, { do: "power-on", at: "director" });
  assert.deepEqual(done.splice(0), ["off d2", "on d2"]);
  await play({ do: "power-off", at: "director" });
  await mechanism.mend();
  assert.deepEqual(done, ["off d2", "on d2"]);
  for (const say of [{ d1: { here: true }, d2: { here: true } }, { d1: { here: false } }])
    await assert.rejects(
      bench({}, directors(say)).play({ do: "power-off", at: "director" }),
      hasCode("no-one-director"),
    );
});

test("directors are as they should be when all send packets to the node that serves, and one has the address", async () => {
  const step = { do: "expect-directors", withinMs: 20 } as const;
  const fine = { here: true };
  await bench({}, directors({ d1: fine, d2: { here: false } })).play(step);
  const cases: readonly (readonly [Record<string, Director>, RegExp])[] = [
    [{ d1: fine, d2: { here: false, serving: ["n2"] } }, /d2 sends packets to n2, not to n1/],
    [{ d1: fine, d2: { here: false, serving: [] } }, /d2 sends packets to nobody/],
    [{ d1: fine, d2: fine }, /on d1 and d2/],
    [{ d1: { here: false }, d2: { here: false } }, /on no director/],
    [{ d1: fine }, /d2: .*no answer/],
    [{ d1: fine, d2: { here: false, problems: ["the kernel refused"] } }, /d2: the kernel refused/],
  ];
  for (const [say, what] of cases) await assert.rejects(bench({}, directors(say)).play(step), what);
});
