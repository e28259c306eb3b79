import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { commandLine } from "../system/commands.ts";
import { matchesGolden } from "../../tests/golden.ts";
import { expectCommands, recorded, type ExpectedCommand } from "../../tests/expected-commands.ts";
import {
  activate,
  activateVolume,
  claim,
  deactivateVolume,
  deactivation,
  hasVolume,
  mapperName,
  parseVolumeGroup,
  readSystemId,
  readVolumeGroup,
  type VolumeGroup,
} from "./volume-group.ts";

const HOME: VolumeGroup = {
  name: "home",
  systemId: "n1",
  logicalVolumes: [{ name: "data", segmentTypes: ["linear"] }],
  disks: ["/dev/sda"],
};
const THIN: VolumeGroup = { ...HOME, logicalVolumes: [{ name: "data", segmentTypes: ["thin"] }] };
const PVS = "pvs --foreign --nohints --reportformat json -o pv_name,vg_systemid --select vg_name=home";
const LVS = "lvs --foreign --nohints --reportformat json -o lv_name,segtype --select vg_name=home";

function hasCode(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

function pvs(...rows: readonly (readonly [name: string, systemId: string])[]): string {
  return JSON.stringify({ report: [{ pv: rows.map(([pv_name, vg_systemid]) => ({ pv_name, vg_systemid })) }] });
}

describe("reading a volume group", () => {
  test("its owner, volumes and disks", async () => {
    assert.deepEqual(parseVolumeGroup("home", recorded("lvm/pvs-home.txt"), recorded("lvm/lvs-home.txt")), HOME);
    const commands = expectCommands(
      { run: PVS, stdout: recorded("lvm/pvs-home.txt") },
      { run: LVS, stdout: recorded("lvm/lvs-home.txt") },
    );
    assert.deepEqual(await readVolumeGroup(commands, "home"), HOME);
    commands.assertAllRan();
  });

  test("a group without owner, on several disks", () => {
    const group = parseVolumeGroup("v", pvs(["/dev/sda", ""], ["/dev/sdb", ""]), recorded("lvm/lvs-none.txt"));
    assert.deepEqual(group, { name: "v", systemId: "", logicalVolumes: [], disks: ["/dev/sda", "/dev/sdb"] });
  });

  test("a volume of several segments is one volume", () => {
    const lvs = JSON.stringify({
      report: [{ lv: ["linear", "striped"].map((segtype) => ({ lv_name: "data", segtype })) }],
    });
    const group = parseVolumeGroup("home", recorded("lvm/pvs-home.txt"), lvs);
    assert.deepEqual(group?.logicalVolumes, [{ name: "data", segmentTypes: ["linear", "striped"] }]);
  });

  test("a group that is not there: LVM says so with an empty report", async () => {
    assert.equal(parseVolumeGroup("none", recorded("lvm/pvs-none.txt"), recorded("lvm/lvs-none.txt")), undefined);
    const commands = expectCommands(
      { run: PVS, stdout: recorded("lvm/pvs-none.txt") },
      { run: LVS, stdout: recorded("lvm/lvs-none.txt") },
    );
    await assert.rejects(readVolumeGroup(commands, "home"), hasCode("volume-group-missing"));
  });

  test("LVM that fails is an error, not a group that is missing", async () => {
    const commands = expectCommands(
      { run: PVS, status: 5, stderr: "Failed to find devices." },
      { run: LVS, stdout: recorded("lvm/lvs-none.txt") },
    );
    await assert.rejects(readVolumeGroup(commands, "home"), hasCode("command-failed"));
  });

  test("a disk of the group is gone: refused", async () => {
    const commands = expectCommands(
      { run: PVS, stdout: pvs(["/dev/sda", "n1"], ["[unknown]", "n1"]) },
      { run: LVS, stdout: recorded("lvm/lvs-home.txt") },
    );
    await assert.rejects(readVolumeGroup(commands, "home"), hasCode("volume-group-incomplete"));
  });
});

test("the commands, word for word", () => {
  const commands = {
    "activate here": activate(HOME, "data", "n1"),
    "activate what carries another's name": activate(HOME, "data", "n2"),
    claim: claim(HOME, "n2"),
    "deactivate a plain volume": deactivation(HOME, "data"),
    "deactivate another": deactivation(THIN, "data"),
  };
  const lines = Object.entries(commands).map(([name, command]) => `${name}: ${commandLine(command)}`);
  matchesGolden("lvm/commands.txt", lines.join("\n"));
});

describe("activation", () => {
  test("one command, whoever's name the group carries", async () => {
    for (const systemId of ["n1", "n2"]) {
      const commands = expectCommands({ run: activate(HOME, "data", systemId) });
      await activateVolume(commands, HOME, "data", systemId);
      commands.assertAllRan();
    }
  });

  test("a volume that the group does not have: nothing is run", async () => {
    await assert.rejects(activateVolume(expectCommands(), HOME, "other", "n2"), hasCode("logical-volume-missing"));
    assert.ok(hasVolume(HOME, "data") && !hasVolume(HOME, "other"));
  });

  test("a failure says what LVM said", async () => {
    const commands = expectCommands({ run: activate(HOME, "data", "n1"), status: 5, stderr: "Reservation conflict" });
    await assert.rejects(activateVolume(commands, HOME, "data", "n1"), /Reservation conflict/);
  });
});

describe("deactivation", () => {
  const busy: ExpectedCommand = { run: deactivation(HOME, "data"), status: 1, stderr: "Device or resource busy" };

  test("a plain volume at device mapper; whatever has volumes below it by LVM", () => {
    assert.equal(deactivation(HOME, "data").tool, "dmsetup");
    for (const segmentTypes of [["thin"], ["linear", "cache"], ["raid1"]])
      assert.equal(
        deactivation({ ...HOME, logicalVolumes: [{ name: "data", segmentTypes }] }, "data").tool,
        "lvchange",
      );
    assert.equal(deactivation(HOME, "unknown").tool, "lvchange");
  });

  test("asked again while something still has it open", async () => {
    const commands = expectCommands(busy, busy, { run: deactivation(HOME, "data") });
    await deactivateVolume(commands, HOME, "data");
    commands.assertAllRan();
  });

  test("in use for good: an error, after a bounded number of attempts", async () => {
    const commands = expectCommands(...Array.from({ length: 10 }, () => busy));
    await assert.rejects(deactivateVolume(commands, HOME, "data"), /busy/);
    commands.assertAllRan();
  });

  test("disks that are not known: all are scanned", () => {
    assert.ok(!deactivation({ ...THIN, disks: [] }, "data").args.includes("--devices"));
  });
});

describe("this machine's system ID", () => {
  test("as LVM says it", async () => {
    const commands = expectCommands({ run: "lvm systemid", stdout: recorded("lvm/systemid.txt") });
    assert.equal(await readSystemId(commands), "n1");
  });

  test("a machine without one is refused: its groups would be everybody's", async () => {
    for (const stdout of ["  system ID: \n", ""])
      await assert.rejects(readSystemId(expectCommands({ run: "lvm systemid", stdout })), hasCode("system-id-missing"));
  });
});

test("device mapper's names double the hyphens of each part", () => {
  assert.equal(mapperName("home", "data"), "home-data");
  assert.equal(mapperName("a-b", "c-d-e"), "a--b-c--d--e");
});
