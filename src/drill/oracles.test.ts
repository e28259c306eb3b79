import assert from "node:assert/strict";
import { test } from "node:test";
import { checkErrors, checkWrites, countLostLocks } from "./oracles.ts";
import { decodeRecord, encodeRecord, RECORD_BYTES, recordBuffer } from "./record.ts";
import { parseLog } from "./samples.ts";

const CLIENT = 9;
const COUNT = 40;

/** A file with records 0…COUNT-1, as the write probe leaves it. */
function file(): Buffer {
  const whole = Buffer.alloc(COUNT * RECORD_BYTES);
  const record = recordBuffer(CLIENT);
  for (let sequence = 0; sequence < COUNT; sequence += 1) {
    encodeRecord(record, sequence);
    record.copy(whole, sequence * RECORD_BYTES);
  }
  return whole;
}

function check(bytes: Buffer, acknowledged = Array.from({ length: COUNT }, (_, sequence) => sequence)) {
  return checkWrites(acknowledged, CLIENT, (sequence) =>
    decodeRecord(bytes.subarray(sequence * RECORD_BYTES, (sequence + 1) * RECORD_BYTES)),
  );
}

test("an undamaged file passes", () => assert.deepEqual(check(file()), { acknowledged: COUNT, lost: [] }));

const damages: readonly {
  name: string;
  damage: (bytes: Buffer) => Buffer;
  how: string;
  sequences: readonly number[];
}[] = [
  {
    name: "a hole",
    damage: (bytes) => bytes.fill(0, 7 * RECORD_BYTES, 8 * RECORD_BYTES),
    how: "absent",
    sequences: [7],
  },
  {
    name: "a file cut short",
    damage: (bytes) => bytes.subarray(0, 38 * RECORD_BYTES),
    how: "absent",
    sequences: [38, 39],
  },
  {
    name: "half a record at the end",
    damage: (bytes) => bytes.subarray(0, 39 * RECORD_BYTES + 512),
    how: "torn",
    sequences: [39],
  },
  {
    name: "one sector of another write",
    damage: (bytes) => {
      bytes.copyWithin(5 * RECORD_BYTES + 1024, 6 * RECORD_BYTES + 1024, 6 * RECORD_BYTES + 1536);
      return bytes;
    },
    how: "torn",
    sequences: [5],
  },
  {
    name: "one flipped bit",
    damage: (bytes) => {
      bytes[3 * RECORD_BYTES + 2000] = (bytes[3 * RECORD_BYTES + 2000] ?? 0) ^ 1;
      return bytes;
    },
    how: "torn",
    sequences: [3],
  },
  {
    name: "an older record in a newer one's place",
    damage: (bytes) => {
      bytes.copyWithin(20 * RECORD_BYTES, 19 * RECORD_BYTES, 20 * RECORD_BYTES);
      return bytes;
    },
    how: "other",
    sequences: [20],
  },
  {
    name: "two records exchanged",
    damage: (bytes) => {
      const first = Buffer.from(bytes.subarray(10 * RECORD_BYTES, 11 * RECORD_BYTES));
      bytes.copyWithin(10 * RECORD_BYTES, 11 * RECORD_BYTES, 12 * RECORD_BYTES);
      first.copy(bytes, 11 * RECORD_BYTES);
      return bytes;
    },
    how: "other",
    sequences: [10, 11],
  },
];

for (const { name, damage, how, sequences } of damages) {
  test(`the writes oracle sees ${name}`, () => {
    const want = sequences.map((sequence) => ({ sequence, how }));
    assert.deepEqual(check(damage(file())).lost, want);
  });
}

test("the writes oracle sees another client's record", () => {
  const bytes = file();
  const record = recordBuffer(CLIENT + 1);
  encodeRecord(record, 4);
  record.copy(bytes, 4 * RECORD_BYTES);
  assert.deepEqual(check(bytes).lost, [{ sequence: 4, how: "other" }]);
});

test("the writes oracle sees a hole in the acknowledgements, and one given twice", () => {
  assert.deepEqual(check(file(), [0, 1, 3]).lost, [{ sequence: 2, how: "absent" }]);
  assert.deepEqual(check(file(), [0, 1, 1, 2]).lost, [{ sequence: 1, how: "twice" }]);
  assert.deepEqual(
    check(file(), [0, 2, 1]).lost.map((one) => one.how),
    ["absent", "twice"],
  );
});

test("errors count in their window, stale content is told apart, and a torn log is no clean log", () => {
  const log = parseLog(
    "h write 40 0 0\ns 1000 5 0\ne 2000 5 write EIO EIO: i/o error\ne 3000 5 read ESTALECONTENT old\ne 9000 5 fsync EIO late\n",
  );
  const logs = new Map([["home-write", log]]);
  const found = checkErrors(logs, { startUs: 0, endUs: 5000 });
  assert.equal(found.errorsSeenByApplications, 2);
  assert.equal(found.staleReads, 1);
  assert.equal(found.examples[0], "home-write: write EIO EIO: i/o error");
  assert.equal(checkErrors(logs, { startUs: 5000, endUs: 10_000 }).errorsSeenByApplications, 1);
  const torn = new Map([["home-write", parseLog("s 100 \n")]]);
  assert.equal(checkErrors(torn, { startUs: 0, endUs: 1 }).errorsSeenByApplications, 1);
});

test("the kernel's words for lost locks are counted", () => {
  const kernelLog = [
    "[ 10.0] NFS: home.lab.example: lost 3 locks",
    "[ 11.0] NFS: nfs4_reclaim_locks: Lock reclaim failed!",
    "[ 12.0] lockd: failed to reclaim lock for pid 812 (errno -13, status 4)",
    "[ 13.0] lockd: server home.lab.example OK",
  ].join("\n");
  assert.equal(countLostLocks(kernelLog), 5);
  assert.equal(countLostLocks(""), 0);
});

test("of what the kernel calls lost, as many as were being asked for are not known to have been held", () => {
  const line = "[ 10.0] NFS: home.lab.example: lost 3 locks";
  assert.deepEqual(
    [0, 1, 3, 4].map((inFlight) => countLostLocks(line, inFlight)),
    [3, 2, 0, 0],
  );
  assert.equal(countLostLocks(`${line}\n${line}`, 2), 2, "each line is a pass of its own");
  assert.equal(countLostLocks("lockd: failed to reclaim lock for pid 812 (errno -13, status 4)", 5), 1);
});
