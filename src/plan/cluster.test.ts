import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { matchesGolden } from "../../tests/golden.ts";
import { sampleWith } from "../../tests/sample-spec.ts";
import { known, unknown } from "../base/observed.ts";
import { specHash } from "../model/derive.ts";
import { loadSpec } from "../model/load.ts";
import { unknownNode, type FileserverState, type NodeObservation, type ObservedCluster } from "../model/observed.ts";
import type { Spec } from "../model/spec.ts";
import type { DeviceObservation, SystemObservation, UnitObservation } from "../model/system-observed.ts";
import { planCluster } from "./cluster.ts";
import type { Design } from "./design.ts";
import { makePlan } from "./make-plan.ts";
import type { Action } from "./plan.ts";
import { renderPlan } from "./render.ts";
import { planSystem, systemOf } from "./system.ts";
import { planVolumes } from "./volumes.ts";
import { makeWorld } from "./world.ts";

const DISK = "/dev/disk/by-id/wwn-0x60014050000000000000000000000001";
const PACEMAKER = ["engine: standalone", "engine: pacemaker"] as const;
const DISKS = ["device: home/data, filesystem: xfs }", `device: home/data, filesystem: xfs, disks: ${DISK} }`] as const;
const spec = loadSpec(sampleWith(PACEMAKER, DISKS), "sample");

const design: Design = {
  version: "0.1.0",
  packages: ["lvm2", "corosync", "pacemaker"],
  maskedUnits: ["nfs-server.service", "rpcbind.socket"],
  files: [
    { name: "resource-agent", path: "/usr/lib/ocf/resource.d/holdfast/fileserver", mode: 0o755, text: "#!/bin/sh\n" },
    { name: "agent-unit", path: "/etc/systemd/system/holdfast-agent.service", mode: 0o644, text: "[Unit]\n" },
    { name: "corosync-conf", path: "/etc/corosync/corosync.conf", mode: 0o644, text: "totem {}\n" },
  ],
  pacemaker: {
    foundClusters: new Map(),
    stockNodes: new Set(),
    cib: unknown("the cluster does not run"),
    secrets: [],
    witness: undefined,
  },
  consents: [],
};

const OFF: UnitObservation = { masked: false, enabled: false, active: false };
const ON: UnitObservation = { masked: false, enabled: true, active: true };
const MASKED: UnitObservation = { ...OFF, masked: true };
const EMPTY: DeviceObservation = { signature: "", inUse: false };

const bareSystem: SystemObservation = {
  os: { id: "debian", version: "13" },
  hostname: "",
  packages: new Set(),
  files: new Map(),
  units: new Map(),
  program: { state: "absent" },
  authkeyDigest: undefined,
  systemId: undefined,
  volumeGroups: new Map([["media", { systemId: "", autoActivation: false, logicalVolumes: ["data"] }]]),
  devices: new Map([[DISK, EMPTY]]),
  secrets: new Map(),
  generation: 0,
  clockSynchronised: true,
  clockAheadMs: 3,
  names: new Map([["home.lab.example", ["10.77.0.50"]]]),
  firewall: "none",
  timeScale: 1,
};

function bare(name: string, more: Partial<SystemObservation> = {}): NodeObservation {
  return {
    node: name,
    agent: known({ state: "absent" }),
    spec: known(undefined),
    fileservers: known([]),
    system: known({ ...bareSystem, hostname: name, ...more }),
  };
}

