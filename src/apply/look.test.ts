import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import { questionsFor } from "./design.ts";
import { lookScript, readLook } from "./look.ts";

const spec = loadSpec(
  sampleWith(
    ["engine: standalone", "engine: pacemaker"],
    [
      "  ssh: { config: ssh_config }\n",
      "  fencing: [{ agent: ipmilan, nodes: { n1: { ip: a }, n2: { ip: b } }, secrets: /etc/holdfast/ipmi.secret }]\n",
    ],
    ["device: home/data, filesystem: xfs }", "device: home/data, filesystem: xfs, disks: /dev/disk/by-id/wwn-0x1 }"],
  ),
  "sample",
);

const base64 = (text: string): string => Buffer.from(text).toString("base64");

const ANSWER = `clock\t5000
hostname\tn1
os\tdebian 13
synchronised\tyes
generation\t7
time-scale\t10
package\tlvm2 installed
package\tcorosync not-installed
file /etc/holdfast/holdfast.yaml\t${base64("apiVersion: x\n")}
unit\tId=rpcbind.service
unit\tLoadState=masked
unit\tUnitFileState=masked
unit\tActiveState=inactive
unit\t
unit\tId=corosync.service
unit\tLoadState=loaded
unit\tUnitFileState=enabled
unit\tActiveState=active
authkey\tabc
program\t0.1.0
system-id\tn1
vg home\t  n1 enabled
lv home\tdata 
lv home\tfresh holdfast_unformatted
device /dev/disk/by-id/wwn-0x1\tyes LVM2_member+
device /dev/disk/by-id/wwn-0x2\tno none+
device /dev/disk/by-id/wwn-0x3\tno unknown+
device /dev/disk/by-id/wwn-0x4\tno xfs+gpt+
secrets /etc/x\t600 0
secret /etc/x\tpassword
secrets /etc/y\t640 0
stale /etc/y\tpassword
name home.lab.example\t10.77.0.50 fd77::50
name media.lab.example\t
firewall\tfirewalld
scope\thome
scope\t_host
cib\t${base64("<cib/>")}
end\tend
`;

describe("a look at a node", () => {
  const look = readLook("n1", ANSWER, [4_000, 6_000]);
  const { system } = look;

  test("tells packages, files, units and the program", () => {
    assert.deepEqual([...system.packages], ["lvm2"]);
    assert.equal(system.files.get("/etc/holdfast/holdfast.yaml"), "apiVersion: x\n");
    assert.deepEqual(system.units.get("rpcbind.service"), { masked: true, enabled: false, active: false });
    assert.deepEqual(system.units.get("corosync.service"), { masked: false, enabled: true, active: true });
    assert.deepEqual(system.program, { state: "present", version: "0.1.0" });
    assert.deepEqual([system.generation, system.timeScale, system.authkeyDigest], [7, 10, "abc"]);
    assert.deepEqual(system.os, { id: "debian", version: "13" });
  });

  test("tells volume groups, and what each device carries: something, nothing, or not known", () => {
    assert.deepEqual(system.volumeGroups.get("home"), {
      systemId: "n1",
      autoActivation: true,
      logicalVolumes: ["data", "fresh"],
    });
    const signature = (device: string) => system.devices.get(device)?.signature;
    assert.equal(signature("/dev/disk/by-id/wwn-0x1"), "LVM2_member");
    assert.equal(system.devices.get("/dev/disk/by-id/wwn-0x1")?.inUse, true);
    assert.equal(signature("/dev/disk/by-id/wwn-0x2"), "");
    assert.equal(signature("/dev/disk/by-id/wwn-0x3"), undefined);
    assert.equal(signature("/dev/disk/by-id/wwn-0x4"), "xfs and gpt");
    assert.equal(signature("home/fresh"), "");
  });

  test("tells names of secrets, and whether others could read them", () => {
    assert.deepEqual(system.secrets.get("/etc/x"), { names: ["password"], private: true, current: true });
    assert.deepEqual(system.secrets.get("/etc/y"), { names: [], private: false, current: false });
  });

  test("tells names, the clock, the firewall and what runs", () => {
    assert.deepEqual(system.names.get("home.lab.example"), ["10.77.0.50", "fd77::50"]);
    assert.deepEqual(system.names.get("media.lab.example"), []);
    assert.equal(system.clockAheadMs, 0);
    assert.equal(readLook("n1", ANSWER, [1_000, 2_000]).system.clockAheadMs, 3_000);
    assert.equal(readLook("n1", ANSWER, [8_000, 9_000]).system.clockAheadMs, -3_000);
    assert.equal(system.firewall, "firewalld");
    assert.deepEqual(look.scopes, ["home"]);
    assert.equal(look.cib, "<cib/>");
    assert.equal(look.clusterState, undefined);
  });

  test("that was cut short is no look", () => {
    assert.throws(() => readLook("n1", ANSWER.replace("end\tend\n", ""), [0, 0]), { code: "look-cut-short" });
  });

  test("is asked for by a script that every POSIX shell takes, and that holds no secret's value", () => {
    const script = lookScript(questionsFor(spec));
    assert.equal(spawnSync("sh", ["-n"], { input: script }).status, 0);
    assert.match(script, /wwn-0x1/);
    assert.match(script, /ipmi\.secret/);
    const answer = spawnSync("sh", ["-s"], { input: script, encoding: "utf8" });
    assert.equal(readLook("here", answer.stdout, [0, 0]).scopes.length, 0);
  });
});
