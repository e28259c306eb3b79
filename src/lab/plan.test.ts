import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../base/fault.ts";
import { matchesGolden } from "../../tests/golden.ts";
import { checkLabName, hostsFile, NODES_MAX, planMachines } from "./plan.ts";

test("the plan of a lab with everything", () => {
  const lines = planMachines({ nodes: 3, clients: 2, directors: 2 }).map((machine) => {
    const interfaces = machine.interfaces.map(
      ({ network, device, mac, addresses }) => `${network}/${device} ${mac} ${addresses.join(",")}`,
    );
    return [`${machine.name} ${machine.role} ${machine.memoryMiB} MiB`, ...interfaces, ...machine.luns].join("\n    ");
  });
  matchesGolden("lab/plan.txt", lines.join("\n"));
});

test("addresses and hardware addresses are each machine's own", () => {
  const all = planMachines({ nodes: 8, clients: 8, directors: 4 }).flatMap(({ managementMac, interfaces }) => [
    managementMac,
    ...interfaces.flatMap(({ mac, addresses }) => [mac, ...addresses]),
  ]);
  assert.equal(new Set(all).size, all.length);
});

test("a shape without room in the address plan is refused before anything is made", () => {
  for (const shape of [
    { nodes: 0, clients: 1, directors: 0 },
    { nodes: NODES_MAX + 1, clients: 1, directors: 0 },
    { nodes: 2, clients: 1.5, directors: 0 },
    { nodes: 2, clients: 1, directors: -1 },
    { nodes: Number.NaN, clients: 1, directors: 0 },
  ]) {
    assert.throws(
      () => planMachines(shape),
      (error) => error instanceof Fault && error.kind === "invalid" && error.code === "lab-shape-invalid",
    );
  }
});

test("every machine and fileserver has its names in /etc/hosts", () => {
  const hosts = hostsFile();
  matchesGolden("lab/hosts.txt", hosts);
  assert.match(hosts, /^10\.77\.0\.11 n1 n1\.lab\.example$/m);
  assert.match(hosts, /^10\.77\.0\.50 home\.lab\.example home$/m);
});

test("lab names that cannot be folders are refused", () => {
  assert.equal(checkLabName("lab-2"), "lab-2");
  for (const name of ["", "../x", "Lab", "a".repeat(32), "2lab", "a b", "a/b"]) {
    assert.throws(
      () => checkLabName(name),
      (error) => error instanceof Fault && error.code === "lab-name-invalid",
    );
  }
});