/** As `apply` leaves it. */
function set(
  name: string,
  fileservers: Readonly<Record<string, FileserverState>>,
  more: Partial<SystemObservation> = {},
  by: Spec = spec,
): NodeObservation {
  const generation = specHash(by);
  const group = { systemId: "n1", autoActivation: false, logicalVolumes: ["data"] };
  return {
    ...bare(name, {
      packages: new Set(design.packages),
      files: new Map(design.files.map((file) => [file.path, file.text])),
      units: new Map([
        ...design.maskedUnits.map((unit) => [unit, MASKED] as const),
        ["corosync.service", ON],
        ["pacemaker.service", ON],
      ]),
      program: { state: "present", version: "0.1.0" },
      authkeyDigest: "abc",
      systemId: name,
      volumeGroups: new Map([
        ["home", group],
        ["media", group],
      ]),
      devices: new Map([[DISK, { signature: "LVM2_member", inUse: true }]]),
      generation: 4,
      ...more,
    }),
    agent: known({ state: "running", version: "0.1.0", generation }),
    spec: known({ generation, spec: by }),
    fileservers: known(Object.entries(fileservers).map(([each, state]) => ({ name: each, state }))),
  };
}

const settled: ObservedCluster = {
  nodes: [set("n1", { home: "serving", media: "warm" }), set("n2", { home: "warm", media: "serving" })],
};
const inOrder: Design = {
  ...design,
  pacemaker: {
    ...design.pacemaker!,
    foundClusters: new Map([
      ["n1", "lab"],
      ["n2", "lab"],
    ]),
    cib: known({ ok: true, differences: [] }),
  },
};

function golden(name: string, by: Spec, observed: ObservedCluster, wanted: Design): readonly Action[] {
  const { plan, report } = makePlan(by, observed, wanted);
  matchesGolden(`plan/cluster-${name}.txt`, renderPlan(by.cluster.name, plan, report).join("\n"));
  return plan.actions;
}

describe("the plan of a cluster", () => {
  test("from machines with a base system only", () => {
    const actions = golden("bare", spec, { nodes: [bare("n1"), bare("n2")] }, design);
    const at = (kind: Action["kind"]): readonly number[] =>
      actions.flatMap((action, index) => (action.kind === kind ? [index] : []));
    const before = (first: Action["kind"], second: Action["kind"]): void =>
      assert.ok(Math.max(...at(first)) < Math.min(...at(second)), `${first} before ${second}`);
    before("make-volume", "start-agent");
    before("start-agent", "start-cluster");
    before("share-authkey", "start-cluster");
    before("start-cluster", "write-cib");
    before("write-cib", "settle");
    assert.ok((at("mask-units")[0] ?? 99) < (at("install-packages")[0] ?? 0), "nothing starts by being installed");
  });

  test("of a cluster that is as the spec says is empty", () => {
    assert.deepEqual(golden("nothing-to-do", spec, settled, inOrder), []);
  });

  test("with a second node that lost a file and its key", () => {
    const files = new Map(design.files.slice(1).map((file) => [file.path, file.text]));
    const n2 = set("n2", { home: "warm", media: "serving" }, { files, authkeyDigest: undefined });
    golden("repaired", spec, { nodes: [settled.nodes[0]!, n2] }, inOrder);
  });

  test("with another address: released by the old spec, served by the new one", () => {
    const changed = loadSpec(sampleWith(PACEMAKER, DISKS, ["10.77.0.50/24", "10.77.0.60/24"]), "changed");
    const actions = golden("address-changed", changed, settled, {
      ...inOrder,
      pacemaker: { ...inOrder.pacemaker!, cib: known({ ok: true, differences: ["option x: y"] }) },
    });
    const kinds = actions.map((action) => action.kind);
    assert.ok(kinds.indexOf("release") < kinds.indexOf("write-spec"));
    assert.ok(kinds.lastIndexOf("reload-agent") < kinds.indexOf("takeover"));
  });

  test("without a node that left: out of the ring in good order first, forgotten when the others know", () => {
    const third = ["  ssh: {", "    - { name: n3, addresses: [10.77.0.13, 10.78.0.13] }\n  ssh: {"] as const;
    const before = loadSpec(sampleWith(PACEMAKER, DISKS, third), "before");
    const nodes = [
      set("n1", { home: "serving", media: "warm" }, { files: new Map() }, before),
      set("n2", { home: "warm", media: "warm" }, { files: new Map() }, before),
      set("n3", { home: "warm", media: "serving" }, {}, before),
    ];
    const kinds = golden("node-leaves", spec, { nodes }, inOrder).map((action) => action.kind);
    assert.ok(kinds.indexOf("retire-node") < kinds.indexOf("write-file"));
    assert.ok(kinds.indexOf("reload-corosync") < kinds.indexOf("forget-node"));
  });

  test("without a node that is dead for good, as soon as the cluster knows it is", () => {
    const dead = unknownNode("n3", "ssh: no route");
    const cluster = (unclean: boolean) =>
      known({
        quorum: true,
        nodes: [
          { name: "n1", online: true, unclean: false },
          { name: "n3", online: false, unclean },
        ],
        fileservers: new Map(),
        heldBack: new Set<string>(),
      });
    const nodes = [...settled.nodes, dead];
    const fenced = makePlan(spec, { nodes, cluster: cluster(false) }, inOrder);
    assert.deepEqual(fenced.report.blocked, []);
    assert.deepEqual(
      fenced.plan.actions.map((action) => action.kind),
      ["forget-node"],
    );
    const unclean = makePlan(spec, { nodes, cluster: cluster(true) }, inOrder);
    assert.ok(unclean.report.blocked.some((note) => note.about === "n3"));
  });

  test("waits for nothing that somebody keeps stopped, and says so", () => {
    const nodes = [set("n1", { home: "serving", media: "warm" }), set("n2", { home: "warm", media: "warm" })];
    const cluster = known({ quorum: true, nodes: [], fileservers: new Map(), heldBack: new Set(["media"]) });
    const { plan, report } = makePlan(spec, { nodes, cluster }, inOrder);
    assert.deepEqual(plan.actions, []);
    assert.deepEqual(
      report.notes.map((note) => note.code),
      ["held-back"],
    );
    assert.equal(makePlan(spec, { nodes }, inOrder).plan.actions[0]?.kind, "settle");
  });

  test("its number is one more than any that was seen", () => {
    assert.equal(makePlan(spec, settled, inOrder).plan.number, 5);
    assert.equal(makePlan(spec, { nodes: [bare("n1")] }, design).plan.number, 1);
  });
});

