/** The devices are doubles that speak in the bytes of the sg driver. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fakeLun, unitAttention, type FakeLun } from "../../tests/fake-lun.ts";
import { manualClock, type ManualClock } from "../../tests/manual-clock.ts";
import { STATUS, type GenericFiles, type ScsiAnswer } from "./generic.ts";
import { openKeyEye, type KeyEye } from "./key-eye.ts";

const DISK = "/dev/sda";

interface World {
  readonly clock: ManualClock;
  readonly lun: FakeLun;
  readonly events: string[];
  readonly eye: KeyEye;
  fault: "open" | "write" | "read" | "hang" | undefined;
}

function world(): World {
  const clock = manualClock();
  const lun = fakeLun();
  const events: string[] = [];
  const port = lun.port("sg-n1");
  const ready = new Map<number, ScsiAnswer>();
  let descriptors = 0;
  const fail = (what: World["fault"]): void => {
    if (one.fault === what) throw new Error(`${what}: ENODEV`);
  };
  const files: GenericFiles = {
    open(generic) {
      fail("open");
      events.push(`open ${generic}`);
      descriptors += 1;
      return descriptors;
    },
    write(descriptor, request) {
      fail("write");
      const command = { command: request.subarray(36, 46), receiveBytes: request.readInt32LE(4) - 36 };
      void port.send("sg-n1", command).then((answer) => ready.set(descriptor, answer));
    },
    read(descriptor, into) {
      fail("read");
      const answer = ready.get(descriptor);
      if (answer === undefined || one.fault === "hang") return undefined;
      ready.delete(descriptor);
      into.fill(0);
      into.writeUInt32LE(((answer.status >>> 1) << 1) | (answer.hostStatus << 6), 16);
      into[20] = 0x70;
      into[22] = answer.senseKey;
      answer.data.copy(into, 36);
      return into.length;
    },
    close: (descriptor) => void events.push(`close ${descriptor}`),
  };
  const one: World = {
    clock,
    lun,
    events,
    fault: undefined,
    eye: openKeyEye({
      clock,
      timeScale: 1,
      files,
      generics: () => Promise.resolve(["/dev/sg0"]),
      reservations: {
        readKeys: () => {
          events.push("the long way");
          return Promise.resolve(["0x99"]);
        },
      },
    }),
  };
  return one;
}

async function look(one: World): Promise<readonly string[]> {
  const keys = one.eye.readKeys(DISK);
  await one.clock.pass(2_000);
  return keys;
}

describe("an eye for keys", () => {
  test("opens a device once, and sees what changes", async () => {
    const one = world();
    assert.deepEqual(await look(one), []);
    one.lun.registrations.set("sg-n1", "0x1");
    one.lun.registrations.set("sg-n2", "0x2");
    assert.deepEqual(await look(one), ["0x1", "0x2"]);
    assert.deepEqual(one.events, ["open /dev/sg0"]);
    one.eye.close();
    assert.deepEqual(one.events, ["open /dev/sg0", "close 1"]);
  });

  test("a unit attention is asked past", async () => {
    const one = world();
    one.lun.registrations.set("sg-n1", "0x1");
    one.lun.failNext(/read-keys/, unitAttention, 3);
    assert.deepEqual(await look(one), ["0x1"]);
    assert.deepEqual(one.events, ["open /dev/sg0"]);
  });

  for (const fault of ["write", "read", "hang"] as const)
    test(`a device that fails (${fault}) is closed, and the next look has a new one`, async () => {
      const one = world();
      await look(one);
      one.fault = fault;
      assert.deepEqual(await look(one), ["0x99"]);
      one.fault = undefined;
      assert.deepEqual(await look(one), []);
      assert.deepEqual(one.events, ["open /dev/sg0", "close 1", "the long way", "open /dev/sg0"]);
    });

  test("one that cannot be opened leaves nothing open", async () => {
    const one = world();
    one.fault = "open";
    assert.deepEqual(await look(one), ["0x99"]);
    assert.deepEqual(one.events, ["the long way"]);
  });

  test("an answer that is no plain yes is asked for the long way", async () => {
    for (const answer of [{ status: STATUS.reservationConflict }, { hostStatus: 1 }, { status: 2, senseKey: 5 }]) {
      const one = world();
      one.lun.failNext(/read-keys/, answer);
      assert.deepEqual(await look(one), ["0x99"], JSON.stringify(answer));
      assert.deepEqual(one.events, ["open /dev/sg0", "close 1", "the long way"]);
    }
  });

  test("more keys than there is room for, too", async () => {
    const one = world();
    for (let key = 1; key <= 65; key += 1) one.lun.registrations.set(`sg-${key}`, `0x${key.toString(16)}`);
    assert.deepEqual(await look(one), ["0x99"]);
    one.lun.registrations.delete("sg-65");
    assert.equal((await look(one)).length, 64);
  });

  test("a second question while one is under way takes no answer from it", async () => {
    const one = world();
    await look(one);
    const both = Promise.all([one.eye.readKeys(DISK), one.eye.readKeys(DISK)]);
    await one.clock.pass(2_000);
    assert.deepEqual(await both, [[], ["0x99"]]);
    assert.deepEqual(one.events, ["open /dev/sg0", "the long way"]);
  });

  test("closed in the midst of a look, it closes the device after it", async () => {
    const one = world();
    await look(one);
    const keys = one.eye.readKeys(DISK);
    await Promise.resolve();
    one.eye.close();
    await one.clock.pass(100);
    assert.deepEqual(await keys, []);
    assert.equal(one.events.at(-1), "close 1");
  });
});
