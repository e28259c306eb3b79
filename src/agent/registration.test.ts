/** A node's registration on two LUNs over time; storage, marker and fileservers are doubles. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expectCommands } from "../../tests/expected-commands.ts";
import { fakeLuns, type FakeLuns } from "../../tests/fake-luns.ts";
import { manualClock, type ManualClock } from "../../tests/manual-clock.ts";
import type { Node } from "./context.ts";
import type { FoundLuns } from "./luns.ts";
import { watchRegistration, type Registration, type WatchedFileserver } from "./registration.ts";

const KEYS = { n1: "0x1", n2: "0x2" } as const;

interface World {
  readonly clock: ManualClock;
  readonly storage: FakeLuns;
  readonly events: string[];
  readonly marked: Map<string, number>;
  /** By fileserver: whether something of it is here. */
  readonly inUse: Map<string, boolean>;
  found: FoundLuns;
  looks: number;
  start(): Registration;
}

function nodeIn(clock: ManualClock, storage: FakeLuns, log: (line: string) => void): Node {
  return {
    name: "n1",
    cluster: "lab",
    engine: "pacemaker",
    commands: expectCommands(),
    clock,
    reservations: storage.reservationsOf("n1"),
    timeScale: 1,
    reservationKey: KEYS.n1,
    nodeOfKey: (key) => Object.entries(KEYS).find(([, each]) => each === key)?.[0],
    log,
  };
}

/** "home" lies on LUN a, "media" on LUN b. */
function world(): World {
  const clock = manualClock();
  const storage = fakeLuns("/dev/sda", "/dev/sdb");
  const events: string[] = [];
  const marked = new Map<string, number>();
  const inUse = new Map([
    ["home", false],
    ["media", false],
  ]);
  const silenced = new Set<string>();
  const fileserver = (name: string): WatchedFileserver => ({
    inUse: () => Promise.resolve(inUse.get(name) ?? false),
    idle: () => inUse.get(name) !== true,
    silence: () => {
      if (inUse.get(name) !== true || silenced.has(name)) return;
      silenced.add(name);
      events.push(`silence ${name}`);
    },
    resume: () => {
      silenced.delete(name);
      events.push(`resume ${name}`);
      return Promise.resolve();
    },
    silenced: () => silenced.has(name),
  });
  const one: World = {
    clock,
    storage,
    events,
    marked,
    inUse,
    looks: 0,
    found: {
      luns: [
        { name: "a", disk: "/dev/sda", fileservers: ["home"] },
        { name: "b", disk: "/dev/sdb", fileservers: ["media"] },
      ],
      missing: [],
    },
    start: () =>
      watchRegistration({
        node: nodeIn(clock, storage, (line) => void events.push(line)),
        clusterKeys: Object.values(KEYS),
        findLuns: () => Promise.resolve(one.found),
        marker: {
          read: () => Promise.resolve(new Map(marked)),
          write: (registered) => {
            for (const [lun, atS] of registered) marked.set(lun, atS);
            return Promise.resolve();
          },
        },
        fileservers: new Map(["home", "media"].map((name) => [name, fileserver(name)])),
        goDown: (because) => void events.push(`down: ${because}`),
        uptimeS: () => clock.monotonicMs() / 1000,
        looked: () => void one.looks++,
      }),
  };
  return one;
}

const keysOn = ({ storage }: World, disk: string): readonly string[] => [
  ...(storage.luns.get(disk)?.registrations.values() ?? []),
];
const holderOn = ({ storage }: World, disk: string): string | undefined => storage.luns.get(disk)?.holder;
const lunOf = ({ storage }: World, disk: string): NonNullable<ReturnType<typeof storage.luns.get>> => {
  const lun = storage.luns.get(disk);
  assert.ok(lun !== undefined);
  return lun;
};
const downs = ({ events }: World): readonly string[] => events.filter((event) => event.startsWith("down"));

async function registered(): Promise<{ readonly one: World; readonly registration: Registration }> {
  const one = world();
  const registration = one.start();
  await one.clock.pass(1_000);
  one.events.length = 0;
  return { one, registration };
}

