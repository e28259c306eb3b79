/** Directors in a plan: machines that were looked at, secrets, and fileservers that get or lose one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { known, unknown } from "../base/observed.ts";
import { specHash } from "../model/derive.ts";
import { loadSpec } from "../model/load.ts";
import type { DirectorObservation, NodeObservation, ObservedCluster } from "../model/observed.ts";
import type { Spec } from "../model/spec.ts";
import type { SystemObservation } from "../model/system-observed.ts";
import type { Design, DesignedDirector } from "./design.ts";
import { DIRECTOR_STAMP_PATH } from "./directors.ts";
import { makePlan } from "./make-plan.ts";
import type { Action } from "./plan.ts";
import { renderPlan } from "./render.ts";

const SECRET = "/etc/holdfast/director.secret";
const plain = loadSpec(SAMPLE_SPEC, "sample");
const behind = loadSpec(
  `${SAMPLE_SPEC}directors:
  - name: lb
    machines: [{ name: d1, address: 10.77.0.31 }, { name: d2, address: 10.77.0.32 }]
    services: [{ fileserver: home }]
`,
  "behind",
);

function designed(machine: string): DesignedDirector {
  const [own, vrrp] = ["holdfast-director.service", "keepalived.service"] as const;
  return {
    director: "lb",
    machine,
    packages: ["ipvsadm", "keepalived"],
    files: [
      { path: `/etc/systemd/system/${own}`, mode: 0o644, text: "[Unit]\n", unit: own },
      { path: "/etc/keepalived/keepalived.conf", mode: 0o644, text: `of ${machine}\n`, unit: vrrp },
    ],
    units: [own, vrrp],
    secret: SECRET,
  };
}

function designFor(spec: Spec): Design {
  return {
    version: "0.1.0",
    packages: ["lvm2"],
    maskedUnits: [],
    files: [],
    pacemaker: undefined,
    directors: spec.directors.length === 0 ? [] : [designed("d1"), designed("d2")],
    consents: [],
  };
}

function systemWith(hostname: string, more: Partial<SystemObservation> = {}): SystemObservation {
  return {
    os: { id: "debian", version: "13" },
    hostname,
    packages: new Set(["lvm2"]),
    files: new Map(),
    units: new Map(),
    program: { state: "present", version: "0.1.0" },
    authkeyDigest: undefined,
    systemId: hostname,
    volumeGroups: new Map(
      ["home", "media"].map((name) => [name, { systemId: "n1", autoActivation: false, logicalVolumes: ["data"] }]),
    ),
    devices: new Map(["home/data", "media/data"].map((name) => [name, { signature: "xfs", inUse: false }])),
    secrets: new Map(),
    sharedSecrets: new Map([[SECRET, { digest: "a", private: true }]]),
    generation: 0,
    clockSynchronised: true,
    clockAheadMs: 0,
    names: new Map(),
    firewall: "none",
    timeScale: 1,
    ...more,
  };
}

function node(name: string, by: Spec, serving: boolean, more: Partial<SystemObservation> = {}): NodeObservation {
  const generation = specHash(by);
  return {
    node: name,
    agent: known({ state: "running", version: "0.1.0", generation }),
    spec: known({ generation, spec: by }),
    fileservers: known(["home", "media"].map((each) => ({ name: each, state: serving ? "serving" : "warm" }))),
    system: known(systemWith(name, more)),
  };
}

const ON = { masked: false, enabled: true, active: true };

/** As `apply` leaves it; the stamp is the one that the plan itself gives. */
function director(machine: string, by: Spec, more: Partial<SystemObservation> = {}): DirectorObservation {
  const design = designed(machine);
  const bare = observe(by, { directors: [bareDirector(machine)] });
  const start = makePlan(by, bare, designFor(by)).plan.actions.find(
    (action) => action.kind === "start-director" && action.node === machine,
  );
  assert.ok(start?.kind === "start-director");
  const files = [
    ...design.files.map(({ path, text }) => [path, text] as const),
    [DIRECTOR_STAMP_PATH, start.stamp] as const,
  ];
  const system = systemWith(machine, {
    packages: new Set(design.packages),
    files: new Map(files),
    units: new Map(design.units.map((unit) => [unit, ON])),
    ...more,
  });
  return { machine, system: known(system), generation: specHash(by) };
}

function bareDirector(machine: string): DirectorObservation {
  const bare = { packages: new Set<string>(), program: { state: "absent" as const }, sharedSecrets: new Map() };
  return { machine, system: known(systemWith(machine, bare)), generation: undefined };
}

function observe(by: Spec, more: Partial<ObservedCluster> = {}): ObservedCluster {
  return { nodes: [node("n1", by, true), node("n2", by, false)], ...more };
}

const kinds = (actions: readonly Action[]): readonly string[] => actions.map(({ kind, node: at }) => `${at} ${kind}`);

