/** Fault drills as a whole on one machine without NFS and without a lab: who serves, and what was injected, are fakes. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { localDrill, type LocalDrill } from "../../../tests/local-drill.ts";
import type { DrillDocument } from "../document.ts";
import type { World } from "../measure.ts";
import type { LabFaults, MachineFaults, Machines } from "../ports.ts";
import type { FaultDocument, FaultStep } from "./fault-words.ts";
import { tcp } from "../capture/fake-frames.ts";
import { faultDrill } from "./fault-drill.ts";

interface FakeLab {
  world: World;
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

const FREEZE: readonly FaultStep[] = [
  { do: "freeze", at: "serving" },
  { do: "thaw", at: "serving" },
  { do: "expect-served", by: "other", withinMs: 4_000 },
];

const THAWED_MS = 1_795_000_000_000;
const HOUR_MS = 3_600_000;

/**
 * A thaw 800 ms before the fence has ended; the node says something 1,000 ms after it. The survivor's clock is an hour
 * behind ours, which the recording is on.
 *
 * @param journal of the survivor.
 */
function thawedTooSoon(lab: FakeLab, journal: (fencedS: number) => string): void {
  const { world } = lab;
  const faults = world.faults as MachineFaults & { readonly lab: LabFaults };
  const exec: Machines["exec"] = (machine, argv, options) => {
    const answer = (stdout: string) => Promise.resolve({ status: 0, stdout, stderr: "" });
    if (argv[0] === "getent") return answer("10.77.0.50 STREAM home\n");
    if (argv[0] === "journalctl") return answer(journal((THAWED_MS + 800 - HOUR_MS) / 1000));
    if (argv[0] === "date") return answer(`${THAWED_MS - HOUR_MS}\n`);
    return world.machines.exec(machine, argv, options);
  };
  const inject = (fault: { readonly kind: string }): Promise<void> => {
    lab.done.push(fault.kind);
    if (fault.kind === "thaw") lab.mounted = ["n2"];
    return Promise.resolve();
  };
  const frame = tcp({ from: ["10.77.0.50", 2049], to: ["10.77.0.21", 812], flags: "A" });
  lab.world = {
    ...world,
    clock: { ...world.clock, wallMs: () => THAWED_MS },
    machines: { ...world.machines, exec },
    faults: { ...faults, lab: { ...faults.lab, inject } },
    mover: {
      ...world.mover,
      lastTakeover: (fileserver, node) => {
        const timeline = { kind: "takeover", fileserver, node, outcome: "done", steps: [] } as const;
        return Promise.resolve({ ...timeline, id: node, startedAtMs: THAWED_MS + 900 - HOUR_MS });
      },
    },
    recorder: {
      start: () => Promise.resolve({ stop: () => Promise.resolve({ path: "", pcap: pcap(THAWED_MS + 1_000, frame) }) }),
      remove: () => Promise.resolve(),
    },
  };
}

/** One frame; pcap-savefile(5). */
function pcap(atMs: number, bytes: readonly number[]): Uint8Array {
  const file = new DataView(new ArrayBuffer(40));
  [0xa1b2c3d4, 0x0002_0004, 0, 0, 65_535, 1].forEach((word, index) => file.setUint32(index * 4, word));
  const words = [Math.floor(atMs / 1000), Math.floor((atMs % 1000) * 1000), bytes.length, bytes.length];
  words.forEach((word, index) => file.setUint32(24 + index * 4, word));
  return Uint8Array.from([...new Uint8Array(file.buffer), ...bytes]);
}

function frozen(journal: (fencedS: number) => string): () => Promise<Played> {
  const holds = { returnsWithinMs: 5_000, silentAfterThaw: true } as const;
  const wanted = document(FREEZE, { name: "freeze-thaw", variants: [{ name: "2s", steps: FREEZE, holds }] });
  return () => run(wanted, (lab) => thawedTooSoon(lab, journal));
}

const FENCED = (fencedS: number): string =>
  `${fencedS.toFixed(6)} n2 pacemaker-fenced[700]:  notice: Operation 'reboot' targeting n1 by n2 for pacemaker-controld.704@n2: OK (complete)\n`;

/** What is played, by the test that looks at it. */
const PLAYED = {
  thawedBeforeFence: frozen(FENCED),
  thawedUnfenced: frozen(() => ""),
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

  test("a node that was thawed before its fence had ended: its frames count from then", () => {
    const [one] = of("thawedBeforeFence").documents;
    assert.deepEqual([one?.because, one?.to], [[], "n2"]);
    const thaw = one?.fault?.thaw;
    assert.deepEqual([thaw?.framesSoon, thaw?.framesLate, thaw?.fencedAfterThawMs], [1, 0, 800]);
  });

  test("where nobody knows of a fence they count from the thaw", () => {
    const [one] = of("thawedUnfenced").documents;
    assert.match(one?.because.join() ?? "", /^n1 sent 1 frames .* after it was thawed/);
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
