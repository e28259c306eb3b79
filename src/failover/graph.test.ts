/** The order of a takeover and of a release, for every fileserver that a spec can describe. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { matchesGolden } from "../../tests/golden.ts";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { AssertionError } from "../base/assert.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";
import { releaseGraph } from "./release.ts";
import {
  checkGraph,
  fileserverStep,
  readySteps,
  STEP_BOUNDS_MS,
  volumeStepId,
  type Step,
  type StepGraph,
  type StepKind,
} from "./step.ts";
import { firstVolume, takeoverGraph } from "./takeover.ts";
import { coldGraph, warmGraph } from "./warm.ts";

function firstOf(text: string): FileserverSpec {
  const [first] = loadSpec(text, "sample").fileservers;
  assert.ok(first !== undefined);
  return first;
}

const SAMPLE = firstOf(SAMPLE_SPEC);

/** Two volumes of one group and one plain disk. */
const LARGE = firstOf(
  sampleWith([
    "      - { name: data, device: home/data, filesystem: xfs }\n",
    `      - { name: data, device: home/data, filesystem: xfs }
      - { name: more, device: home/more, filesystem: ext4 }
      - { name: raw, device: /dev/disk/by-id/scsi-1, filesystem: xfs }
`,
  ]),
);

const volumes: fc.Arbitrary<VolumeSpec> = fc
  .record({
    group: fc.constantFrom("g1", "g2", undefined),
    lv: fc.constantFrom("a", "b", "c"),
    filesystem: fc.constantFrom("xfs" as const, "ext4" as const),
  })
  .map(
    ({ group, lv, filesystem }) =>
      ({
        name: `${group ?? "disk"}-${lv}`,
        device: group === undefined ? { kind: "disk", path: `/dev/${lv}` } : { kind: "lv", vg: group, lv },
        filesystem,
        mountPath: `/export/${group ?? "disk"}-${lv}`,
      }) as VolumeSpec,
  );

const fileservers: fc.Arbitrary<FileserverSpec> = fc
  .record({
    volumes: fc.uniqueArray(volumes, { minLength: 1, maxLength: 6, selector: (volume) => volume.name }),
    protocols: fc.constantFrom<readonly ("v3" | "v4")[]>(["v3"], ["v4"], ["v3", "v4"]),
  })
  .map((parts) => ({ ...SAMPLE, ...parts }));

const successors = fc.constantFrom("n2", undefined);

function groupsOf(volumes: readonly VolumeSpec[]): readonly string[] {
  return volumes.flatMap(({ device }) => (device.kind === "lv" ? [device.vg] : [])).sort();
}

/** Everything that must have ended well before the step begins. */
function before(graph: StepGraph, id: string): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const step = graph.find((one) => one.id === next);
    assert.ok(step !== undefined, `${next} is in the graph`);
    for (const earlier of step.after) {
      if (found.has(earlier)) continue;
      found.add(earlier);
      open.push(earlier);
    }
  }
  return found;
}

function idsOf(graph: StepGraph, ...kinds: readonly StepKind[]): readonly string[] {
  return graph.filter((step) => kinds.includes(step.kind)).map((step) => step.id);
}

/** Every step of `later` waits for every step of `earlier`, directly or not. */
function assertOrder(graph: StepGraph, earlier: readonly string[], later: readonly string[]): void {
  for (const late of later) {
    const waitedFor = before(graph, late);
    for (const early of earlier) assert.ok(waitedFor.has(early), `${late} must wait for ${early}`);
  }
}

function readable(graph: StepGraph): string {
  const width = Math.max(...graph.map((step) => step.id.length));
  return graph
    .map((step) => (step.after.length === 0 ? step.id : `${step.id.padEnd(width)}  after: ${step.after.join(", ")}`))
    .join("\n");
}

/** Runs to the end in some order that the graph allows, chosen by the numbers; true when all steps ran. */
function runsToTheEnd(graph: StepGraph, choices: readonly number[]): boolean {
  const begun = new Set<string>();
  const running: Step[] = [];
  const ended = new Set<string>();
  for (let turn = 0; turn < graph.length; turn += 1) {
    for (const step of readySteps(graph, begun, ended)) {
      begun.add(step.id);
      running.push(step);
    }
    if (running.length === 0) return false;
    const [done] = running.splice((choices[turn] ?? 0) % running.length, 1);
    assert.ok(done !== undefined && done.after.every((id) => ended.has(id)), "began before its time");
    ended.add(done.id);
  }
  return ended.size === graph.length;
}