describe("a plan with directors", () => {
  test("for a fileserver that gets one: they are ready before its clients wait, and begin when it is released", () => {
    const none = { sharedSecrets: new Map() };
    const observed = {
      nodes: [node("n1", plain, true, none), node("n2", plain, false, none)],
      directors: [bareDirector("d1"), bareDirector("d2")],
    };
    const { plan, report } = makePlan(behind, observed, designFor(behind));
    matchesGolden("plan/directors-new.txt", renderPlan("lab", plan, report).join("\n"));
    const order = kinds(plan.actions);
    const at = (what: string): number => order.indexOf(what);
    assert.ok(at("n1 share-director-secret") < at("n1 release") && at("d2 write-director-files") < at("n1 release"));
    assert.ok(at("n1 release") < at("d1 start-director") && at("d2 start-director") < at("n1 takeover"));
    const home = report.effects.find(({ fileserver }) => fileserver === "home");
    assert.deepEqual([home?.feel, home?.changes], ["pause", ["director"]]);
    assert.equal(report.effects.find(({ fileserver }) => fileserver === "media")?.feel, "nothing");
  });

  test("that are as the spec says is empty", () => {
    const { plan, report } = makePlan(
      behind,
      observe(behind, { directors: ["d1", "d2"].map((one) => director(one, behind)) }),
      designFor(behind),
    );
    assert.deepEqual([plan.actions, report.blocked, report.notes], [[], [], []]);
  });

  test("is empty too where a time scale was asked for once and is not now", () => {
    const env = { path: "/etc/holdfast/director.env", mode: 0o600, text: "HOLDFAST_TIME_SCALE=10\n" };
    const scaled = (machine: string): DesignedDirector => {
      const { files, ...rest } = designed(machine);
      const [unit, ...more] = files;
      assert.ok(unit !== undefined);
      return { ...rest, files: [unit, { ...env, unit: unit.unit }, ...more] };
    };
    const asked = { ...designFor(behind), directors: [scaled("d1"), scaled("d2")] };
    const bare = observe(behind, { directors: [bareDirector("d1"), bareDirector("d2")] });
    const stamps = makePlan(behind, bare, asked).plan.actions.flatMap((action) =>
      action.kind === "start-director" ? [[action.node, action.stamp] as const] : [],
    );
    const directors = stamps.map(([machine, stamp]) => {
      const found = director(machine, behind);
      assert.ok(found.system.known);
      const files = new Map(found.system.value.files).set(env.path, env.text).set(DIRECTOR_STAMP_PATH, stamp);
      return director(machine, behind, { files });
    });
    assert.equal(directors.length, 2);
    for (const design of [asked, designFor(behind)])
      assert.deepEqual(makePlan(behind, observe(behind, { directors }), design).plan.actions, []);
  });

  test("begins anew what did not come to be by an apply that was killed: the stamp is not the one", () => {
    const d1 = director("d1", behind);
    assert.ok(d1.system.known);
    const files = new Map(d1.system.value.files).set(DIRECTOR_STAMP_PATH, "of another time\n");
    const directors = [director("d1", behind, { files }), director("d2", behind)];
    const { plan, report } = makePlan(behind, observe(behind, { directors }), designFor(behind));
    assert.deepEqual(kinds(plan.actions), ["d1 start-director"]);
    assert.deepEqual(
      report.notes.map(({ code, about }) => [code, about]),
      [["director-restarts", "d1"]],
    );
  });

  test("with another spec only Holdfast's own unit begins anew, and no client notices", () => {
    const changed = loadSpec(
      `${SAMPLE_SPEC.replace("prefer: n1", "prefer: n2")}directors:\n  - name: lb\n    machines: [{ name: d1, address: 10.77.0.31 }, { name: d2, address: 10.77.0.32 }]\n    services: [{ fileserver: home }]\n`,
      "changed",
    );
    const directors = ["d1", "d2"].map((one) => director(one, behind));
    const { plan, report } = makePlan(changed, observe(behind, { directors }), designFor(changed));
    const starts = plan.actions.flatMap((action) => (action.kind === "start-director" ? [action.restart] : []));
    assert.deepEqual(starts, [["holdfast-director.service"], ["holdfast-director.service"]]);
    assert.deepEqual(
      report.notes.filter(({ code }) => code === "director-restarts"),
      [],
    );
    assert.deepEqual(
      report.effects.map(({ feel }) => feel),
      ["nothing", "nothing"],
    );
  });

  test("copies the secret to whoever lacks it or shows it around, and does not choose between two", () => {
    const open = new Map([[SECRET, { digest: "a", private: false }]]);
    const directors = [
      director("d1", behind, { sharedSecrets: open }),
      director("d2", behind, { sharedSecrets: new Map() }),
    ];
    const { plan } = makePlan(behind, observe(behind, { directors }), designFor(behind));
    const share = plan.actions.find(({ kind }) => kind === "share-director-secret");
    assert.ok(share?.kind === "share-director-secret");
    assert.deepEqual([share.from, share.to], ["n1", ["d1", "d2"]]);
    assert.deepEqual(kinds(plan.actions), ["d1 share-director-secret", "d1 start-director", "d2 start-director"]);
    const other = new Map([[SECRET, { digest: "b", private: true }]]);
    const two = [director("d1", behind, { sharedSecrets: other }), director("d2", behind)];
    const { report } = makePlan(behind, observe(behind, { directors: two }), designFor(behind));
    assert.deepEqual(
      report.blocked.map(({ code }) => code),
      ["director-secret-differs"],
    );
  });

  test("does nothing to a machine that is not known, and says so; nor to one that is to be a director no more", () => {
    const directors = [{ machine: "d1", system: unknown("no route"), generation: undefined }, director("d2", behind)];
    const { plan, report } = makePlan(behind, observe(behind, { directors }), designFor(behind));
    assert.deepEqual(plan.actions, []);
    assert.deepEqual(
      report.blocked.map(({ code, about }) => [code, about]),
      [["director-unknown", "d1"]],
    );
    const without = makePlan(plain, observe(behind), designFor(plain)).report;
    assert.deepEqual(
      without.blocked.map(({ code, about }) => [code, about]),
      [
        ["director-left", "d1"],
        ["director-left", "d2"],
      ],
    );
    assert.deepEqual(
      without.effects.map(({ fileserver, feel }) => [fileserver, feel]),
      [
        ["home", "pause"],
        ["media", "nothing"],
      ],
    );
  });

  test("its number is newer than what directors have, too", () => {
    const directors = [director("d1", behind, { generation: 7 }), director("d2", behind)];
    assert.equal(makePlan(behind, observe(behind, { directors }), designFor(behind)).plan.number, 8);
  });
});
