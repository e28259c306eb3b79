/** A capture of one good move, and what is found when one thing in it is wrong. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { advertisement, arp, captured, smNotify, tcp, u32, udp, unreachable } from "../capture/fake-frames.ts";
import { judgeWire, type WireQuestion } from "./judge-wire.ts";
import type { CapturedFrame } from "../capture/pcap.ts";

const HOME = "10.77.0.50";
const C1 = "10.77.0.21";
const NODE = "10.77.0.12";
const START_MS = 1_795_000_000_000;

const SERVER = [HOME, 2049] as const;
const CLIENT = [C1, 812] as const;

type Timed = readonly [atMs: number, bytes: readonly number[]];

const request = tcp({ from: CLIENT, to: SERVER, flags: "A", sequence: 100, acknowledgement: 500 });
const answer = tcp({ from: SERVER, to: CLIENT, flags: "A", sequence: 500, acknowledgement: 100 });
const tickle = tcp({ from: SERVER, to: CLIENT, flags: "A", sequence: 0, acknowledgement: 0 });
const challenge = tcp({ from: CLIENT, to: SERVER, flags: "A", sequence: 101, acknowledgement: 501 });
const reset = tcp({ from: SERVER, to: CLIENT, flags: "R", sequence: 501 });
const syn = tcp({ from: CLIENT, to: SERVER, flags: "S", sequence: 9000 });
const refusal = tcp({ from: SERVER, to: CLIENT, flags: "RA", sequence: 0, acknowledgement: 9001 });
const fin = tcp({ from: SERVER, to: CLIENT, flags: "FA", sequence: 500, acknowledgement: 100 });
const notify = (name: string, state = 7, source = HOME, to = C1) =>
  udp([source, 700], [to, 662], smNotify(name, state));

/** Served; from 1000 silent; opened at 3000; tickled, reset, connected anew; notified with both forms of the name. */
const GOOD: readonly Timed[] = [
  [0, request],
  [1, answer],
  [900, request],
  [1010, answer],
  [1200, request],
  [1600, request],
  [3020, arp(HOME, HOME)],
  [3050, tickle],
  [3051, challenge],
  [3052, reset],
  [3060, syn],
  [3061, tcp({ from: SERVER, to: CLIENT, flags: "SA", sequence: 1, acknowledgement: 9001 })],
  [3400, notify("home.lab.example")],
  [3420, notify("home")],
];

const QUESTION: WireQuestion = {
  addresses: [HOME, "fd77::50"],
  names: ["home.lab.example", "home"],
  move: { silentFromMs: START_MS + 1000, openAtMs: START_MS + 3000, toleranceMs: 200 },
  holders: [{ name: "c1", addresses: ["10.0.2.15", C1] }],
  stateBefore: 5,
};

function frames(timed: readonly Timed[]): readonly CapturedFrame[] {
  return timed.toSorted(([a], [b]) => a - b).map(([atMs, bytes]) => captured(START_MS + atMs, bytes));
}

function findings(timed: readonly Timed[], question: WireQuestion = QUESTION): readonly string[] {
  return judgeWire(frames(timed), question).findings;
}

const without = (...gone: readonly (readonly number[])[]): readonly Timed[] =>
  GOOD.filter(([, bytes]) => !gone.includes(bytes));
const withMore = (...more: readonly Timed[]): readonly Timed[] => [...GOOD, ...more];

