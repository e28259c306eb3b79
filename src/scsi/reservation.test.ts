import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { reservationKey } from "../model/derive.ts";
import { expectCommands, recorded, type ExpectedCommand } from "../../tests/expected-commands.ts";
import {
  asPrinted,
  dropReservation,
  parseHolder,
  parseKeys,
  preemptAndAbort,
  preemptReservation,
  readKeys,
  readReservation,
  readState,
  registerKey,
  reserve,
  reservedByStranger,
  takeReservation,
  unregister,
} from "./reservation.ts";

const DISK = "/dev/sda";
const OURS = "0x1111111111111111";
const THEIRS = "0x8b4ae1b9f3c8cab6";

const keysOf = (...keys: readonly string[]): string =>
  keys.length === 0
    ? recorded("scsi/keys-none.txt")
    : recorded("scsi/keys-one.txt").replace(/^ {4}0x.*$/m, keys.map((key) => `    ${key}`).join("\n"));
const heldBy = (key: string | undefined): string =>
  key === undefined
    ? recorded("scsi/reservation-none.txt")
    : recorded("scsi/reservation-held.txt").replace(THEIRS, key);

const asksKeys = (...keys: readonly string[]): ExpectedCommand => ({ run: readKeys(DISK), stdout: keysOf(...keys) });
const asksHolder = (key?: string): ExpectedCommand => ({ run: readReservation(DISK), stdout: heldBy(key) });
const UNIT_ATTENTION = { status: 6, stderr: "Unit attention" };
const CONFLICT = { status: 24, stderr: "Reservation conflict" };

test("a key that no node has is told apart: nobody is sent to release there", () => {
  const fault = reservedByStranger(DISK, THEIRS);
  assert.deepEqual([fault.code, fault.kind], ["volume-reserved", "refused"]);
  assert.match(fault.message, /which no node of this cluster has/);
  assert.doesNotMatch(fault.remedy ?? "", /--fenced/);
});

