/** Fault drills as a whole on one machine without NFS and without a lab: who serves, and what was injected, are fakes. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { localDrill, type LocalDrill } from "../../../tests/local-drill.ts";
import type { DrillDocument } from "../document.ts";
import type { World } from "../measure.ts";
import type { MachineFaults, Machines } from "../ports.ts";
import type { FaultDocument, FaultStep } from "./fault-words.ts";
import { faultDrill } from "./fault-drill.ts";

interface FakeLab {
  readonly world: World;
  readonly done: string[];
  /** Nodes that have it mounted, and those registered. */
  mounted: string[];
  registered: string[];
  /** Whether the other node takes over when the serving one loses its power. */
  takesOver: boolean;
  reasons: string[];
}

function document(steps: readonly FaultStep[], parts: Partial<FaultDocument> = {}): FaultDocument {
  return {
    name: "power-off",
    group: "machines",
    summary: "",
    standsFor: "a test",
    cluster: "",
    mustHold: "",
    load: "probes",
    variants: [{ name: "serving", steps, holds: { returnsWithinMs: 5_000 } }],
    ...parts,
  };
}

function fakeLab(drill: LocalDrill): FakeLab {
  const { world } = drill.fake(() => Promise.resolve());
  const lab: FakeLab = {
    world,
    done: [],
    mounted: ["n1"],
    registered: ["n1", "n2"],
    takesOver: true,
    reasons: ["n1 is unclean"],
  };
  const off = new Set<string>();
  const machines: Machines = {
    ...world.machines,
    exec: async (machine, argv, options) => {
      const answer = (stdout: string) => ({ status: 0, stdout, stderr: "" });
      if (off.has(machine)) throw new Error(`${machine} is off`);
      if (options.input?.includes("res_holder") === true)
        return answer(lab.registered.map((node) => `iSCSI Node: iqn.lab:${node},i,0x1\n`).join(""));
      if (options.input?.includes("cgroup.procs") === true)
        return answer(lab.mounted.includes(machine) ? "yes\n" : "no\n");
      return world.machines.exec(machine, argv, options);
    },
  };
  const faults: MachineFaults = {
    powerOff: async (machine) => {
      lab.done.push(`off ${machine}`);
      off.add(machine);
      lab.mounted = lab.takesOver ? [machine === "n1" ? "n2" : "n1"] : [];
    },
    powerOn: async (machine) => {
      lab.done.push(`on ${machine}`);
      off.delete(machine);
    },
    lab: {
      storage: "st",
      inject: async (fault) => void lab.done.push(`${fault.kind} ${"machine" in fault ? fault.machine : ""}`.trim()),
      isOn: async (machine) => !off.has(machine),
      diskOf: () => "lun0",
    },
  };
  const mover = {
    ...world.mover,
    serving: async () => lab.mounted[0] ?? "n1",
    whyNotServed: async () => lab.reasons,
  };
  return Object.assign(lab, {
    world: { ...world, machines, faults, mover, evidenceFolder: join(drill.folder, "evidence") },
  });
}

async function run(
  wanted: FaultDocument,
  prepare: (lab: FakeLab) => void = () => undefined,
): Promise<{
  readonly documents: readonly DrillDocument[];
  readonly done: readonly string[];
  readonly evidence: readonly string[];
}> {
  const drill = await localDrill();
  try {
    const lab = fakeLab(drill);
    prepare(lab);
    const { settings } = drill.fake(() => Promise.resolve());
    const { documents } = await faultDrill(wanted)(lab.world, settings);
    const folder = lab.world.evidenceFolder ?? "";
    const evidence = existsSync(folder) ? readdirSync(folder).flatMap((name) => readdirSync(join(folder, name))) : [];
    return { documents, done: lab.done, evidence: evidence.toSorted() };
  } finally {
    drill.remove();
  }
}

const POWER_OFF: readonly FaultStep[] = [
  { do: "power-off", at: "serving" },
  { do: "expect-served", by: "other", withinMs: 4_000 },
];

const NOBODY: readonly FaultStep[] = [
  { do: "power-off", at: "serving" },
  { do: "expect-nobody", durationMs: 100 },
  { do: "power-on", at: "serving" },
];
const LINK_CUT: readonly FaultStep[] = [
  { do: "cut", at: "serving", networks: ["ring"], direction: "both" },
  { do: "hold", durationMs: 400 },
];

function noTakeover(lab: FakeLab): void {
  lab.takesOver = false;
}

/** What is played, by the test that looks at it. */
const PLAYED = {
  takeover: () => run(document(POWER_OFF)),
  none: () =>
    run(document([...POWER_OFF.slice(0, 1), { do: "expect-served", by: "other", withinMs: 400 }]), noTakeover),
  nobody: () => run(document(NOBODY), noTakeover),
  silent: () =>
    run(document(NOBODY), (lab) => {
      noTakeover(lab);
      lab.reasons = [];
    }),
  twice: () =>
    run(document(LINK_CUT), (lab) => {
      lab.mounted = ["n1", "n2"];
    }),
} as const;

type Played = Awaited<ReturnType<typeof run>>;

describe("a fault", () => {
  const found = new Map<string, Played>();
  const of = (name: keyof typeof PLAYED): Played => {
    const played = found.get(name);
    assert.ok(played !== undefined);
    return played;
  };
  // Side by side: most of each is waiting.
  before(() => Promise.all(Object.entries(PLAYED).map(async ([name, play]) => found.set(name, await play()))));

  test("a power-off after which the other node serves, and the power is given back", () => {
    const { documents, done, evidence } = of("takeover");
    const [one] = documents;
    assert.deepEqual(one?.because, []);
    assert.deepEqual([one.from, one.to, one.fault?.name, one.fault?.variant], ["n1", "n2", "power-off", "serving"]);
    assert.deepEqual(done, ["off n1", "on n1"]);
    assert.deepEqual(evidence, []);
  });

  test("no takeover: the drill fails with the reason that status gives, mends, and keeps the logs", () => {
    const { documents, done, evidence } = of("none");
    const [one] = documents;
    assert.equal(one?.verdict, "fail");
    assert.match(one.because[0] ?? "", /nobody serves home after 0 s: n1 is unclean/);
    assert.deepEqual(one.fault?.reasons, ["n1 is unclean"]);
    assert.deepEqual(done, ["off n1", "on n1"]);
    assert.deepEqual(evidence, ["c1.txt", "c2.txt", "documents.json", "n1.txt", "n2.txt"]);
  });

  test("nobody may serve: fulfilled with a reason, and a failure without one", () => {
    const [fine] = of("nobody").documents;
    assert.deepEqual([fine?.because, fine?.fault?.reasons], [[], ["n1 is unclean"]]);
    const [silent] = of("silent").documents;
    assert.match(silent?.because[0] ?? "", /status does not say why/);
  });

  test("two servers are the worst, whatever clients saw", () => {
    const { documents, done } = of("twice");
    assert.match(documents[0]?.because.join("; ") ?? "", /two servers: n1 and n2 had home mounted and could write it/);
    assert.deepEqual(done, ["cut n1", "heal"], "healed though no step says so");
  });
});

test("without a lab nothing is broken", async () => {
  const drill = await localDrill();
  try {
    const { world, settings } = drill.fake(() => Promise.resolve());
    const deed = faultDrill(document(POWER_OFF))(world, settings);
    await assert.rejects(deed, { code: "drill-needs-lab", kind: "invalid" });
  } finally {
    drill.remove();
  }
});