describe("what stands in the way", () => {
  const codes = (nodes: readonly NodeObservation[], by: Design = design): readonly string[] =>
    makePlan(spec, { nodes }, by).report.blocked.map((note) => note.code);
  const nothingDone = (nodes: readonly NodeObservation[], by: Design, ...kinds: readonly Action["kind"][]): void => {
    const { plan } = makePlan(spec, { nodes }, by);
    for (const kind of kinds) assert.ok(!plan.actions.some((action) => action.kind === kind), `no ${kind}`);
  };

  test("another system, another name, an NFS server of its own", () => {
    const other = [bare("n1", { os: { id: "fedora", version: "42" } }), bare("n2", { hostname: "db2" })];
    assert.deepEqual(codes(other), ["os-not-supported", "node-name-differs"]);
    assert.deepEqual(makePlan(spec, { nodes: other }, design).plan.actions, []);
    const serving = bare("n1", { units: new Map([["nfs-server.service", ON]]) });
    assert.deepEqual(codes([serving, bare("n2")]), ["nfs-server-active"]);
  });

  test("another corosync cluster, two keys, a refused configuration", () => {
    const pacemaker = { ...design.pacemaker!, foundClusters: new Map([["n2", "other"]]) };
    const foreign = { ...design, pacemaker };
    assert.deepEqual(codes([bare("n1"), bare("n2")], foreign), ["cluster-differs"]);
    nothingDone([bare("n1"), bare("n2")], foreign, "start-cluster", "share-authkey", "write-cib");
    const keys = [bare("n1", { authkeyDigest: "a" }), bare("n2", { authkeyDigest: "b" })];
    assert.deepEqual(codes(keys), ["authkey-differs"]);
    nothingDone(keys, design, "start-cluster");
    const refused = known({ ok: false as const, refusals: [{ what: "stonith-enabled=false", remedy: "delete it" }] });
    const off = { ...inOrder, pacemaker: { ...inOrder.pacemaker!, cib: refused } };
    assert.deepEqual(codes(settled.nodes, off), ["cib-refused"]);
    nothingDone(settled.nodes, off, "write-cib");
    const silent = { ...inOrder, pacemaker: { ...inOrder.pacemaker!, cib: unknown("timed out") } };
    assert.deepEqual(codes(settled.nodes, silent), ["cib-unknown"]);
  });

  test("secrets that are missing or open to all", () => {
    const secrets = [{ file: "/etc/x", devices: ["fence-ipmilan"] }];
    const wanted = { ...design, pacemaker: { ...design.pacemaker!, secrets } };
    const found = (more: { readonly private: boolean; readonly current: boolean }) =>
      new Map([["/etc/x", { names: ["password"], ...more }]]);
    assert.deepEqual(codes([bare("n1"), bare("n2", { secrets: found({ private: false, current: false }) })], wanted), [
      "secrets-missing",
      "secrets-not-private",
    ]);
    const good = [
      bare("n1", { secrets: found({ private: true, current: false }) }),
      bare("n2", { secrets: found({ private: true, current: true }) }),
    ];
    const puts = makePlan(spec, { nodes: good }, wanted).plan.actions.filter((each) => each.kind === "put-secrets");
    assert.deepEqual(
      puts.map((each) => each.node),
      ["n1"],
    );
  });

  test("one LVM name for two nodes", () => {
    assert.deepEqual(codes([bare("n1", { systemId: "x" }), bare("n2", { systemId: "x" })]), ["system-id-taken"]);
  });

  test("a clock that is off, a name that leads elsewhere, a firewall: told, not in the way", () => {
    const nodes = [
      bare("n1", {
        clockSynchronised: false,
        clockAheadMs: -4_000,
        names: new Map([["home.lab.example", ["10.1.1.1"]]]),
        firewall: "firewalld",
        program: { state: "present", version: "0.2.0" },
      }),
      bare("n2"),
    ];
    const { report } = makePlan(spec, { nodes }, design);
    assert.deepEqual(
      report.notes.map((note) => note.code),
      ["clock-not-synchronised", "clock-differs", "name-not-resolved", "firewall-there", "newer-program"],
    );
    assert.deepEqual(report.blocked, []);
  });
});

