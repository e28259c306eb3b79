import assert from "node:assert/strict";
import { test } from "node:test";
import { MAPPER_RULES, readAheadOfMountsOnly } from "./udev-rules.ts";

// nfs-utils 2.8.3, Debian 13: the whole file.
const DEBIAN_13 = `SUBSYSTEM=="bdi", ACTION=="add", PROGRAM="/usr/libexec/nfsrahead %k", ATTR{read_ahead_kb}="%c"\n`;

test("nfsrahead is asked for mounts without a driver only, whose major number is 0", () => {
  const text = readAheadOfMountsOnly(DEBIAN_13);
  assert.deepEqual(text?.split("\n").slice(1), [
    'SUBSYSTEM=="bdi", ACTION=="add", KERNEL=="0:*", PROGRAM="/usr/libexec/nfsrahead %k", ATTR{read_ahead_kb}="%c"',
    "",
  ]);
});

test("a rule that is not the known one is left alone", () => {
  for (const text of ["", 'SUBSYSTEM=="bdi", ACTION=="add", KERNEL=="0:*", PROGRAM="x"\n', DEBIAN_13 + DEBIAN_13])
    assert.equal(readAheadOfMountsOnly(text), undefined);
});

test("only the number of an event for which nobody waits is taken from device mapper's rules", () => {
  // Recorded from `udevadm monitor --kernel --property` on Debian 13: lvchange and dmsetup with --noudevsync, then a
  // dmsetup create that waits.
  assert.match(MAPPER_RULES, /^ENV\{DM_COOKIE\}!="6291456", GOTO="holdfast_end"$/m);
  assert.doesNotMatch(MAPPER_RULES, /6317479/);
});
