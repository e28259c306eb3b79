import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { fakeLun, unitAttention, type FakeLun } from "../../tests/fake-lun.ts";
import { STATUS } from "./generic.ts";
import {
  dropReservation,
  openReservations,
  preemptReservation,
  reservedByStranger,
  takeReservation,
  type Reservations,
} from "./reservation.ts";

const DISK = "/dev/sda";
const OURS = "0x1111111111111111";
const THEIRS = "0x8b4ae1b9f3c8cab6";
const LOST: Error = new Error("no answer");

function hasCode(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

/** n1 is we, n2 the other, which serves. */
function served(): { readonly lun: FakeLun; readonly ours: Reservations } {
  const lun = fakeLun();
  lun.registrations.set("sg-n2", THEIRS);
  lun.holder = "sg-n2";
  return { lun, ours: openReservations(lun.port("sg-n1")) };
}

function free(): { readonly lun: FakeLun; readonly ours: Reservations } {
  const lun = fakeLun();
  return { lun, ours: openReservations(lun.port("sg-n1")) };
}

test("a key that no node has is told apart: nobody is sent to release there", () => {
  const fault = reservedByStranger(DISK, THEIRS);
  assert.deepEqual([fault.code, fault.kind], ["volume-reserved", "refused"]);
  assert.match(fault.message, /which no node of this cluster has/);
  assert.doesNotMatch(fault.remedy ?? "", /--fenced/);
});

describe("readState", () => {
  test("keys and holder; nobody", async () => {
    assert.deepEqual(await served().ours.readState(DISK), { keys: [THEIRS], holder: THEIRS });
    assert.deepEqual(await free().ours.readState(DISK), { keys: [] });
  });

  test("a key on several paths is one key", async () => {
    const { lun, ours } = served();
    lun.registrations.set("sg-n2-b", THEIRS);
    assert.deepEqual((await ours.readState(DISK)).keys, [THEIRS]);
  });

  test("what cannot be read is an error, never absence", async () => {
    for (const words of [/read-keys/, /read-reservation/]) {
      for (const answer of [LOST, { status: STATUS.checkCondition, senseKey: 5 }, { hostStatus: 1 }]) {
        const { lun, ours } = served();
        lun.failNext(words, answer);
        await assert.rejects(ours.readState(DISK), hasCode("reservation-unreadable"));
      }
    }
  });

  test("a path that fails is passed over, and the state is the LUN's", async () => {
    const { lun } = served();
    lun.failNext(/^sg-a/, { hostStatus: 1 }, 10);
    const state = await openReservations(lun.port("sg-a", "sg-b")).readState(DISK);
    assert.deepEqual(state, { keys: [THEIRS], holder: THEIRS });
  });

  test("a unit attention is asked past; one without end is an error", async () => {
    const { lun, ours } = served();
    lun.failNext(/read-keys/, unitAttention, 2);
    assert.equal((await ours.readState(DISK)).holder, THEIRS);
    lun.failNext(/read-keys/, unitAttention, 100);
    await assert.rejects(ours.readState(DISK), hasCode("reservation-unreadable"));
  });
});

describe("takeReservation", () => {
  test("asks first, then registers and reserves", async () => {
    const { lun, ours } = free();
    await takeReservation(ours, DISK, OURS);
    assert.deepEqual(lun.heard, [
      "sg-n1 read-reservation",
      `sg-n1 register-and-ignore ${OURS}`,
      `sg-n1 reserve ${OURS}`,
    ]);
    assert.equal(lun.holder, "sg-n1");
  });

  test("every path is registered", async () => {
    const lun = fakeLun();
    await takeReservation(openReservations(lun.port("sg-a", "sg-b")), DISK, OURS);
    assert.deepEqual([...lun.registrations.keys()], ["sg-a", "sg-b"]);
  });

  test("held by another: refused, and no key of ours is left", async () => {
    for (const released of [false, true]) {
      const { lun, ours } = served();
      await assert.rejects(takeReservation(ours, DISK, OURS, released), (error) => {
        assert.ok(error instanceof Fault && error.code === "volume-reserved" && error.kind === "refused");
        assert.match(error.message, new RegExp(THEIRS));
        return true;
      });
      assert.deepEqual([...lun.registrations.values()], [THEIRS]);
      assert.equal(lun.holder, "sg-n2");
    }
  });

  test("our own already: taken again", async () => {
    const { lun, ours } = free();
    await takeReservation(ours, DISK, OURS);
    await takeReservation(ours, DISK, OURS);
    assert.equal(lun.holder, "sg-n1");
  });

  test("a LUN that cannot keep registrations over a power loss is registered without", async () => {
    const { lun, ours } = free();
    lun.failNext(/register-and-ignore/, { status: STATUS.checkCondition, senseKey: 5 });
    await takeReservation(ours, DISK, OURS);
    assert.equal(lun.holder, "sg-n1");
  });

  test("a failure that is no conflict says what the LUN said, and leaves no key", async () => {
    const { lun, ours } = free();
    lun.failNext(/ reserve/, { hostStatus: 7 });
    await assert.rejects(takeReservation(ours, DISK, OURS), /transport error 7/);
    assert.equal(lun.registrations.size, 0);
  });
});

describe("release and unregister", () => {
  test("release gives the reservation back and stays registered", async () => {
    const { lun, ours } = free();
    await takeReservation(ours, DISK, OURS);
    assert.equal(await ours.release(DISK, OURS), "done");
    assert.deepEqual([lun.holder, [...lun.registrations.values()]], [undefined, [OURS]]);
  });

  test("dropReservation removes the key; where there is none nothing is to be given back", async () => {
    const { lun, ours } = free();
    await takeReservation(ours, DISK, OURS);
    await dropReservation(ours, DISK, OURS);
    assert.deepEqual([lun.holder, lun.registrations.size], [undefined, 0]);
    await dropReservation(ours, DISK, OURS);
  });

  test("a key that stays is an error; so is not knowing", async () => {
    const { lun, ours } = free();
    await takeReservation(ours, DISK, OURS);
    lun.failNext(/ register /, { status: STATUS.reservationConflict });
    await assert.rejects(dropReservation(ours, DISK, OURS), hasCode("reservation-not-dropped"));
    lun.failNext(/ register /, { status: STATUS.reservationConflict });
    lun.failNext(/read-keys/, LOST);
    await assert.rejects(dropReservation(ours, DISK, OURS), hasCode("reservation-unreadable"));
  });
});

describe("preemptReservation", () => {
  test("registers, preempts, and looks whether it came true", async () => {
    const { lun, ours } = served();
    await preemptReservation(ours, DISK, OURS, THEIRS);
    assert.deepEqual([lun.holder, [...lun.registrations.values()]], ["sg-n1", [OURS]]);
  });

  test("the victim's key is still there: not taken, whatever the LUN answered", async () => {
    const { lun, ours } = served();
    lun.failNext(/preempt/, {});
    await assert.rejects(preemptReservation(ours, DISK, OURS, THEIRS), hasCode("volume-reserved"));
  });

  test("the victim is gone and somebody else holds it: not taken", async () => {
    const { lun, ours } = served();
    lun.registrations.set("sg-n2", "0x2222222222222222");
    await assert.rejects(preemptReservation(ours, DISK, OURS, THEIRS), hasCode("volume-reserved"));
  });

  test("a command that fails ends it", async () => {
    const { lun, ours } = served();
    lun.failNext(/preempt/, LOST);
    await assert.rejects(preemptReservation(ours, DISK, OURS, THEIRS), /no answer/);
    assert.equal(lun.holder, "sg-n2");
  });
});