describe("a volume", () => {
  const nodesWith = (...devices: readonly (DeviceObservation | undefined)[]) =>
    [devices[0], devices.length > 1 ? devices[1] : devices[0]].map((each, index) =>
      bare(`n${index + 1}`, { devices: new Map(each === undefined ? [] : [[DISK, each]]) }),
    );
  const made = (nodes: readonly NodeObservation[], consents: readonly string[] = []) =>
    makePlan(spec, { nodes }, { ...design, consents }).plan.actions.filter((each) => each.kind === "make-volume");
  const codes = (nodes: readonly NodeObservation[], consents: readonly string[] = []) =>
    makePlan(spec, { nodes }, { ...design, consents }).report.blocked.map((note) => note.code);

  test("is made once, of an empty disk that every node sees", () => {
    assert.equal(made(nodesWith(EMPTY)).length, 1);
    assert.deepEqual(codes(nodesWith(EMPTY, undefined)), ["disk-missing"]);
    assert.deepEqual(made(nodesWith(EMPTY, undefined)), []);
  });

  test("is not made over what a disk carries, unless a consent names it", () => {
    const full = nodesWith({ signature: "ext4", inUse: false });
    assert.deepEqual(codes(full), ["device-signed"]);
    assert.deepEqual(made(full, ["/dev/disk/by-id/wwn-0x2"]), []);
    assert.deepEqual(
      made(full, [DISK]).map((each) => each.overwrites),
      [[DISK]],
    );
    const onOne = nodesWith(EMPTY, { signature: "ext4", inUse: false });
    assert.deepEqual(codes(onOne), ["device-signed"], "one node that sees something is enough");
  });

  test("is never made over what is in use, whatever was consented to", () => {
    const used = nodesWith({ signature: "xfs", inUse: true });
    assert.deepEqual(codes(used, [DISK]), ["device-in-use"]);
    assert.deepEqual(made(used, [DISK]), []);
  });

  test("that is there is not made again, with the consent still in the command", () => {
    const { plan } = makePlan(spec, settled, { ...inOrder, consents: [DISK, "home/data"] });
    assert.deepEqual(plan.actions, []);
  });

  test("on a plain disk is made where the disk is empty, and left where it carries the file system", () => {
    const onDisk = loadSpec(sampleWith(PACEMAKER, ["device: home/data", `device: ${DISK}`]), "disk");
    const actions = (device: DeviceObservation) =>
      makePlan(onDisk, { nodes: nodesWith(device) }, design).plan.actions.filter((each) => each.kind === "make-volume");
    assert.equal(actions(EMPTY).length, 1);
    assert.equal(actions({ signature: "xfs", inUse: false }).length, 0);
    assert.equal(actions({ signature: "ext4", inUse: false }).length, 0);
  });

  test("is missing where nobody may make it, and made in a group that lacks it", () => {
    const without = loadSpec(sampleWith(PACEMAKER), "without disks");
    const blocked = (nodes: readonly NodeObservation[], by: Spec) =>
      makePlan(by, { nodes }, design).report.blocked.map((note) => note.code);
    assert.deepEqual(blocked(nodesWith(EMPTY), without), ["volume-missing"]);
    const empty = new Map([
      ["home", { systemId: "n2", autoActivation: false, logicalVolumes: [] }],
      ["media", { systemId: "n2", autoActivation: true, logicalVolumes: ["data"] }],
    ]);
    const nodes = ["n1", "n2"].map((name) => bare(name, { volumeGroups: empty, systemId: name }));
    assert.deepEqual(blocked(nodes, without), ["volume-missing"]);
    assert.deepEqual(
      made(nodes).map((each) => [each.node, each.disks]),
      [["n2", []]],
    );
    const { report } = makePlan(spec, { nodes }, design);
    assert.deepEqual(
      report.notes.map((note) => note.code),
      ["auto-activation"],
    );
  });
});

