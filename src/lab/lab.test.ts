/** Labs that are not there, or not running: what the commands say, and that they make nothing. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Fault } from "../base/fault.ts";
import { systemClock } from "../system/clock.ts";
import type { Commands } from "../system/commands.ts";
import { bringUp } from "./bring-up.ts";
import { labDown } from "./down.ts";
import { openLab } from "./open.ts";
import { labPaths, type LabPaths } from "./paths.ts";
import { readState, writeState, type LabState } from "./state.ts";
import { labStatus } from "./status.ts";
import type { LabWorld } from "./world.ts";

const NO_COMMANDS: Commands = { run: async (command) => assert.fail(`started ${command.tool}`) };
const WORLD: LabWorld = { commands: NO_COMMANDS, clock: systemClock, progress: () => undefined };

const STATE: LabState = {
  version: 1,
  name: "lab",
  suite: "trixie",
  imageId: "trixie-0",
  cacheFolder: "/nonexistent",
  accelerator: "tcg",
  cluster: "none",
  engine: "standalone",
  shape: { nodes: 2, clients: 1, directors: 0 },
  sshPorts: { st: 1, n1: 2, n2: 3, c1: 4 },
};

function home(context: TestContext): { readonly folder: string; readonly paths: LabPaths } {
  const folder = mkdtempSync(join(tmpdir(), "hf-lab-test-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return { folder, paths: labPaths("lab", folder) };
}

function isFault(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

test("a lab with an impossible shape leaves nothing behind", async (context) => {
  const { paths } = home(context);
  await assert.rejects(bringUp(WORLD, paths, "lab", { shape: { nodes: 0 } }, noBundle), isFault("lab-shape-invalid"));
  assert.equal(existsSync(paths.folder), false);
});

test("another kind of cluster on the same disks is refused, before a machine is started", async (context) => {
  const { paths } = home(context);
  mkdirSync(paths.folder, { recursive: true });
  await writeState(paths.stateFile, { ...STATE, cluster: "holdfast" });
  for (const choice of [{ cluster: "stock" }, { engine: "pacemaker" }] as const)
    await assert.rejects(
      bringUp(WORLD, paths, "lab", { shape: {}, ...choice }, noBundle),
      isFault("lab-cluster-differs"),
      JSON.stringify(choice),
    );
});

const noBundle = () => Promise.reject(new Error("no bundle in this test"));

test("taking down a lab that is not there is done at once", async (context) => {
  const { paths } = home(context);
  const report = await labDown(WORLD, paths, { wipe: true, powerOff: false });
  assert.deepEqual(report, { asleep: [], off: [], wiped: true });
});

test("down keeps disks and memory, power-off forgets memory, wipe forgets all", async (context) => {
  const { paths } = home(context);
  const disk = join(paths.disks, "n1.qcow2");
  const memory = join(paths.memory, "n1.memory");
  for (const file of [disk, memory]) {
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, "x");
  }
  await writeState(paths.stateFile, STATE);
  await labDown(WORLD, paths, { wipe: false, powerOff: false });
  assert.deepEqual([existsSync(disk), existsSync(memory)], [true, true]);
  await labDown(WORLD, paths, { wipe: false, powerOff: true });
  assert.deepEqual([existsSync(disk), existsSync(memory)], [true, false]);
  await labDown(WORLD, paths, { wipe: true, powerOff: false });
  assert.equal(existsSync(paths.folder), false);
});

test("state is read as it was written; what is not a state is a Fault", async (context) => {
  const { folder } = home(context);
  const file = join(folder, "lab.json");
  assert.equal(await readState(file), undefined);
  await writeState(file, STATE);
  assert.deepEqual(await readState(file), STATE);
  writeFileSync(file, '{"version": 2}');
  await assert.rejects(readState(file), isFault("lab-state-unreadable"));
});

test("status of a lab that does not run", async (context) => {
  const { paths } = home(context);
  mkdirSync(paths.memory, { recursive: true });
  writeFileSync(join(paths.memory, "n1.memory"), "x".repeat(10_000));
  const status = await labStatus(paths, STATE);
  assert.deepEqual(
    status.machines.map(({ name, state, ssh }) => [name, state, ssh]),
    [
      ["st", "off", false],
      ["n1", "asleep", false],
      ["n2", "off", false],
      ["c1", "off", false],
    ],
  );
  assert.equal(status.switchRunning, false);
  assert.deepEqual([status.networkFaults, status.diskFaults], [[], []]);
});

test("opening a lab that is not there says how to make one", async () => {
  await assert.rejects(
    openLab("no-such-lab"),
    (error) => isFault("lab-missing")(error) && (error as Fault).remedy === "holdfast lab up",
  );
});

test("a lab's sockets lie in a short folder of its own", () => {
  const one = labPaths("lab", `/home/${"long/".repeat(40)}a`);
  const other = labPaths("lab", `/home/${"long/".repeat(40)}b`);
  assert.ok(one.sockets.length < 24);
  assert.notEqual(one.sockets, other.sockets);
});
