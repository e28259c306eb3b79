import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { FAULT_USAGE, parseFault, type FaultOptions, type LabFault } from "./fault-words.ts";

const MACHINES = ["st", "n1", "n2", "c1"];

const GOOD: readonly (readonly [string, FaultOptions, LabFault])[] = [
  ["power-off n1", {}, { kind: "power-off", machine: "n1" }],
  ["power-on n1", {}, { kind: "power-on", machine: "n1" }],
  ["reset st", {}, { kind: "reset", machine: "st" }],
  ["freeze n1", {}, { kind: "freeze", machine: "n1" }],
  ["thaw n1", {}, { kind: "thaw", machine: "n1" }],
  ["panic n2", {}, { kind: "panic", machine: "n2" }],
  ["cut n1 ring", {}, { kind: "cut", machine: "n1", network: "ring", direction: "both" }],
  ["cut n1 san", { direction: "out" }, { kind: "cut", machine: "n1", network: "san", direction: "out" }],
  ["loss c1 lan", { percent: 2.5 }, { kind: "loss", machine: "c1", network: "lan", direction: "both", percent: 2.5 }],
  [
    "delay c1 lan",
    { ms: 30, jitter: 5, direction: "in" },
    { kind: "delay", machine: "c1", network: "lan", direction: "in", delayMs: 30, jitterMs: 5 },
  ],
  ["heal", {}, { kind: "heal" }],
  ["heal all", {}, { kind: "heal" }],
  ["heal n1 lan", {}, { kind: "heal", target: "n1", network: "lan" }],
  ["heal lun0", {}, { kind: "heal", target: "lun0" }],
  ["slow-disk lun0", { iops: 5 }, { kind: "slow-disk", disk: "lun0", iops: 5 }],
  ["slow-disk n1", { bytesPerSecond: 1000 }, { kind: "slow-disk", disk: "n1", bytesPerSecond: 1000 }],
  ["fail-disk lun1", {}, { kind: "fail-disk", disk: "lun1", operations: ["read", "write", "flush"] }],
  ["fail-disk lun1", { on: "write,flush" }, { kind: "fail-disk", disk: "lun1", operations: ["write", "flush"] }],
  ["kill n1 rpc.mountd", {}, { kind: "kill", machine: "n1", process: "rpc.mountd", signal: "KILL" }],
  ["kill n1 812", { signal: "STOP" }, { kind: "kill", machine: "n1", process: "812", signal: "STOP" }],
];

const BAD: readonly (readonly [string, FaultOptions, RegExp])[] = [
  ["", {}, /kind of fault/],
  ["explode n1", {}, /"explode" is not known/],
  ["freeze", {}, /machine: not given/],
  ["freeze n9", {}, /"n9" is not known/],
  ["freeze n1 lan", {}, /too many words/],
  ["cut n1", {}, /network: not given/],
  ["cut n1 wan", {}, /"wan" is not known/],
  ["cut n1 lan", { direction: "up" }, /"up" is not known/],
  ["loss n1 lan", {}, /--percent is missing/],
  ["loss n1 lan", { percent: 101 }, /--percent must be from 0 to 100/],
  ["delay n1 lan", { ms: -1 }, /--ms must be/],
  ["slow-disk lun0", {}, /no limit given/],
  ["slow-disk lun9", { iops: 1 }, /"lun9" is not known/],
  ["fail-disk lun0", { on: "trim" }, /"trim" is not known/],
  ["kill n1", {}, /no process given/],
  ["kill n1 x", { signal: "KABOOM" }, /"KABOOM" is not known/],
  ["heal n1 lan san", {}, /too many words/],
];

function words(line: string): readonly string[] {
  return line.split(" ").filter((word) => word !== "");
}

describe("faults as the command line says them", () => {
  for (const [line, options, fault] of GOOD) {
    test(`${line} ${JSON.stringify(options)}`, () =>
      assert.deepEqual(parseFault(words(line), options, MACHINES), fault));
  }

  test("every kind is among them", () => {
    const kinds = new Set(GOOD.map(([, , fault]) => fault.kind));
    assert.deepEqual([...kinds].sort(), Object.keys(FAULT_USAGE).sort());
  });
});

describe("wrong faults name what is wrong", () => {
  for (const [line, options, message] of BAD) {
    test(`"${line}" ${JSON.stringify(options)}`, () => {
      assert.throws(
        () => parseFault(words(line), options, MACHINES),
        (error) => error instanceof Fault && error.kind === "invalid" && message.test(error.message),
      );
    });
  }
});