describe("a good move", () => {
  test("nothing is found; what was seen is told", () => {
    assert.deepEqual(judgeWire(frames(GOOD), QUESTION), {
      findings: [],
      facts: {
        silenceMs: 2010,
        resetsAfterOpening: 1,
        notifications: [
          { name: "home.lab.example", state: 7, afterOpeningMs: 380, source: HOME, destination: C1 },
          { name: "home", state: 7, afterOpeningMs: 400, source: HOME, destination: C1 },
        ],
      },
    });
  });

  test("another fileserver's connections, notifications and clients are none of it", () => {
    const media = ["10.77.0.51", 2049] as const;
    const others: readonly Timed[] = [
      [2000, tcp({ from: media, to: CLIENT, flags: "R" })],
      [2001, tcp({ from: CLIENT, to: media, flags: "S", sequence: 1 })],
      [2002, tcp({ from: media, to: CLIENT, flags: "RA", acknowledgement: 2 })],
      [2003, udp(["10.77.0.51", 700], [C1, 662], smNotify("media.lab.example", 4))],
      [2004, unreachable("10.77.0.51", { from: CLIENT, to: media, flags: "S" })],
      [2005, tcp({ from: CLIENT, to: SERVER, flags: "R" })],
    ];
    assert.deepEqual(findings(withMore(...others)), []);
  });

  test("connections that end in service, before the release, are not meant", () => {
    const { findings: found, facts } = judgeWire(frames(withMore([500, fin], [501, reset])), QUESTION);
    assert.deepEqual([found, facts.resetsAfterOpening], [[], 1]);
  });

  test("without its first announcements a tickle still shows the opening; so does a neighbour advertisement", () => {
    const announced = GOOD.filter(([atMs]) => atMs !== 3020);
    assert.deepEqual(findings(announced), []);
    assert.equal(judgeWire(frames(announced), QUESTION).facts.silenceMs, 2040);
    const advertised: readonly Timed[] = [...announced, [3010, advertisement("fd77::50", false)]];
    assert.equal(judgeWire(frames(advertised), QUESTION).facts.silenceMs, 2000);
  });
});

describe("the release", () => {
  test("a FIN or an RST before the opening is found, also in the last moment and where the clocks disagree", () => {
    for (const atMs of [850, 1005, 1400, 3019]) {
      assert.match(
        findings(withMore([atMs, fin])).join(),
        /^FIN while it was being released: 10\.77\.0\.50 port 2049 to/,
      );
      assert.match(findings(withMore([atMs, reset])).join(), /^RST while it was being released/, String(atMs));
    }
    assert.match(findings(withMore([1005, fin]))[0] ?? "", /\(1\.005 s into the capture\)$/);
  });

  test("an answer to a solicitation, or somebody who asks for the address, opens nothing", () => {
    const asked: readonly Timed[] = [
      [1500, advertisement("fd77::50", true)],
      [1501, arp(C1, HOME)],
      [1501, arp(HOME, C1)],
      [1502, arp(NODE, HOME)],
      [1503, arp("0.0.0.0", HOME)],
      [2000, fin],
    ];
    const [only, ...more] = findings(withMore(...asked));
    assert.match(only ?? "", /^FIN while it was being released/);
    assert.deepEqual(more, []);
  });

  test("without the move's times all before the announcement is the release", () => {
    const { move: _, ...question } = QUESTION;
    assert.deepEqual(findings(GOOD, question), []);
    assert.equal(findings(withMore([10, fin]), question).length, 1);
  });

  test("no announcement: nothing can be said of the release, and that is said", () => {
    const found = findings(GOOD.filter(([atMs]) => atMs !== 3020 && atMs !== 3050 && atMs !== 3052));
    assert.match(found[0] ?? "", /^the capture shows no opening/);
    assert.match(findings([]).join(), /no opening/);
  });

  test("an announcement before the address is to be opened is found; one within the tolerance is not", () => {
    assert.match(findings(withMore([2700, arp(HOME, HOME)])).join(), /^the address was announced 300 ms before/);
    assert.deepEqual(findings(withMore([2850, arp(HOME, HOME)])), []);
  });
});