describe("after a boot", () => {
  test("registers on every LUN, and makes sure that a reservation stands", async () => {
    const one = world();
    const registration = one.start();
    assert.equal(registration.refusal("home")?.code, "not-verified");
    await one.clock.pass(1_000);
    assert.deepEqual([keysOn(one, "/dev/sda"), keysOn(one, "/dev/sdb")], [["0x1"], ["0x1"]]);
    assert.deepEqual([holderOn(one, "/dev/sda"), holderOn(one, "/dev/sdb")], ["sg-n1|/dev/sda", "sg-n1|/dev/sdb"]);
    assert.deepEqual([...one.marked.keys()], ["a", "b"]);
    assert.equal(registration.standing()?.good, true);
    assert.deepEqual([registration.refusal("home"), registration.refusal("media")], [undefined, undefined]);
    registration.stop();
  });

  test("the second node registers beside the first, which keeps the reservation", async () => {
    const one = world();
    await one.storage.reservationsOf("n2").register("/dev/sda", KEYS.n2);
    await one.storage.reservationsOf("n2").reserve("/dev/sda", KEYS.n2);
    const registration = one.start();
    await one.clock.pass(1_000);
    assert.deepEqual(keysOn(one, "/dev/sda"), ["0x2", "0x1"]);
    assert.equal(holderOn(one, "/dev/sda"), "sg-n2|/dev/sda");
    assert.equal(registration.standing()?.good, true);
    registration.stop();
  });

  test("not where something of a volume is here: a stale mount is never given a key", async () => {
    const one = world();
    one.inUse.set("home", true);
    const registration = one.start();
    await one.clock.pass(5_000);
    assert.deepEqual([keysOn(one, "/dev/sda"), keysOn(one, "/dev/sdb")], [[], ["0x1"]]);
    assert.match(registration.refusal("home")?.message ?? "", /barred/);
    assert.equal(registration.refusal("home")?.code, "not-registered");
    assert.deepEqual(downs(one), []);
    one.inUse.set("home", false);
    await one.clock.pass(1_000);
    assert.equal(registration.standing()?.good, true);
    registration.stop();
  });

  test("a LUN that comes late, or fails at first, is registered when it is there; the other is not held up", async () => {
    const one = world();
    const both = one.found;
    one.found = { luns: both.luns.slice(1), missing: ["the disks of home: no such group"] };
    lunOf(one, "/dev/sdb").failNext(/register/, new Error("no path"), 2);
    const registration = one.start();
    await one.clock.pass(1_000);
    assert.equal(registration.luns().known, false);
    assert.equal(registration.refusal("media"), undefined);
    assert.match(registration.refusal("home")?.message ?? "", /no such group/);
    one.found = both;
    await one.clock.pass(6_000);
    assert.equal(registration.standing()?.good, true);
    assert.equal(registration.luns().known, true);
    registration.stop();
  });

  test("an agent that is started anew finds its registration, and makes none", async () => {
    const { one, registration } = await registered();
    registration.stop();
    await one.clock.pass(1_000);
    lunOf(one, "/dev/sda").heard.length = 0;
    const again = one.start();
    await one.clock.pass(1_000);
    assert.equal(again.standing()?.good, true);
    assert.deepEqual(
      lunOf(one, "/dev/sda").heard.filter((words) => words.includes("register")),
      [],
    );
    again.stop();
  });
});

