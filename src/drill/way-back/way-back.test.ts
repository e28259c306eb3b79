import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readPcap, type CapturedFrame } from "../capture/pcap.ts";
import { OPERATION, type NfsEnds } from "./nfs-messages.ts";
import { compoundCall, nfs3Call, nfsReply, playedConnection } from "./played-nfs.ts";
import { findWayBack, wayBackSteps, type WayBack, type WayBackQuestion } from "./way-back.ts";

const { SEQUENCE, PUTFH, OPEN, LOCK, CREATE_SESSION, RECLAIM_COMPLETE } = OPERATION;
const ENDS: NfsEnds = { client: ["10.77.0.21"], fileserver: ["10.77.0.50"] };
const QUESTION: WayBackQuestion = { ...ENDS, protocol: "v4.2", silentAtMs: 1_000 };

describe("a recorded way back (Linux 6.12 over v4.2)", () => {
  const { frames } = readPcap(
    readFileSync(join(import.meta.dirname, "../../../tests/recorded/nfs/way-back-v4.2.pcap")),
  );
  // The recording of which this is a part began 84 s before; its times are told by tshark.
  const ZERO_MS = 1_795_296_745_347.566;
  const question = { ...QUESTION, silentAtMs: ZERO_MS + 84_000 };

  test("every part of it is found", () => {
    const found = findWayBack(frames, question);
    assert.deepEqual(wayBackSteps(found as WayBack, { node: "c1", zeroMs: ZERO_MS, openedMs: 84_005 }), [
      { step: "client-reconnect", ...from(84_005, 84_046), detail: "connects after 7 ms, asks after 11 ms" },
      { step: "client-session", ...from(84_046, 84_069) },
      { step: "client-reclaim", ...from(84_069, 84_258), detail: "5 opens, 8 locks" },
      { step: "client-reclaim-complete", ...from(84_258, 84_335) },
    ]);
  });

  test("of another client, fileserver or protocol there is none in it", () => {
    for (const other of [{ client: ["10.77.0.22"] }, { fileserver: ["10.77.0.51"] }, { protocol: "v4.1" }] as const) {
      assert.equal(findWayBack(frames, { ...question, ...other }), undefined);
    }
  });

  test("frames that come twice, or that the recording ends before, change nothing that is there", () => {
    const whole = findWayBack(frames, question);
    const twice = frames.flatMap(({ atMs, bytes }) => [
      { atMs, bytes },
      { atMs: atMs + 0.4, bytes },
    ]);
    assert.deepEqual(withoutConnect(findWayBack(twice, question)), withoutConnect(whole));
    const until = (ms: number): WayBack | undefined =>
      findWayBack(
        frames.filter(({ atMs }) => atMs < ZERO_MS + ms),
        question,
      );
    assert.equal(until(84_040), undefined);
    assert.deepEqual(until(84_060)?.session, undefined);
    assert.deepEqual(until(84_200)?.session, { createdAtMs: whole?.session?.createdAtMs });
    assert.equal(until(84_300)?.session?.reclaim?.completeAnsweredAtMs, undefined);
    assert.equal(until(84_300)?.session?.reclaim?.locks, 8);
  });
});

/** A SYN that comes twice is tried twice. */
function withoutConnect(found: WayBack | undefined): Partial<WayBack> {
  const { connectedAtMs: _, askedAtMs: __, ...rest } = found ?? { answeredAtMs: 0 };
  return rest;
}

function from(startMs: number, endMs: number): { node: string; startMs: number; endMs: number; outcome: "done" } {
  return { node: "c1", startMs, endMs, outcome: "done" };
}

const old = playedConnection(ENDS, 700);
const fresh = playedConnection(ENDS, 701);
const BADSESSION = 10_052;
const STALE_CLIENTID = 10_022;
const DELAY = 10_008;
const COMPLETE_ALREADY = 10_054;

const session = (xid: number): Uint8Array => compoundCall(xid, [CREATE_SESSION]);
const reclaimed = (xid: number): Uint8Array => compoundCall(xid, [SEQUENCE, RECLAIM_COMPLETE]);
const lock = (xid: number): Uint8Array => compoundCall(xid, [SEQUENCE, PUTFH, LOCK]);
const open = (xid: number): Uint8Array => compoundCall(xid, [SEQUENCE, PUTFH, OPEN]);

interface Played {
  readonly name: string;
  readonly frames: readonly CapturedFrame[];
  readonly question?: Partial<WayBackQuestion>;
  readonly found: WayBack | undefined;
}

const ANSWERED = [fresh.asks(1_500, lock(1)), fresh.answers(1_510, nfsReply(1, BADSESSION))];
const CREATED = [...ANSWERED, fresh.asks(1_520, session(2)), fresh.answers(1_530, nfsReply(2))];

