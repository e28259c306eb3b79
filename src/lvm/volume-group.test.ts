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
  REPORT,
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

function hasCode(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

interface Made {
  readonly name?: string;
  readonly systemId?: string;
  readonly disks?: readonly string[];
  readonly segments?: readonly (readonly [lv: string, type: string])[];
}

/** A report on groups that no lab has. */
function report(...groups: readonly Made[]): string {
  const parts = groups.map(({ name = "home", systemId = "n1", disks = ["/dev/sda"], segments = [] }) => ({
    vg: [{ vg_name: name, vg_systemid: systemId }],
    pv: disks.map((pv_name) => ({ pv_name })),
    seg: segments.map(([lv_name, segtype]) => ({ lv_name, segtype })),
  }));
  return JSON.stringify({ report: parts });
}

const reported = (stdout: string): ExpectedCommand => ({ run: REPORT, stdout });

describe("reading a volume group", () => {
  test("its owner, volumes and disks, among others", async () => {
    const commands = expectCommands(reported(recorded("lvm/fullreport.txt")));
    assert.deepEqual(await readVolumeGroup(commands, "home"), HOME);
    commands.assertAllRan();
    assert.equal(parseVolumeGroup("media", recorded("lvm/fullreport.txt"))?.disks[0], "/dev/sdb");
  });

  test("a group without owner and volumes, on several disks", () => {
    const disks = ["/dev/sda", "/dev/sdb"];
    const group = parseVolumeGroup("v", report({ name: "v", systemId: "", disks }));
    assert.deepEqual(group, { name: "v", systemId: "", logicalVolumes: [], disks });
  });

  test("a volume of several segments is one volume", () => {
    const segments = [
      ["data", "linear"],
      ["data", "striped"],
    ] as const;
    const group = parseVolumeGroup("home", report({ segments }));
    assert.deepEqual(group?.logicalVolumes, [{ name: "data", segmentTypes: ["linear", "striped"] }]);
  });

  test("a group that is not in the report is missing", async () => {
    assert.equal(parseVolumeGroup("none", recorded("lvm/fullreport.txt")), undefined);
    await assert.rejects(readVolumeGroup(expectCommands(reported(report())), "home"), hasCode("volume-group-missing"));
  });

  test("LVM that fails is an error, not a group that is missing", async () => {
    const commands = expectCommands({ run: REPORT, status: 5, stderr: "Failed to find devices." });
    await assert.rejects(readVolumeGroup(commands, "home"), hasCode("command-failed"));
  });

  test("a disk of the group is gone: refused", async () => {
    const commands = expectCommands(reported(report({ disks: ["/dev/sda", "[unknown]"] })));
    await assert.rejects(readVolumeGroup(commands, "home"), hasCode("volume-group-incomplete"));
  });

  test("two groups of one name: refused", async () => {
    const commands = expectCommands(reported(report({}, { disks: ["/dev/sdc"] })));
    await assert.rejects(readVolumeGroup(commands, "home"), hasCode("volume-group-ambiguous"));
  });
});

test("the commands, word for word", () => {
  const commands = {
    report: REPORT,
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

test("device mapper's names double the hyphens of each part", () => {
  assert.equal(mapperName("home", "data"), "home-data");
  assert.equal(mapperName("a-b", "c-d-e"), "a--b-c--d--e");
});