describe("a node that was fenced", () => {
  test("goes down at its next look, whether it serves or not", async () => {
    const { one, registration } = await registered();
    await one.storage.reservationsOf("n2").register("/dev/sda", KEYS.n2);
    await one.storage.reservationsOf("n2").preemptAndAbort("/dev/sda", KEYS.n2, KEYS.n1);
    await one.clock.pass(250);
    assert.match(downs(one)[0] ?? "", /this node was fenced \(a: /);
    assert.deepEqual(keysOn(one, "/dev/sda"), ["0x2"]);
    registration.stop();
  });

  test("that comes to itself under a new agent still goes down, and never registers again", async () => {
    const { one, registration } = await registered();
    registration.stop();
    await one.clock.pass(1_000);
    one.inUse.set("home", true);
    await one.storage.reservationsOf("n2").register("/dev/sda", KEYS.n2);
    await one.storage.reservationsOf("n2").preemptAndAbort("/dev/sda", KEYS.n2, KEYS.n1);
    const again = one.start();
    await one.clock.pass(2_000);
    assert.ok(downs(one).length > 0);
    assert.deepEqual(keysOn(one, "/dev/sda"), ["0x2"]);
    again.stop();
  });

  test("all keys gone is gone too: nobody registers in the midst of a cluster", async () => {
    const { one, registration } = await registered();
    lunOf(one, "/dev/sda").registrations.clear();
    lunOf(one, "/dev/sda").holder = undefined;
    await one.clock.pass(1_000);
    assert.match(downs(one)[0] ?? "", /a: this node's key is gone, as all others are/);
    assert.deepEqual(keysOn(one, "/dev/sda"), []);
    registration.stop();
  });
});

describe("what was asked for before the registration", () => {
  test("is refused, and not waited for: the asker may have been told since that this node is gone", async () => {
    const one = world();
    one.storage.faults.set("n1|/dev/sda", "error");
    const registration = one.start();
    await one.clock.pass(1_000);
    const askedAtS = one.clock.monotonicMs() / 1000;
    assert.equal(registration.refusal("home", askedAtS)?.code, "not-registered");
    one.storage.faults.clear();
    await one.clock.pass(1_000);
    assert.equal(registration.refusal("home"), undefined);
    assert.equal(registration.refusal("home", askedAtS)?.code, "not-registered");
    assert.equal(registration.refusal("home", one.clock.monotonicMs() / 1000), undefined);
    registration.stop();
  });

  test("also by an agent that was started anew meanwhile", async () => {
    const { one, registration } = await registered();
    registration.stop();
    const again = one.start();
    await one.clock.pass(1_000);
    assert.equal(again.refusal("home", 0.5)?.code, "not-registered");
    assert.equal(again.refusal("home", 10), undefined);
    again.stop();
  });

  test("a LUN that was added is not registered while another is not verified", async () => {
    const { one, registration } = await registered();
    registration.stop();
    await one.clock.pass(1_000);
    one.marked.delete("b");
    lunOf(one, "/dev/sdb").registrations.clear();
    one.storage.faults.set("n1|/dev/sda", "error");
    const again = one.start();
    await one.clock.pass(2_000);
    assert.deepEqual(keysOn(one, "/dev/sdb"), []);
    one.storage.faults.clear();
    await one.clock.pass(1_000);
    assert.deepEqual(keysOn(one, "/dev/sdb"), ["0x1"]);
    again.stop();
  });
});

test("a LUN of which nothing is here is asked for every third time; the decision LUN, and what serves, every time", async () => {
  const { one, registration } = await registered();
  const asked = async (): Promise<readonly number[]> => {
    for (const { heard } of one.storage.luns.values()) heard.length = 0;
    await one.clock.pass(3_000);
    return [...one.storage.luns.values()].map(({ heard }) => heard.length);
  };
  assert.deepEqual(await asked(), [12, 4]);
  one.inUse.set("media", true);
  assert.deepEqual(await asked(), [12, 12]);
  one.inUse.set("media", false);
  one.storage.faults.set("n1|/dev/sda", "error");
  // From the look after the one that got no answer.
  assert.equal((await asked())[1], 11);
  registration.stop();
});

describe("a storage that gives no answer", () => {
  const silences = ({ events }: World): readonly string[] => events.filter((event) => event.startsWith("silence"));

  test("silences what serves from it after a second, and nothing else; verified again, it resumes", async () => {
    const { one, registration } = await registered();
    one.inUse.set("home", true);
    one.inUse.set("media", true);
    one.storage.faults.set("n1|/dev/sda", "error");
    await one.clock.pass(700);
    assert.deepEqual(silences(one), []);
    await one.clock.pass(800);
    assert.deepEqual(silences(one), ["silence home"]);
    assert.deepEqual(downs(one), []);
    assert.equal(registration.refusal("home")?.code, "not-verified");
    assert.equal(registration.refusal("media"), undefined);
    one.storage.faults.clear();
    await one.clock.pass(1_000);
    assert.ok(one.events.includes("resume home"));
    registration.stop();
  });

  test("a question that is never answered holds nothing up", async () => {
    const { one, registration } = await registered();
    one.inUse.set("home", true);
    one.storage.faults.set("n1|/dev/sda", "hang");
    await one.clock.pass(2_000);
    assert.deepEqual(silences(one), ["silence home"]);
    await one.storage.reservationsOf("n2").register("/dev/sdb", KEYS.n2);
    await one.storage.reservationsOf("n2").preemptAndAbort("/dev/sdb", KEYS.n2, KEYS.n1);
    await one.clock.pass(600);
    assert.match(downs(one)[0] ?? "", /b: /);
    registration.stop();
  });

  test("what was silent and is found fenced is not resumed", async () => {
    const { one, registration } = await registered();
    one.inUse.set("home", true);
    one.storage.faults.set("n1|/dev/sda", "error");
    await one.clock.pass(1_500);
    await one.storage.reservationsOf("n2").register("/dev/sda", KEYS.n2);
    await one.storage.reservationsOf("n2").preemptAndAbort("/dev/sda", KEYS.n2, KEYS.n1);
    one.storage.faults.clear();
    await one.clock.pass(1_000);
    assert.ok(downs(one).length > 0);
    assert.ok(!one.events.includes("resume home"));
    registration.stop();
  });

  test("looks go on all the same: whoever pets a watchdog by them goes on petting", async () => {
    const { one, registration } = await registered();
    for (const disk of ["/dev/sda", "/dev/sdb"]) one.storage.faults.set(`n1|${disk}`, "hang");
    one.looks = 0;
    await one.clock.pass(5_000);
    assert.ok(one.looks >= 10, String(one.looks));
    registration.stop();
  });

  test("the same complaint is said once, and its end too", async () => {
    const { one, registration } = await registered();
    one.storage.faults.set("n1|/dev/sdb", "error");
    await one.clock.pass(5_000);
    one.storage.faults.clear();
    await one.clock.pass(1_000);
    const about = one.events.filter((event) => event.includes("b: wait"));
    assert.equal(about.length, 2, about.join("\n"));
    registration.stop();
  });
});
