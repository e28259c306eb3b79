import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { addressBytes, captured, ethernet, u16, u32 } from "./fake-frames.ts";
import { readPcap, type CapturedFrame } from "./pcap.ts";
import { pingedClockOffsetMs } from "./ping-stamps.ts";

const CLIENT = "10.77.0.21";
const NODE = "10.77.0.11";
const DAY_MS = 86_400_000;

interface Ping {
  readonly type: number;
  readonly source: string;
  readonly destination: string;
  readonly sequence: number;
  readonly stampsMs: readonly number[];
  /** 1: with addresses. */
  readonly flag?: number;
}

/** As `ping -T tsandaddr` sends it, and the kernel answers. */
function ping(atMs: number, { type, source, destination, sequence, stampsMs, flag = 1 }: Ping): CapturedFrame {
  const stamps = [CLIENT, NODE, NODE, CLIENT].flatMap((one, at) => {
    const stampMs = stampsMs[at];
    return stampMs === undefined ? [...u32(0), ...u32(0)] : [...addressBytes(one), ...u32(stampMs)];
  });
  const option = [68, 36, 5 + stampsMs.length * 8, flag, ...stamps];
  const ends = [...addressBytes(source), ...addressBytes(destination)];
  const header = [0x4e, 0, ...u16(120), ...u32(0), 64, 1, ...u16(0), ...ends, ...option];
  return captured(atMs, ethernet(0x0800, [...header, type, 0, ...u16(0), ...u16(77), ...u16(sequence), ...u32(0)]));
}

function request(atMs: number, sequence: number): CapturedFrame {
  return ping(atMs, { type: 8, source: CLIENT, destination: NODE, sequence, stampsMs: [5] });
}

function reply(atMs: number, sequence: number, stampsMs: readonly number[], parts: Partial<Ping> = {}): CapturedFrame {
  return ping(atMs, { type: 0, source: NODE, destination: CLIENT, sequence, stampsMs, ...parts });
}

test("the pings of a real drill: the node's clock was 370 ms behind the recording's", () => {
  const path = join(import.meta.dirname, "../../../tests/recorded/nfs/way-back-v4.2.pcap");
  const offsetMs = pingedClockOffsetMs(readPcap(readFileSync(path)).frames, [CLIENT]);
  assert.equal(Math.round(offsetMs ?? 0), -370);
});

test("half the way there and half the way back, and the median over the pings", () => {
  const frames = [
    request(1_000, 1),
    reply(1_010, 1, [5, 1_502, 1_508]),
    request(2_000, 2),
    reply(2_100, 2, [5, 2_599, 2_600]),
    request(3_000, 3),
    reply(3_010, 3, [5, 3_504, 3_508]),
  ];
  assert.equal(pingedClockOffsetMs(frames, [CLIENT]), 501);
  assert.equal(pingedClockOffsetMs(frames, ["10.77.0.22"]), undefined);
});

test("midnight between two clocks", () => {
  const frames = [request(DAY_MS - 100, 1), reply(DAY_MS - 90, 1, [5, 400, 410])];
  assert.equal(pingedClockOffsetMs(frames, [CLIENT]), 500);
});

test("what is no such ping tells nothing", () => {
  const all = [
    [reply(1_010, 1, [5, 1_502, 1_508])],
    [request(1_000, 1), reply(1_010, 2, [5, 1_502, 1_508])],
    [request(1_000, 1), reply(1_010, 1, [5, 1_502])],
    [request(1_000, 1), reply(1_010, 1, [5, 1_502, 1_508], { flag: 0 })],
    [request(1_000, 1), { ...reply(1_010, 1, [5, 1_502, 1_508]), bytes: new Uint8Array(20) }],
  ];
  for (const frames of all) assert.equal(pingedClockOffsetMs(frames, [CLIENT]), undefined);
});
