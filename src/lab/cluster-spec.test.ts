import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { loadSpec } from "../model/load.ts";
import { holdfastSpec, prepareVolumesScript } from "./cluster-spec.ts";
import { planMachines } from "./plan.ts";

test("the lab's spec is valid, and says what the lab is", () => {
  const nodes = planMachines({ nodes: 3, clients: 1, directors: 0 }).filter(({ role }) => role === "node");
  const text = holdfastSpec("lab", nodes, "/home/some one/.holdfast-lab/lab/ssh_config", "pacemaker");
  matchesGolden("lab/holdfast.yaml", text);
  const spec = loadSpec(text, "holdfast.yaml");
  assert.deepEqual(
    spec.cluster.nodes.map((node) => [node.name, ...node.addresses]),
    [
      ["n1", "10.77.0.11", "10.78.0.11"],
      ["n2", "10.77.0.12", "10.78.0.12"],
      ["n3", "10.77.0.13", "10.78.0.13"],
    ],
  );
  assert.equal(spec.cluster.ssh.config, "/home/some one/.holdfast-lab/lab/ssh_config");
  assert.deepEqual(
    spec.fileservers.map((fileserver) => fileserver.name),
    ["home", "media", "projects", "scratch"],
  );
});

test("volumes are made only where there is none", () => {
  const script = prepareVolumesScript(2);
  assert.match(script, /vgs --foreign .* \|\| return 0\n[^]*vgcreate/);
  assert.match(script, /^prepare home 0\nprepare media 1$/m);
});

test("with directors the first fileserver is behind them, and the others are as ever", () => {
  const machines = planMachines({ nodes: 2, clients: 1, directors: 2 });
  const of = (role: string) => machines.filter((machine) => machine.role === role);
  const spec = loadSpec(holdfastSpec("lab", of("node"), "/lab", "standalone", undefined, of("director")), "lab");
  assert.deepEqual(
    spec.directors.map(({ machines: all, services }) => [
      all.map(({ name, address }) => `${name} ${address}`),
      services.map(({ fileserver }) => fileserver),
    ]),
    [[["d1 10.77.0.31", "d2 10.77.0.32"], ["home"]]],
  );
});
