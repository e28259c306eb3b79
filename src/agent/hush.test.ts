/** Hushes around a fence: clock, storage and fileservers are doubles. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expectCommands } from "../../tests/expected-commands.ts";
import { fakeLuns, type FakeLuns } from "../../tests/fake-luns.ts";
import { manualClock, type ManualClock } from "../../tests/manual-clock.ts";
import { known } from "../base/observed.ts";
import type { FenceEnd } from "../failover/fence.ts";
import type { Node } from "./context.ts";
import { fenceNode } from "./fence-node.ts";
import { openHushes, openHushSender, type HushedFileserver, type Hushes } from "./hush.ts";

const DISKS = ["/dev/sda", "/dev/sdb"] as const;
const LUNS = known(DISKS.map((disk, index) => ({ name: `lun${index}`, disk, fileservers: ["home"] })));
type Hush = HushedFileserver["hush"];

interface World {
  readonly clock: ManualClock;
  readonly storage: FakeLuns;
  readonly node: Node;
  readonly said: string[];
  /** When a hush was sent, and with how many keys of the victim's still standing. */
  readonly heard: { readonly atMs: number; readonly keys: number }[];
  readonly hushes: Hushes;
  fence(): Promise<FenceEnd>;
}

async function world(media: Hush = () => Promise.resolve(false), home?: Hush): Promise<World> {
  const clock = manualClock();
  const storage = fakeLuns(...DISKS);
  for (const disk of DISKS)
    for (const [name, key] of [
      ["n1", "0x1"],
      ["n2", "0x2"],
    ] as const)
      await storage.reservationsOf(name).register(disk, key);
  const said: string[] = [];
  const heard: { atMs: number; keys: number }[] = [];
  const node: Node = {
    name: "n2",
    cluster: "lab",
    engine: "pacemaker",
    commands: expectCommands(),
    clock,
    reservations: storage.reservationsOf("n2"),
    timeScale: 1,
    reservationKey: "0x2",
    nodeOfKey: (key) => (key === "0x1" ? "n1" : undefined),
    log: (line) => void said.push(line),
  };
  const send: Hush = (key) => {
    assert.equal(key, "0x1");
    const keys = DISKS.filter((disk) => [...(storage.luns.get(disk)?.registrations.values() ?? [])].includes(key));
    heard.push({ atMs: clock.monotonicMs(), keys: keys.length });
    return Promise.resolve(true);
  };
  const hushes = openHushes(
    node,
    new Map([
      ["home", { hush: home ?? send }],
      ["media", { hush: media }],
    ]),
  );
  return { clock, storage, node, said, heard, hushes, fence: () => fenceNode(node, "0x1", LUNS, hushes.of("0x1")) };
}

const hangs: Hush = () => new Promise(() => undefined);

describe("a fence that succeeds", () => {
  test("is heard of before the first key is taken, and then again until the takeover", async () => {
    const one = await world();
    const startMs = one.clock.monotonicMs();
    assert.equal((await one.fence()).outcome, "fenced");
    assert.deepEqual(one.heard, [{ atMs: startMs, keys: 2 }]);
    await one.clock.pass(60_000);
    assert.deepEqual(
      one.heard.slice(1).map(({ atMs }) => atMs - startMs),
      [500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500],
    );
    assert.deepEqual(one.said, ["n1 is told to fall silent: home"]);
  });

  test("also where a hush cannot be sent: that is told once, and the others are sent", async () => {
    const one = await world(() => Promise.reject(new Error("there is no standby here")));
    assert.equal((await one.fence()).outcome, "fenced");
    await one.clock.pass(5_000);
    assert.equal(one.heard.length, 10);
    assert.deepEqual(one.said, ["n1 is told to fall silent: home; media: not sent: there is no standby here"]);
  });

  test("and is held up by a hush that hangs for 100 ms, not longer", async () => {
    const one = await world(hangs);
    const fenced = one.fence();
    await one.clock.pass(99);
    assert.equal(one.storage.luns.get("/dev/sda")?.registrations.size, 2);
    await one.clock.pass(1);
    assert.equal((await fenced).outcome, "fenced");
    assert.equal(one.heard.length, 1);
  });

  test("says nothing where all is served here already", async () => {
    const one = await world(undefined, () => Promise.resolve(false));
    assert.equal((await one.fence()).outcome, "fenced");
    await one.clock.pass(10_000);
    assert.deepEqual(one.said, []);
  });
});