describe("whatever was observed of devices", () => {
  const device = fc.record({
    signature: fc.constantFrom("", "xfs", "ext4", "LVM2_member", undefined),
    inUse: fc.boolean(),
  });
  const node = (name: string) =>
    fc
      .option(device, { nil: undefined })
      .map((each) => bare(name, { devices: new Map(each === undefined ? [] : [[DISK, each]]) }));

  test("nothing that may carry data is formatted without its consent", () => {
    fc.assert(
      fc.property(node("n1"), node("n2"), fc.boolean(), (n1, n2, consented) => {
        const nodes = [n1, n2];
        const { plan } = makePlan(spec, { nodes }, { ...design, consents: consented ? [DISK] : [] });
        if (!plan.actions.some((action) => action.kind === "make-volume")) return;
        for (const each of nodes) {
          const view = each.system?.known === true ? each.system.value.devices.get(DISK) : undefined;
          assert.ok(view !== undefined && !view.inUse);
          assert.ok(view.signature === "" || consented);
        }
      }),
    );
  });
});

test("a node whose system is not known is left alone by every part", () => {
  const observed = { nodes: [{ ...bare("n1"), system: unknown("ssh: no route") }, bare("n2")] };
  const world = makeWorld(spec, observed);
  assert.equal(systemOf(world, observed.nodes[0]!), undefined);
  assert.ok(planSystem(world, design).prepare.every((action) => action.node === "n2"));
  assert.deepEqual(
    planVolumes(world, design).actions.map((action) => action.node),
    ["n2"],
  );
  assert.ok(planCluster(world, design, []).start.every((action) => action.node === "n2"));
});
