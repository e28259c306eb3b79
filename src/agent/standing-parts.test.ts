import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fakeNode } from "../../tests/fake-node.ts";
import { expectCommands, recorded, type ExpectedCommands } from "../../tests/expected-commands.ts";
import { fakeLuns, type FakeLuns } from "../../tests/fake-luns.ts";
import { manualClock } from "../../tests/manual-clock.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { REPORT } from "../lvm/volume-group.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverName } from "../model/names.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { isLinkOpen, takeLinkDown } from "./address.ts";
import type { Node } from "./context.ts";
import { openHandover } from "./handover.ts";
import { findLuns, identifyDisk } from "./luns.ts";
import { confirmRegistered } from "./registered-luns.ts";
import { registrationMarker } from "./registration-marker.ts";
import { goDownAtOnce } from "./self-fence.ts";
import { changesVolumes } from "./standby.ts";
import { openWatchdog } from "./watchdog.ts";

const HOME = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;
const NAMES = new Map([
  ["0x1", "n1"],
  ["0x2", "n2"],
]);
const folder = mkdtempSync(join(tmpdir(), "hf-luns-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function nodeWith(storage: FakeLuns, commands: ExpectedCommands = expectCommands()): Node {
  return fakeNode({
    engine: "pacemaker",
    commands,
    reservations: storage.reservationsOf("n1"),
    nodeOfKey: (key) => NAMES.get(key),
  });
}

describe("the LUNs of all fileservers", () => {
  const found = { run: REPORT, stdout: recorded("lvm/fullreport.txt") };
  const media: FileserverSpec = {
    ...HOME,
    name: "media" as FileserverName,
    volumes: HOME.volumes.map((volume) => ({ ...volume, device: { kind: "disk", path: "/dev/null" } })),
  };

  test("by the names that they have for themselves, in their order; one that two fileservers share is one", async () => {
    const identify = (disk: string): Promise<string> => Promise.resolve(disk === "/dev/sda" ? "naa.2" : "naa.1");
    const apart = await findLuns(nodeWith(fakeLuns(), expectCommands(found)), [HOME, media], identify);
    assert.deepEqual(apart, {
      luns: [
        { name: "naa.1", disk: "/dev/null", fileservers: ["media"] },
        { name: "naa.2", disk: "/dev/sda", fileservers: ["home"] },
      ],
      missing: [],
    });
    const shared = await findLuns(nodeWith(fakeLuns(), expectCommands(found)), [HOME, media], () =>
      Promise.resolve("naa.1"),
    );
    assert.deepEqual(shared.luns, [{ name: "naa.1", disk: "/dev/sda", fileservers: ["home", "media"] }]);
  });

  test("what is not found, and what has no name, is told; the others are found", async () => {
    const without = { ...found, stdout: found.stdout.replaceAll('"lv_name":"data"', '"lv_name":"other"') };
    const missing = await findLuns(nodeWith(fakeLuns(), expectCommands(without)), [HOME, media], () =>
      Promise.resolve("naa.1"),
    );
    assert.deepEqual([missing.luns.length, missing.missing.length], [1, 1]);
    assert.match(missing.missing[0] ?? "", /the disks of home/);
    const nameless = await findLuns(nodeWith(fakeLuns()), [media], () => Promise.resolve(undefined));
    assert.deepEqual(nameless, { luns: [], missing: ["/dev/null of media has no identification"] });
    assert.equal(await identifyDisk("/dev/null"), undefined);
  });
});

describe("before a takeover in engine pacemaker", () => {
  const DISK = "/dev/sda";
  const lunOf = (storage: FakeLuns) => {
    const lun = storage.luns.get(DISK);
    assert.ok(lun !== undefined);
    return lun;
  };

  test("registered, whoever of the cluster holds the reservation: nothing is taken", async () => {
    const storage = fakeLuns(DISK);
    const [one, other] = [storage.reservationsOf("n1"), storage.reservationsOf("n2")];
    await other.register(DISK, "0x2");
    await other.reserve(DISK, "0x2");
    await one.register(DISK, "0x1");
    lunOf(storage).heard.length = 0;
    await confirmRegistered(nodeWith(storage), DISK);
    assert.deepEqual(
      lunOf(storage).heard.map((words) => words.split(" ")[1]),
      ["read-keys", "read-reservation"],
    );
  });

  test("no reservation stands: it is made, so that who is not registered cannot write", async () => {
    const storage = fakeLuns(DISK);
    await storage.reservationsOf("n1").register(DISK, "0x1");
    await confirmRegistered(nodeWith(storage), DISK);
    assert.equal(lunOf(storage).holder, `sg-n1|${DISK}`);
  });

  test("not registered: refused, and it does not register itself", async () => {
    const storage = fakeLuns(DISK);
    await assert.rejects(confirmRegistered(nodeWith(storage), DISK), hasCode("not-registered"));
    assert.equal(lunOf(storage).registrations.size, 0);
  });

  test("a stranger holds it: refused", async () => {
    const storage = fakeLuns(DISK);
    await storage.reservationsOf("n9").register(DISK, "0x99");
    await storage.reservationsOf("n9").reserve(DISK, "0x99");
    await storage.reservationsOf("n1").register(DISK, "0x1");
    await assert.rejects(confirmRegistered(nodeWith(storage), DISK), hasCode("volume-reserved"));
  });

  test("fenced between question and reservation: refused; a node of the cluster was quicker: fine", async () => {
    for (const [registered, code] of [
      [false, "not-registered"],
      [true, undefined],
    ] as const) {
      const storage = fakeLuns(DISK);
      const other = storage.reservationsOf("n2");
      await storage.reservationsOf("n1").register(DISK, "0x1");
      await other.register(DISK, "0x2");
      const node = nodeWith(storage);
      const reserve: typeof other.reserve = async () => {
        await other.reserve(DISK, "0x2");
        if (!registered) await other.preemptAndAbort(DISK, "0x2", "0x1");
        return "conflict";
      };
      const confirmed = confirmRegistered({ ...node, reservations: { ...node.reservations, reserve } }, DISK);
      if (code === undefined) await confirmed;
      else await assert.rejects(confirmed, hasCode(code));
    }
  });
});

test("the way down: a line for the kernel's log, and sysrq b; without the log all the same", () => {
  const files = { kernelLog: join(folder, "kmsg"), sysrqTrigger: join(folder, "sysrq") };
  goDownAtOnce("this node was fenced (a: gone)", files);
  assert.equal(
    readFileSync(files.kernelLog, "utf8"),
    "<0>holdfast: this node was fenced (a: gone); this node reboots now, without a sync\n",
  );
  assert.equal(readFileSync(files.sysrqTrigger, "utf8"), "b");
  rmSync(files.sysrqTrigger);
  const said: string[] = [];
  goDownAtOnce("again", { ...files, kernelLog: "/nonexistent/kmsg" }, (line) => void said.push(line));
  assert.match(said.join(), /^\/nonexistent\/kmsg could not be written: ENOENT/);
  assert.equal(readFileSync(files.sysrqTrigger, "utf8"), "b");
  assert.throws(() => goDownAtOnce("", { ...files, sysrqTrigger: "/nonexistent/trigger" }));
});

test("a watchdog is armed while something is served, and let go in good order", () => {
  const device = join(folder, "watchdog");
  const said: string[] = [];
  const watchdog = openWatchdog(device, (line) => void said.push(line));
  watchdog.pet(false);
  assert.ok(!existsSync(device));
  watchdog.pet(true);
  watchdog.pet(true);
  assert.equal(readFileSync(device, "latin1"), "\0\0");
  watchdog.pet(false);
  assert.equal(readFileSync(device, "latin1"), "\0\0V");
  watchdog.pet(true);
  watchdog.letGo();
  watchdog.letGo();
  assert.equal(readFileSync(device, "latin1"), "\0V");
  assert.equal(said.length, 0);
  const missing = openWatchdog(join(folder, "none/watchdog"), (line) => void said.push(line));
  missing.pet(true);
  missing.pet(true);
  assert.equal(said.length, 1);
});

test("a link goes down by its flags, and only by the one that says so", () => {
  const file = join(folder, "flags");
  writeFileSync(file, "0x1003\n");
  assert.equal(takeLinkDown(1, file), true);
  assert.equal(readFileSync(file, "utf8"), "0x1002");
  assert.equal(takeLinkDown(1, file), false);
  assert.throws(() => takeLinkDown(1, join(folder, "none")));
});

test("the marker outlives the agent", async () => {
  const marker = registrationMarker(join(folder, "registered"));
  const registered = new Map([
    ["a", 12.5],
    ["b", 13],
  ]);
  assert.deepEqual(await marker.read(), new Map());
  await marker.write(registered);
  assert.deepEqual(await registrationMarker(join(folder, "registered")).read(), registered);
  writeFileSync(join(folder, "registered"), "half");
  await assert.rejects(marker.read());
});

test("an announced move is forgotten when it does not come", async () => {
  const node = nodeWith(fakeLuns());
  const clock = manualClock();
  const handover = openHandover({ ...node, clock });
  assert.equal(handover.announced(), undefined);
  handover.announce("n2");
  await clock.pass(60_000);
  assert.equal(handover.announced(), "n2");
  await clock.pass(1);
  assert.equal(handover.announced(), undefined);
  handover.announce("n2");
  handover.forget();
  assert.equal(handover.announced(), undefined);
});

function hasCode(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

test("whose volumes one of LVM's programs changes: by the group's name, and only where it changes something", () => {
  const of = (line: string): boolean => changesVolumes(HOME, line);
  const group = HOME.volumes[0]?.device;
  assert.ok(group?.kind === "lv");
  assert.ok(of(`/usr/sbin/lvchange --devices /dev/sda --noudevsync --activate y ${group.vg}/${group.lv}`));
  assert.ok(of(`/usr/sbin/vgchange --yes --systemid n1 ${group.vg}`));
  assert.ok(!of(`/usr/sbin/lvchange --activate y ${group.vg}2/${group.lv}`));
  assert.ok(!of(`/usr/sbin/pvs --select vg_name=${group.vg}`));
});

test("a link is open when it is up and holds nothing back", () => {
  const fileOf = (name: string): string => join(folder, `open-${name}`);
  const set = (flags: string, group: string): void => {
    writeFileSync(fileOf("flags"), flags);
    writeFileSync(fileOf("netdev_group"), group);
  };
  set("0x1003\n", "0\n");
  assert.equal(isLinkOpen(1, fileOf), true);
  set("0x1003\n", "7\n");
  assert.equal(isLinkOpen(1, fileOf), false, "requests are held");
  set("0x1002\n", "0\n");
  assert.equal(isLinkOpen(1, fileOf), false, "down");
});