describe("a refused connection", () => {
  test("a reset that acknowledges a SYN is found at any time, once for each connection", () => {
    for (const atMs of [100, 1300, 3500]) {
      const found = findings(withMore([atMs, syn], [atMs + 1, refusal], [atMs + 2, syn], [atMs + 3, refusal]));
      const refused = found.filter((finding) =>
        finding.startsWith("connection refused, 2 times: 10.77.0.50 port 2049"),
      );
      assert.equal(refused.length, 1, found.join("\n"));
    }
  });

  test("the last sequence number wraps", () => {
    const last = tcp({ from: CLIENT, to: SERVER, flags: "S", sequence: 0xffff_ffff });
    const zero = tcp({ from: SERVER, to: CLIENT, flags: "RA", sequence: 0, acknowledgement: 0 });
    assert.equal(findings(withMore([3500, last], [3501, zero])).length, 1);
  });

  test("resets of other segments and of other connections are no refusals", () => {
    const other = tcp({ from: SERVER, to: [C1, 813], flags: "RA", sequence: 0, acknowledgement: 9001 });
    const later = tcp({ from: SERVER, to: CLIENT, flags: "RA", sequence: 1, acknowledgement: 9050 });
    const bare = tcp({ from: SERVER, to: CLIENT, flags: "R", sequence: 0, acknowledgement: 9001 });
    assert.deepEqual(findings(withMore([3500, other], [3501, later], [3502, reset], [3503, bare])), []);
  });

  test("an answer that nobody can be reached is found, whoever gives it", () => {
    for (const source of [HOME, NODE]) {
      const found = findings(withMore([3500, unreachable(source, { from: CLIENT, to: SERVER, flags: "S" })]));
      const datagram = { from: CLIENT, to: SERVER, flags: "", protocol: 17 };
      assert.deepEqual(findings(withMore([3500, unreachable(source, datagram)])), []);
      assert.deepEqual(found, [`${source} told ${C1} that ${HOME} is not reachable (3.500 s into the capture)`]);
    }
  });
});

describe("notifications", () => {
  const [full, short] = GOOD.slice(-2).map(([, bytes]) => bytes) as [readonly number[], readonly number[]];

  test("a holder of locks that is not told is found; another client's is not its own", () => {
    assert.deepEqual(findings(without(full, short)), ["c1 held a lock and was not notified"]);
    const elsewhere = [...without(full, short), [3400, notify("home", 7, HOME, "10.77.0.22")] as const];
    assert.deepEqual(findings(elsewhere), ["c1 held a lock and was not notified"]);
    assert.deepEqual(findings(without(full, short), { ...QUESTION, holders: [] }), []);
  });

  test("one of before the move does not count", () => {
    assert.deepEqual(findings([...without(full, short), [100, notify("home")]]), [
      "c1 held a lock and was not notified",
    ]);
  });

  test("from a node's own address it is found, and does not count as told", () => {
    const found = findings([...without(full, short), [3400, notify("home.lab.example", 7, NODE)]]);
    assert.deepEqual(found, [
      `${C1} was notified of home.lab.example by ${NODE}, not by its address`,
      "c1 held a lock and was not notified",
    ]);
  });

  test("of another name it is found", () => {
    assert.deepEqual(findings(withMore([3500, notify("n2")])), [
      `${C1} was notified of n2, which is not the fileserver's name`,
    ]);
  });

  test("an even state number is found", () => {
    const found = findings([...without(full, short), [3400, notify("home", 8)]]);
    assert.deepEqual(found, ['the state number 8 is even: "I am down"']);
  });

  test("a state number that did not grow is found; the first of all has nothing to be compared with", () => {
    for (const stateBefore of [7, 9])
      assert.deepEqual(findings(GOOD, { ...QUESTION, stateBefore }), [
        `the state number 7 is not higher than ${stateBefore}, that of the move before`,
      ]);
    const { stateBefore: _, ...question } = QUESTION;
    assert.deepEqual(findings(GOOD, question), []);
  });

  test("two numbers in one move are found", () => {
    assert.deepEqual(findings(withMore([3500, notify("home", 9)])), [
      "notifications of one move have different state numbers: 7, 9",
    ]);
  });

  test("over TCP they count as well", () => {
    const call = smNotify("home", 7);
    const record = [...u32(0x8000_0000 + call.length), ...call];
    const sent = tcp({ from: [HOME, 700], to: [C1, 662], flags: "A", payload: record });
    assert.deepEqual(findings([...without(full, short), [3400, sent]]), []);
  });
});
