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