describe("a fence that fails", () => {
  test("hushes no more from then on, and the next ones not for a minute", async () => {
    const one = await world();
    one.storage.luns.get("/dev/sda")?.failNext(/preempt/, new Error("no path"), 3);
    assert.equal((await one.fence()).outcome, "failed");
    await one.clock.pass(1_000);
    assert.equal((await one.fence()).outcome, "failed");
    await one.clock.pass(58_000);
    assert.equal(one.heard.length, 1);
    await one.clock.pass(1_000);
    assert.equal((await one.fence()).outcome, "failed");
    assert.equal(one.heard.length, 2);
    await one.clock.pass(60_000);
    assert.equal((await one.fence()).outcome, "fenced");
    assert.equal(one.heard.length, 3);
  });

  test("before it has begun hushes nobody: a LUN cannot be read; this node was fenced itself", async () => {
    const unread = await world();
    unread.storage.faults.set("n2|/dev/sdb", "error");
    assert.equal((await unread.fence()).outcome, "failed");
    const fenced = await world();
    await fenced.storage.reservationsOf("n1").preemptAndAbort("/dev/sda", "0x1", "0x2");
    assert.equal((await fenced.fence()).outcome, "refused");
    for (const one of [unread, fenced]) {
      await one.clock.pass(5_000);
      assert.deepEqual(one.heard, []);
    }
  });

  test("by never ending hushes for ten seconds, and not on", async () => {
    const one = await world();
    let asked = 0;
    const preemptAndAbort: Node["reservations"]["preemptAndAbort"] = () => {
      asked += 1;
      return new Promise(() => undefined);
    };
    const node = { ...one.node, reservations: { ...one.node.reservations, preemptAndAbort } };
    void fenceNode(node, "0x1", LUNS, one.hushes.of("0x1"));
    await one.clock.pass(60_000);
    assert.equal(asked, 1);
    assert.equal(one.heard.length, 20);
  });
});

test("a node that has no key any more is hushed by nobody: it may be starting anew", async () => {
  const one = await world();
  for (const disk of DISKS) await one.storage.reservationsOf("n2").preemptAndAbort(disk, "0x2", "0x1");
  assert.equal((await one.fence()).outcome, "already");
  await one.clock.pass(5_000);
  assert.deepEqual(one.heard, []);
});

describe("the hushes of one fileserver", () => {
  const node = { otherKeys: ["0x1", "0x3"] };
  const free = (): boolean => true;

  test("by the group of the node that is meant", async () => {
    const groups: number[] = [];
    const sender = openHushSender(node, "home", {
      holder: () => Promise.resolve(7),
      hush: (pid, group) => {
        groups.push(pid, group);
        return Promise.resolve(true);
      },
    });
    assert.equal(await sender.send("0x3", free), true);
    assert.equal(await sender.send("0x1", free), true);
    assert.deepEqual(groups, [7, 17, 7, 16]);
  });

  test("none without a standby, for a node that is not known, or where the link is taken meanwhile", async () => {
    const refuse = (): Promise<boolean> => Promise.reject(new Error("the link was touched"));
    const without = openHushSender(node, "home", { holder: () => Promise.resolve(undefined), hush: refuse });
    await assert.rejects(without.send("0x1", free), /no standby/);
    const sender = openHushSender(node, "home", { holder: () => Promise.resolve(7), hush: refuse });
    await assert.rejects(sender.send("0x9", free), /none of the other nodes/);
    let running = false;
    const sent = sender.send("0x1", () => !running);
    running = true;
    assert.equal(await sent, false);
  });

  test("a run that begins in the midst of one waits until it has ended, also badly; the next one goes as well", async () => {
    const events: string[] = [];
    const ends: (() => void)[] = [];
    const sender = openHushSender(node, "home", {
      holder: () => Promise.resolve(7),
      hush: () => {
        events.push("hush");
        return new Promise((_, reject) => ends.push(() => reject(new Error("EBUSY"))));
      },
    });
    const failed = assert.rejects(sender.send("0x1", free), /EBUSY/);
    await nextTurn();
    const run = sender.settled().then(() => void events.push("run"));
    await nextTurn();
    assert.deepEqual(events, ["hush"]);
    ends[0]?.();
    await Promise.all([failed, run]);
    const again = assert.rejects(sender.send("0x1", free), /EBUSY/);
    await nextTurn();
    ends[1]?.();
    await again;
    assert.deepEqual(events, ["hush", "run", "hush"]);
  });
});
