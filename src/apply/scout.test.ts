import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { combineScouts, readScout, SCOUT_SCRIPT, type Scout } from "./scout.ts";

const WWN1 = "/dev/disk/by-id/wwn-0x60014051";
const WWN2 = "/dev/disk/by-id/wwn-0x60014052";

function answer(name: string, number: number, second = "yes"): string {
  return [
    `hostname\t${name}`,
    "link\teth0 10.0.2.15/24",
    `link\teth1 10.77.0.${number}/24`,
    `link\teth2 10.78.0.${number}/24`,
    `link\teth3 10.79.0.${number}/24`,
    `disk\t${WWN1} 2048 yes /dev/sda`,
    `disk\t${WWN2} 4096 ${second} /dev/sdb`,
    "disk\t/dev/disk/by-id/scsi-360014051 2048 yes /dev/sda",
    "disk\t/dev/disk/by-id/virtio-root 9999 no /dev/vda",
    "end\tend",
    "",
  ].join("\n");
}

const scout = (name: string, number: number, second?: string): Scout => {
  const read = readScout(answer(name, number, second));
  assert.ok(read !== undefined);
  return read;
};

describe("machines tell of themselves", () => {
  test("name, networks and disks, each disk once", () => {
    const n1 = scout("n1", 11);
    assert.equal(n1.hostname, "n1");
    assert.deepEqual(n1.links[1], { interface: "eth1", cidr: "10.77.0.11/24" });
    assert.deepEqual(n1.disks[0], { path: WWN1, sizeBytes: 1_048_576, empty: true });
    assert.equal(n1.disks.length, 3);
    assert.equal(readScout("hostname\tn1\n"), undefined);
  });

  test("nodes are linked by networks that all of them are in, each with its own address, two at most", () => {
    const { nodes, links } = combineScouts([scout("n1", 11), scout("n2", 12)]);
    assert.deepEqual(nodes, [
      { name: "n1", addresses: ["10.77.0.11", "10.78.0.11"] },
      { name: "n2", addresses: ["10.77.0.12", "10.78.0.12"] },
    ]);
    assert.equal(links[1]?.interface, "eth1");
  });

  test("a disk is offered only where every machine finds nothing on it", () => {
    assert.deepEqual(combineScouts([scout("n1", 11), scout("n2", 12)]).emptyDisks, [WWN2, WWN1]);
    assert.deepEqual(combineScouts([scout("n1", 11), scout("n2", 12, "no")]).emptyDisks, [WWN1]);
    assert.deepEqual(combineScouts([]).emptyDisks, []);
  });

  test("by a script that every POSIX shell takes, and that changes nothing", () => {
    const result = spawnSync("sh", ["-s"], { input: SCOUT_SCRIPT, encoding: "utf8" });
    assert.equal(result.status, 0);
    assert.ok(readScout(result.stdout) !== undefined);
    assert.doesNotMatch(SCOUT_SCRIPT, /\b(?:rm|mv|mkfs|wipefs|systemctl)\b/);
  });
});