describe("the takeover", () => {
  test("of a sample, of one with several volumes, and without NFSv3", () => {
    matchesGolden("failover/takeover.txt", readable(takeoverGraph(SAMPLE)));
    matchesGolden("failover/takeover-large.txt", readable(takeoverGraph(LARGE)));
    matchesGolden("failover/takeover-behind-director.txt", readable(takeoverGraph(SAMPLE, true)));
    matchesGolden("failover/takeover-v4.txt", readable(takeoverGraph({ ...SAMPLE, protocols: ["v4"] })));
  });

  test("of any fileserver: reserved before activated before mounted; served only when all is mounted", () => {
    fc.assert(
      fc.property(fileservers, (fileserver) => {
        const graph = takeoverGraph(fileserver);
        for (const volume of fileserver.volumes) {
          const id = (kind: Parameters<typeof volumeStepId>[0]): string => volumeStepId(kind, volume);
          assertOrder(graph, [id("reserve-luns")], [id("activate-volume")]);
          assertOrder(graph, [id("activate-volume")], [id("mount-volume")]);
        }
        assertOrder(graph, idsOf(graph, "reserve-luns"), ["start-nfsd", "open-address"]);
        assertOrder(graph, idsOf(graph, "mount-volume"), ["start-nfsd"]);
        assertOrder(graph, [volumeStepId("mount-volume", firstVolume(fileserver))], ["prepare-state"]);
        assertOrder(graph, ["start-nfsdcld"], ["start-nfsd"]);
        assertOrder(graph, ["prepare-state", "reopen-ledger"], ["open-address"]);
      }),
    );
  });

  test("of any fileserver: nothing opens the address before every other step but the notices and labels has ended", () => {
    fc.assert(
      fc.property(fileservers, (fileserver) => {
        const graph = takeoverGraph(fileserver);
        const later = idsOf(graph, "tickle-connections", "notify-clients", "claim-volume-group");
        const others = graph.map((step) => step.id).filter((id) => id !== "open-address" && !later.includes(id));
        assertOrder(graph, others, ["open-address"]);
        assertOrder(graph, ["open-address"], later);
      }),
    );
  });

  test("of any fileserver: every group gets its label once, when all of it is reserved and active", () => {
    fc.assert(
      fc.property(fileservers, (fileserver) => {
        const graph = takeoverGraph(fileserver);
        const claims = graph.filter((step) => step.kind === "claim-volume-group");
        assert.deepEqual(groupsOf(claims.map(({ args }) => args.volume)), [...new Set(groupsOf(fileserver.volumes))]);
        for (const { id, args } of claims) {
          const group = fileserver.volumes.filter(
            ({ device }) =>
              device.kind === "lv" && args.volume.device.kind === "lv" && device.vg === args.volume.device.vg,
          );
          for (const volume of group)
            assertOrder(graph, [volumeStepId("reserve-luns", volume), volumeStepId("activate-volume", volume)], [id]);
        }
      }),
    );
  });

  test("without NFSv3 nothing is done for it", () => {
    const kinds = takeoverGraph({ ...SAMPLE, protocols: ["v4"] }).map((step) => step.kind);
    for (const kind of ["end-lockd-grace", "notify-clients"] as const) assert.ok(!kinds.includes(kind), kind);
    assert.ok(!warmGraph({ ...SAMPLE, protocols: ["v4"] }).some((step) => step.kind === "start-statd"));
    assert.ok(warmGraph(SAMPLE).some((step) => step.kind === "start-statd"));
  });

  test("a fileserver without a volume is a bug of its maker", () => {
    assert.throws(() => takeoverGraph({ ...SAMPLE, volumes: [] }), AssertionError);
  });
});