const plays: readonly Played[] = [
  { name: "nothing", frames: [], found: undefined },
  {
    name: "the old server's last answers, and what was sent into the silence",
    frames: [
      old.asks(900, lock(1)),
      old.answers(999, nfsReply(1)),
      old.asks(1_100, lock(2)),
      fresh.connects(1_200),
      fresh.connects(1_450),
      fresh.asks(1_460, lock(2)),
      fresh.answers(1_470, nfsReply(2, BADSESSION)),
    ],
    found: { connectedAtMs: 1_450, askedAtMs: 1_460, answeredAtMs: 1_470 },
  },
  { name: "an answer to nobody knows what", frames: [fresh.answers(1_500, nfsReply(9))], found: undefined },
  {
    name: "a session that is refused first, and one that is made twice",
    frames: [
      ...ANSWERED,
      fresh.asks(1_520, session(2)),
      fresh.answers(1_530, nfsReply(2, STALE_CLIENTID)),
      fresh.asks(1_540, session(3)),
      fresh.answers(1_550, nfsReply(3)),
      fresh.asks(1_555, lock(4)),
      fresh.asks(1_560, session(5)),
      fresh.answers(1_570, nfsReply(5)),
      fresh.asks(1_580, lock(6)),
      fresh.asks(1_590, reclaimed(7)),
    ],
    found: {
      answeredAtMs: 1_510,
      session: { createdAtMs: 1_570, reclaim: { opens: 0, locks: 1, completeAskedAtMs: 1_590 } },
    },
  },
  {
    name: "no session that is seen: what follows it does not count",
    frames: [...ANSWERED, fresh.asks(1_590, reclaimed(7)), fresh.answers(1_600, nfsReply(7))],
    found: { answeredAtMs: 1_510 },
  },
  {
    name: "requests and answers that come twice, and RECLAIM_COMPLETE that has to wait",
    frames: [
      ...CREATED,
      fresh.asks(1_540, open(3)),
      fresh.asks(1_745, open(3)),
      fresh.answers(1_750, nfsReply(3)),
      fresh.answers(1_751, nfsReply(3)),
      fresh.asks(1_760, lock(4)),
      fresh.answers(1_770, nfsReply(4)),
      fresh.asks(1_780, reclaimed(5)),
      fresh.answers(1_790, nfsReply(5, DELAY)),
      fresh.asks(1_890, reclaimed(6)),
      fresh.answers(1_900, nfsReply(6)),
      fresh.answers(1_905, nfsReply(6)),
      fresh.asks(1_910, lock(7)),
    ],
    found: {
      answeredAtMs: 1_510,
      session: {
        createdAtMs: 1_530,
        reclaim: { opens: 1, locks: 1, completeAskedAtMs: 1_780, completeAnsweredAtMs: 1_900 },
      },
    },
  },
  {
    name: "nothing held, and an answer that says that it was all known",
    frames: [...CREATED, fresh.asks(1_540, reclaimed(3)), fresh.answers(1_560, nfsReply(3, COMPLETE_ALREADY))],
    found: {
      answeredAtMs: 1_510,
      session: {
        createdAtMs: 1_530,
        reclaim: { opens: 0, locks: 0, completeAskedAtMs: 1_540, completeAnsweredAtMs: 1_560 },
      },
    },
  },
  {
    name: "v3: the same request again, and its answer; v4.2 beside it is another mount's",
    question: { protocol: "v3" },
    frames: [
      old.asks(990, nfs3Call(1)),
      old.asks(1_300, nfs3Call(1)),
      ...CREATED,
      old.connects(1_600),
      old.asks(1_610, nfs3Call(1)),
      old.answers(1_620, nfsReply(1)),
    ],
    found: { connectedAtMs: 1_600, askedAtMs: 1_610, answeredAtMs: 1_620 },
  },
];

describe("a played way back", () => {
  for (const { name, frames, question, found } of plays) {
    test(name, () => assert.deepEqual(findWayBack(frames, { ...QUESTION, ...question }), found));
  }

  test("over IPv6", () => {
    const ends: NfsEnds = { client: ["fd77::21"], fileserver: ["fd77::50"] };
    const six = playedConnection(ends);
    const frames = [six.connects(1_400), six.asks(1_410, lock(1)), six.answers(1_420, nfsReply(1))];
    const found = { connectedAtMs: 1_400, askedAtMs: 1_410, answeredAtMs: 1_420 };
    assert.deepEqual(findWayBack(frames, { ...QUESTION, ...ends }), found);
  });
});

test("an answer that the clocks put before the opening takes no time, and says nothing of what it does not know", () => {
  const steps = wayBackSteps(
    { answeredAtMs: 1_510, session: { createdAtMs: 1_530 } },
    { node: "c1", zeroMs: 500, openedMs: 1_020.4 },
  );
  assert.deepEqual(steps, [
    { step: "client-reconnect", ...from(1_020, 1_020) },
    { step: "client-session", ...from(1_020, 1_030) },
  ]);
});
