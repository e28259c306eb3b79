import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Timeline } from "../../wire/timeline.ts";
import { arp, smNotify, tcp, udp } from "../capture/fake-frames.ts";
import type { WireQuestion } from "./judge-wire.ts";
import { judgeRecorded } from "./wire-check.ts";

const HOME = "10.77.0.50";
const C1 = "10.77.0.21";
/** The node's clock is 40 s ahead of the one that records. */
const DIFFERENCE = { offsetMs: 40_000, errorMs: 50 };
const ZERO_MS = 1_795_000_000_000;

const QUESTION: WireQuestion = {
  addresses: [HOME],
  names: ["home.lab.example", "home"],
  holders: [{ name: "c1", addresses: [C1] }],
};

function timeline(...steps: readonly (readonly [step: string, startMs: number, endMs: number])[]): Timeline {
  return {
    id: "1",
    kind: "move",
    fileserver: "home",
    node: "n2",
    startedAtMs: ZERO_MS + DIFFERENCE.offsetMs,
    outcome: "done",
    steps: steps.map(([step, startMs, endMs]) => ({ step, node: "n1", startMs, endMs, outcome: "done" })),
  };
}

const MOVE = timeline(["sync-volumes", 0, 400], ["hold-requests", 480, 500], ["open-address", 2000, 2100]);

/** As the lab writes it; milliseconds after the timeline's zero. */
function pcap(...frames: readonly (readonly [atMs: number, bytes: readonly number[]])[]): Uint8Array {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt32LE(1, 20);
  const records = frames.map(([atMs, bytes]) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor((ZERO_MS + atMs) / 1000), 0);
    record.writeUInt32LE(((ZERO_MS + atMs) % 1000) * 1000, 4);
    record.writeUInt32LE(bytes.length, 8);
    return Buffer.concat([record, Buffer.from(bytes)]);
  });
  return Buffer.concat([header, ...records]);
}

const fin = tcp({ from: [HOME, 2049], to: [C1, 812], flags: "FA" });
const answer = tcp({ from: [HOME, 2049], to: [C1, 812], flags: "A" });
const notified = udp([HOME, 700], [C1, 662], smNotify("home", 7));
const GOOD = [
  [100, fin],
  [510, answer],
  [2050, arp(HOME, HOME)],
  [2500, notified],
] as const;

const judged = (recorded: Uint8Array, run = MOVE) =>
  judgeRecorded(QUESTION, { recorded: { path: "a.pcap", pcap: recorded }, timeline: run, difference: DIFFERENCE });

describe("a recorded move", () => {
  test("is judged by its own timeline, on the clock of the recording", () => {
    const { findings, facts } = judged(pcap(...GOOD));
    assert.deepEqual(findings, []);
    assert.equal(facts.silenceMs, 1540);
    // 500 ms less 50 for the clocks and 200 for the steps: what ends a connection from there on is found.
    assert.equal(judged(pcap([240, fin], ...GOOD.slice(1))).findings.length, 0);
    assert.match(judged(pcap([260, fin], ...GOOD.slice(1))).findings.join(), /^FIN while it was being released/);
    assert.match(judged(pcap([1740, arp(HOME, HOME)], [2500, notified])).findings.join(), /announced 260 ms before/);
  });

  test("a recording that lacks its end, or a timeline that tells nothing, is no good result", () => {
    assert.match(judged(pcap(...GOOD).subarray(0, -1)).findings.join(), /ends inside a frame/);
    const ended = { path: "a.pcap", pcap: pcap(...GOOD), endedBecause: "the disk is full" };
    const { findings } = judgeRecorded(QUESTION, { recorded: ended, timeline: MOVE, difference: DIFFERENCE });
    assert.deepEqual(findings, ["the recording ended early: the disk is full"]);
    const found = judged(pcap(...GOOD.slice(1)), timeline(["mount-volume:data", 0, 10])).findings;
    assert.deepEqual(found, ["the timeline tells neither silence nor opening"]);
  });
});
