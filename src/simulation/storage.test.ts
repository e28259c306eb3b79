import assert from "node:assert/strict";
import { test } from "node:test";
import { mayWrite, newLun, powerCycle, preempt, register, release, reserve, unregister } from "./storage.ts";

test("type 5: one holds it, whoever is registered writes, nobody else does", () => {
  const lun = newLun("naa.1", 3);
  assert.equal(reserve(lun, 0), "conflict");
  assert.ok(mayWrite(lun, 2));
  register(lun, 0);
  register(lun, 1);
  assert.equal(reserve(lun, 0), "good");
  assert.equal(reserve(lun, 1), "conflict");
  assert.deepEqual(
    [0, 1, 2].map((node) => mayWrite(lun, node)),
    [true, true, false],
  );
});

test("a preempt takes registration and reservation, tells the victim, and cannot be answered in kind", () => {
  const lun = newLun("naa.1", 2);
  register(lun, 0);
  register(lun, 1);
  reserve(lun, 0);
  assert.equal(preempt(lun, 1, 0), "good");
  assert.deepEqual([lun.holder, mayWrite(lun, 0), lun.attentions], [1, false, [1, 0]]);
  assert.equal(preempt(lun, 0, 1), "conflict");
  assert.equal(preempt(lun, 1, 0), "conflict");
});

test("a reservation ends with its holder's registration, or when it is given back", () => {
  const lun = newLun("naa.1", 2);
  register(lun, 0);
  register(lun, 1);
  reserve(lun, 0);
  assert.equal(release(lun, 1), "good");
  assert.equal(lun.holder, 0);
  assert.equal(release(lun, 0), "good");
  assert.deepEqual([lun.holder, lun.attentions], [undefined, [0, 1]]);
  reserve(lun, 0);
  assert.equal(unregister(lun, 0), "good");
  assert.equal(lun.holder, undefined);
  assert.equal(unregister(lun, 0), "conflict");
});

test("a storage that was without power tells everybody, and remembers all or nothing", () => {
  const lun = newLun("naa.1", 2);
  register(lun, 0);
  reserve(lun, 0);
  powerCycle(lun, true);
  assert.deepEqual([lun.holder, lun.attentions], [0, [1, 1]]);
  powerCycle(lun, false);
  assert.deepEqual([lun.holder, lun.keys.size], [undefined, 0]);
});