describe("the release", () => {
  test("of a sample, of one with several volumes, and when the next node is known", () => {
    matchesGolden("failover/release.txt", readable(releaseGraph(SAMPLE)));
    matchesGolden("failover/release-large.txt", readable(releaseGraph(LARGE)));
    matchesGolden("failover/release-handed-over.txt", readable(releaseGraph(LARGE, "n2")));
  });

  test("of any fileserver: requests are held before anything stops; what is to be remembered is written before it is gone", () => {
    fc.assert(
      fc.property(fileservers, successors, (fileserver, successor) => {
        const graph = releaseGraph(fileserver, successor);
        assertOrder(graph, ["sync-volumes"], ["hold-requests"]);
        assertOrder(graph, ["hold-requests"], ["record-clients", "kill-statd", "stop-nfsd"]);
        assertOrder(graph, ["record-clients"], ["kill-statd", "close-ledger"]);
        assertOrder(graph, ["record-clients", "kill-statd"], ["stop-nfsd"]);
        assertOrder(graph, ["stop-nfsd"], ["stop-daemons", "silence-address"]);
        assertOrder(graph, ["stop-daemons"], idsOf(graph, "unmount-volume"));
      }),
    );
  });

  test("of any fileserver: no LUN is given back before silence, and before every volume is unmounted and inactive; nothing follows", () => {
    fc.assert(
      fc.property(fileservers, successors, (fileserver, successor) => {
        const graph = releaseGraph(fileserver, successor);
        const last = idsOf(graph, "release-luns");
        assert.equal(last.length, fileserver.volumes.length);
        assertOrder(graph, [...idsOf(graph, "unmount-volume", "deactivate-volume"), "silence-address"], last);
        assert.ok(!graph.some((step) => step.after.some((id) => last.includes(id))), "release-luns is last");
      }),
    );
  });

  test("of any fileserver: every group is handed over once, before clients wait and while the reservation is held", () => {
    fc.assert(
      fc.property(fileservers, (fileserver) => {
        const graph = releaseGraph(fileserver, "n2");
        const steps = graph.filter((step) => step.kind === "hand-over-volume-group");
        for (const { args } of steps) assert.equal(args.successorSystemId, "n2");
        assert.deepEqual(groupsOf(steps.map(({ args }) => args.volume)), [...new Set(groupsOf(fileserver.volumes))]);
        assertOrder(graph, idsOf(graph, "hand-over-volume-group"), ["hold-requests", ...idsOf(graph, "release-luns")]);
        assert.deepEqual(idsOf(releaseGraph(fileserver), "hand-over-volume-group"), []);
      }),
    );
  });
});

describe("every graph", () => {
  test("the warm standby, and its end", () => {
    matchesGolden("failover/warm.txt", readable(warmGraph(SAMPLE)));
    matchesGolden("failover/cold.txt", readable(coldGraph(SAMPLE)));
  });

  test("runs to its end in any order that it allows, each step once and with a bound", () => {
    const choices = fc.array(fc.nat(), { maxLength: 60 });
    fc.assert(
      fc.property(fileservers, choices, (fileserver, order) => {
        const behind = (one: FileserverSpec): StepGraph => takeoverGraph(one, true);
        for (const make of [
          takeoverGraph,
          behind,
          (one: FileserverSpec) => releaseGraph(one, "n2"),
          warmGraph,
          coldGraph,
        ]) {
          const graph = make(fileserver);
          assert.ok(runsToTheEnd(graph, order));
          for (const step of graph) assert.equal(step.boundMs, STEP_BOUNDS_MS[step.kind]);
        }
      }),
    );
  });

  test("between them every kind of step is used", () => {
    const makers = [
      (one: FileserverSpec) => [...takeoverGraph(one), ...takeoverGraph(one, true)],
      (one: FileserverSpec) => releaseGraph(one, "n2"),
      warmGraph,
      coldGraph,
    ];
    const used = new Set(makers.flatMap((make) => make(LARGE)).map((step) => step.kind));
    assert.deepEqual([...used].sort(), Object.keys(STEP_BOUNDS_MS).sort());
  });

  test("a cycle, an unknown dependency and a step twice are bugs", () => {
    const sync = fileserverStep("sync-volumes", SAMPLE, ["hold-requests"]);
    const hold = fileserverStep("hold-requests", SAMPLE, ["sync-volumes"]);
    assert.throws(() => checkGraph([sync, hold]), /waits for hold-requests/);
    assert.throws(() => checkGraph([hold]), /does not stand before it/);
    const alone = fileserverStep("sync-volumes", SAMPLE);
    assert.throws(() => checkGraph([alone, alone]), /stands twice/);
  });
});

test("readySteps: what has begun is not ready again; what waits is ready when all it waits for has ended", () => {
  const graph = checkGraph([
    fileserverStep("sync-volumes", SAMPLE),
    fileserverStep("hold-requests", SAMPLE),
    fileserverStep("stop-nfsd", SAMPLE, ["sync-volumes", "hold-requests"]),
  ]);
  const ids = (begun: readonly string[], ended: readonly string[]): readonly string[] =>
    readySteps(graph, new Set(begun), new Set(ended)).map((step) => step.id);
  const both = ["sync-volumes", "hold-requests"];
  assert.deepEqual(ids([], []), both);
  assert.deepEqual(ids(["sync-volumes"], []), ["hold-requests"]);
  assert.deepEqual(ids(both, ["sync-volumes"]), []);
  assert.deepEqual(ids(both, both), ["stop-nfsd"]);
});