function hasCode(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

describe("what sg_persist says", () => {
  test("keys: one, several, none", () => {
    assert.deepEqual(parseKeys(recorded("scsi/keys-one.txt")), [THEIRS]);
    assert.deepEqual(parseKeys(keysOf(THEIRS, OURS)), [THEIRS, OURS]);
    assert.deepEqual(parseKeys(recorded("scsi/keys-none.txt")), []);
  });

  test("the holder, or nobody; the generation is no key", () => {
    assert.equal(parseHolder(recorded("scsi/reservation-held.txt")), THEIRS);
    assert.equal(parseHolder(recorded("scsi/reservation-none.txt")), undefined);
    assert.deepEqual(parseKeys(recorded("scsi/reservation-none.txt")), []);
  });

  test("a derived key is compared in the form that sg_persist prints", () => {
    assert.equal(asPrinted(reservationKey("lead", "n1")), THEIRS);
    assert.equal(asPrinted("00ab000000000000"), "0xab000000000000");
    assert.equal(asPrinted("0x0a"), "0xa");
  });

  test("the commands, word for word", () => {
    const words = [
      readKeys(DISK),
      readReservation(DISK),
      registerKey(DISK, OURS),
      reserve(DISK, OURS),
      preemptAndAbort(DISK, OURS, THEIRS),
      unregister(DISK, OURS),
    ].map(({ tool, args }) => [tool, ...args].join(" "));
    assert.deepEqual(words, [
      "sg_persist --no-inquiry --in --read-keys /dev/sda",
      "sg_persist --no-inquiry --in --read-reservation /dev/sda",
      `sg_persist --no-inquiry --out --register-ignore --param-sark=${OURS} /dev/sda`,
      `sg_persist --no-inquiry --out --reserve --param-rk=${OURS} --prout-type=5 /dev/sda`,
      `sg_persist --no-inquiry --out --preempt-abort --param-rk=${OURS} --param-sark=${THEIRS} --prout-type=5 /dev/sda`,
      `sg_persist --no-inquiry --out --register --param-rk=${OURS} --param-sark=0 /dev/sda`,
    ]);
  });
});

describe("readState", () => {
  test("keys and holder", async () => {
    const commands = expectCommands(asksKeys(THEIRS), asksHolder(THEIRS));
    assert.deepEqual(await readState(commands, DISK), { keys: [THEIRS], holder: THEIRS });
    commands.assertAllRan();
  });

  test("nobody", async () => {
    assert.deepEqual(await readState(expectCommands(asksKeys(), asksHolder()), DISK), { keys: [] });
  });

  test("what cannot be read is an error, never absence", async () => {
    const gone = { status: 52, stderr: recorded("scsi/no-such-disk.txt") };
    const noKeys = expectCommands({ run: readKeys(DISK), ...gone }, asksHolder());
    await assert.rejects(readState(noKeys, DISK), hasCode("reservation-unreadable"));
    const noHolder = expectCommands(asksKeys(), { run: readReservation(DISK), ...gone });
    await assert.rejects(readState(noHolder, DISK), (error) => {
      assert.ok(error instanceof Fault && error.cause instanceof Error);
      assert.match(error.cause.message, /No such file or directory/);
      return true;
    });
  });
});

describe("takeReservation", () => {
  test("a free LUN: asked first, then registered, then reserved", async () => {
    const commands = expectCommands(asksHolder(), { run: registerKey(DISK, OURS) }, { run: reserve(DISK, OURS) });
    await takeReservation(commands, DISK, OURS);
    commands.assertAllRan();
  });

  test("one's own reservation is taken again, as after a crash of the agent", async () => {
    const commands = expectCommands(asksHolder(OURS), { run: registerKey(DISK, OURS) }, { run: reserve(DISK, OURS) });
    await takeReservation(commands, DISK, OURS);
    commands.assertAllRan();
  });

  test("held by another: refused, and nothing was registered", async () => {
    const commands = expectCommands(asksHolder(THEIRS));
    await assert.rejects(takeReservation(commands, DISK, OURS), (error) => {
      assert.ok(error instanceof Fault);
      assert.equal(error.code, "volume-reserved");
      assert.equal(error.kind, "refused");
      assert.match(error.message, new RegExp(THEIRS));
      return true;
    });
    commands.assertAllRan();
  });

  test("unreadable: nothing was registered", async () => {
    const commands = expectCommands({ run: readReservation(DISK), status: 52, stderr: "gone" });
    await assert.rejects(takeReservation(commands, DISK, OURS), hasCode("reservation-unreadable"));
    commands.assertAllRan();
  });

  test("a unit attention is asked again, at every command", async () => {
    const commands = expectCommands(
      { ...asksHolder(), ...UNIT_ATTENTION },
      asksHolder(),
      { run: registerKey(DISK, OURS), ...UNIT_ATTENTION },
      { run: registerKey(DISK, OURS), ...UNIT_ATTENTION },
      { run: registerKey(DISK, OURS) },
      { run: reserve(DISK, OURS) },
    );
    await takeReservation(commands, DISK, OURS);
    commands.assertAllRan();
  });

  test("a unit attention without end is an error, and no reservation", async () => {
    const attention = { run: readReservation(DISK), ...UNIT_ATTENTION };
    const commands = expectCommands(attention, attention, attention);
    await assert.rejects(takeReservation(commands, DISK, OURS), hasCode("reservation-unreadable"));
    commands.assertAllRan();
  });

  test("another was faster: the conflict takes the own key back and names the holder", async () => {
    const commands = expectCommands(
      asksHolder(),
      { run: registerKey(DISK, OURS) },
      { run: reserve(DISK, OURS), ...CONFLICT },
      asksKeys(THEIRS, OURS),
      asksHolder(THEIRS),
      { run: unregister(DISK, OURS) },
    );
    await assert.rejects(takeReservation(commands, DISK, OURS), (error) => {
      assert.ok(error instanceof Fault && error.code === "volume-reserved");
      assert.match(error.message, new RegExp(THEIRS));
      return true;
    });
    commands.assertAllRan();
  });

  test("a failure that is no conflict says what the program said, and leaves no key", async () => {
    const commands = expectCommands(
      asksHolder(),
      { run: registerKey(DISK, OURS) },
      { run: reserve(DISK, OURS), status: 15, stderr: "transport: i/o error" },
      asksKeys(OURS),
      asksHolder(),
      { run: unregister(DISK, OURS) },
    );
    await assert.rejects(takeReservation(commands, DISK, OURS), /transport: i\/o error/);
    commands.assertAllRan();
  });
});

describe("dropReservation", () => {
  test("removes the own key", async () => {
    const commands = expectCommands({ run: unregister(DISK, OURS) });
    await dropReservation(commands, DISK, OURS);
    commands.assertAllRan();
  });

  test("not registered: nothing to give back", async () => {
    const commands = expectCommands({ run: unregister(DISK, OURS), ...CONFLICT }, asksKeys(THEIRS), asksHolder(THEIRS));
    await dropReservation(commands, DISK, OURS);
    commands.assertAllRan();
  });

  test("still registered: an error", async () => {
    const commands = expectCommands(
      { run: unregister(DISK, OURS), status: 15, stderr: "transport" },
      asksKeys(OURS),
      asksHolder(OURS),
    );
    await assert.rejects(dropReservation(commands, DISK, OURS), hasCode("command-failed"));
  });

  test("unreadable afterwards: an error, for it may still be held", async () => {
    const commands = expectCommands(
      { run: unregister(DISK, OURS), status: 15 },
      { run: readKeys(DISK), status: 15 },
      { run: readReservation(DISK), status: 15 },
    );
    await assert.rejects(dropReservation(commands, DISK, OURS), hasCode("reservation-unreadable"));
  });
});

describe("preemptReservation", () => {
  const taken = [{ run: registerKey(DISK, OURS) }, { run: preemptAndAbort(DISK, OURS, THEIRS) }] as const;

  test("registers, preempts, and looks whether it came true", async () => {
    const commands = expectCommands(...taken, asksKeys(OURS), asksHolder(OURS));
    await preemptReservation(commands, DISK, OURS, THEIRS);
    commands.assertAllRan();
  });

  test("the victim's key is still there: not taken, whatever sg_persist's status says", async () => {
    const commands = expectCommands(...taken, asksKeys(OURS, THEIRS), asksHolder(OURS));
    await assert.rejects(preemptReservation(commands, DISK, OURS, THEIRS), hasCode("volume-reserved"));
  });

  test("somebody else holds it now, or nobody: not taken", async () => {
    for (const holder of ["0x2222222222222222", undefined]) {
      const commands = expectCommands(...taken, asksKeys(OURS), asksHolder(holder));
      await assert.rejects(preemptReservation(commands, DISK, OURS, THEIRS), hasCode("volume-reserved"));
    }
  });

  test("a command that fails ends it", async () => {
    const commands = expectCommands({ run: registerKey(DISK, OURS), status: 15, stderr: "transport" });
    await assert.rejects(preemptReservation(commands, DISK, OURS, THEIRS), hasCode("command-failed"));
    commands.assertAllRan();
  });
});
