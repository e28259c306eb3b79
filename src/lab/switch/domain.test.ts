import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addPort,
  inject,
  learnedMacs,
  makeDomain,
  nextReleaseMs,
  plug,
  receive,
  releaseDue,
  setRule,
  unplug,
  type Domain,
} from "./domain.ts";
import { DELAY_LINE_BYTES_MAX } from "./delay-line.ts";
import { formatMac, parseMac, withPrefix } from "./frame.ts";
import { seededRandom } from "./random.ts";
import { MAC_AGE_MS_MAX, MACS_MAX } from "./table.ts";

const BROADCAST = "ff:ff:ff:ff:ff:ff";
const MULTICAST = "01:00:5e:00:00:01";
const A = "02:00:00:00:00:0a";
const B = "02:00:00:00:00:0b";
const C = "02:00:00:00:00:0c";
const ELSEWHERE = "02:00:00:00:00:ff";

interface Bench {
  readonly domain: Domain;
  /** What each machine got, as the frame's payload. */
  readonly got: Record<string, string[]>;
  readonly send: (machine: string, to: string, from: string, payload?: string, nowMs?: number) => void;
}

function frame(to: string, from: string, payload = ""): Buffer {
  const bytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(":", ""), "hex");
  return withPrefix(Buffer.concat([bytes(to), bytes(from), Buffer.from([0x08, 0x00]), Buffer.from(payload)]));
}

function bench(machines: readonly string[] = ["a", "b", "c"], seed = 1): Bench {
  const domain = makeDomain("lan", seededRandom(seed));
  const got: Record<string, string[]> = {};
  for (const machine of machines) {
    const received: string[] = [];
    got[machine] = received;
    plug(addPort(domain, machine), (wire, start, end) => {
      received.push(wire.toString("utf8", start + 18, end));
      return true;
    });
  }
  return {
    domain,
    got,
    send: (machine, to, from, payload = "x", nowMs = 0) => {
      const wire = frame(to, from, payload);
      receive(domain, portOf(domain, machine), wire, 0, wire.length, nowMs);
    },
  };
}

function portOf(domain: Domain, machine: string): Domain["ports"][number] {
  const port = domain.ports.find((port) => port.machine === machine);
  assert.ok(port);
  return port;
}

test("broadcast, multicast and unknown unicast reach every other port, and never the one they came from", () => {
  for (const to of [BROADCAST, MULTICAST, ELSEWHERE]) {
    const { got, send } = bench();
    send("a", to, A);
    assert.deepEqual(got, { a: [], b: ["x"], c: ["x"] }, to);
  }
});

test("a learned address gets its frames alone; a frame for the port it came from goes nowhere", () => {
  const { got, send } = bench();
  send("b", BROADCAST, B, "hello");
  send("a", B, A, "to b");
  assert.deepEqual(got, { a: ["hello"], b: ["to b"], c: ["hello"] });
  send("b", B, C, "to itself");
  assert.deepEqual(got, { a: ["hello"], b: ["to b"], c: ["hello"] });
});

test("an address that moved is followed from its first frame on the new port, and only from then", () => {
  const { domain, got, send } = bench();
  send("a", BROADCAST, ELSEWHERE, "1");
  send("c", ELSEWHERE, C, "2");
  send("b", BROADCAST, ELSEWHERE, "3");
  send("c", ELSEWHERE, C, "4");
  assert.deepEqual(got, { a: ["2", "3"], b: ["1", "4"], c: ["1", "3"] });
  assert.deepEqual(learnedMacs(domain, portOf(domain, "b"), 0).map(formatMac), [ELSEWHERE]);
});

test("an address not heard of for the ageing time is flooded again", () => {
  const { got, send } = bench();
  send("b", BROADCAST, B, "hello", 0);
  send("a", B, A, "young", MAC_AGE_MS_MAX);
  send("a", B, A, "old", MAC_AGE_MS_MAX + 1);
  assert.deepEqual(got["c"], ["hello", "old"]);
});

test("a full table learns nothing new, floods, and forgets the aged to make room", () => {
  const { domain, got, send } = bench();
  for (let index = 0; index < MACS_MAX; index += 1) send("a", A, formatMac(parseMac(ELSEWHERE) + 2 + index * 256));
  send("b", A, B);
  assert.deepEqual(learnedMacs(domain, portOf(domain, "b"), 0), []);
  send("b", A, B, "later", MAC_AGE_MS_MAX + 1);
  assert.deepEqual(learnedMacs(domain, portOf(domain, "b"), MAC_AGE_MS_MAX + 1).map(formatMac), [B]);
  assert.equal(domain.table.entries.size, 1);
  assert.ok(got["c"]?.includes("later"));
});

test("a group address as the sender is not learned", () => {
  const { domain, send } = bench();
  send("a", B, MULTICAST);
  assert.equal(domain.table.entries.size, 0);
});

test("an unplugged machine gets nothing, and what was learned on its port is forgotten", () => {
  const { domain, got, send } = bench();
  send("b", BROADCAST, B, "hello");
  unplug(domain, portOf(domain, "b"));
  send("a", B, A, "where is b");
  assert.deepEqual(got, { a: ["hello"], b: [], c: ["hello", "where is b"] });
});

test("a frame shorter than an Ethernet header is dropped and counted", () => {
  const { domain, got } = bench();
  const wire = withPrefix(Buffer.alloc(13, 0xff));
  receive(domain, portOf(domain, "a"), wire, 0, wire.length, 0);
  assert.deepEqual(got, { a: [], b: [], c: [] });
  assert.equal(portOf(domain, "a").counters.droppedMalformed, 1);
});

test("cut: nothing that way, everything the other way; healed, all again", () => {
  const { domain, got, send } = bench(["a", "b"]);
  const exchange = (): void => {
    send("a", B, A, "to b");
    send("b", A, B, "to a");
  };
  setRule(domain, portOf(domain, "b"), "in", { cut: true }, 0);
  exchange();
  assert.deepEqual(got, { a: ["to a"], b: [] });
  setRule(domain, portOf(domain, "b"), "in", { cut: false }, 0);
  setRule(domain, portOf(domain, "b"), "out", { cut: true }, 0);
  exchange();
  assert.deepEqual(got, { a: ["to a"], b: ["to b"] });
  setRule(domain, portOf(domain, "b"), "out", { cut: false }, 0);
  exchange();
  assert.deepEqual(got, { a: ["to a", "to a"], b: ["to b", "to b"] });
  assert.equal(portOf(domain, "b").counters.droppedByCut, 2);
});

test("what a cut swallows teaches the table nothing", () => {
  const { domain, got, send } = bench();
  setRule(domain, portOf(domain, "b"), "out", { cut: true }, 0);
  send("a", BROADCAST, ELSEWHERE, "1");
  send("b", BROADCAST, ELSEWHERE, "2");
  send("c", ELSEWHERE, C, "3");
  assert.deepEqual(got, { a: ["3"], b: ["1"], c: ["1"] });
});

test("loss drops about as many as it says, the same ones for the same seed", () => {
  const run = (seed: number): string[] => {
    const { domain, got, send } = bench(["a", "b"], seed);
    setRule(domain, portOf(domain, "b"), "in", { loss: 0.25 }, 0);
    for (let index = 0; index < 2000; index += 1) send("a", B, A, String(index));
    assert.equal(portOf(domain, "b").counters.droppedByLoss + (got["b"]?.length ?? 0), 2000);
    return got["b"] ?? [];
  };
  assert.deepEqual(run(7), run(7));
  assert.notDeepEqual(run(7), run(8));
  assert.ok(Math.abs(run(7).length - 1500) < 100, `${run(7).length} of 2000 came through`);
});

test("delay holds frames in both directions for its time, in order, and the caller learns when to come back", () => {
  const { domain, got, send } = bench(["a", "b"]);
  setRule(domain, portOf(domain, "a"), "out", { delayMs: 10 }, 0);
  setRule(domain, portOf(domain, "b"), "in", { delayMs: 5 }, 0);
  send("a", B, A, "1", 100);
  send("a", B, A, "2", 102);
  assert.equal(nextReleaseMs(domain), 110);
  releaseDue(domain, 110);
  assert.deepEqual(got["b"], []);
  assert.equal(nextReleaseMs(domain), 112);
  releaseDue(domain, 112);
  assert.equal(nextReleaseMs(domain), 115);
  releaseDue(domain, 115);
  assert.deepEqual(got["b"], ["1"]);
  releaseDue(domain, 117);
  assert.deepEqual(got["b"], ["1", "2"]);
  assert.equal(nextReleaseMs(domain), undefined);
});

test("jitter spreads the delay but never changes the order", () => {
  const { domain, got, send } = bench(["a", "b"]);
  setRule(domain, portOf(domain, "b"), "in", { jitterMs: 50 }, 0);
  const sent: string[] = [];
  for (let nowMs = 0; nowMs < 300; nowMs += 1) {
    sent.push(String(nowMs));
    send("a", B, A, String(nowMs), nowMs);
    releaseDue(domain, nowMs);
  }
  assert.ok((got["b"]?.length ?? 0) < 300);
  releaseDue(domain, 350);
  assert.deepEqual(got["b"], sent);
});

test("a healed delay lets go at once what it held; a cut loses it", () => {
  for (const [change, expected] of [
    [{ delayMs: 0 }, ["1"]],
    [{ cut: true }, []],
  ] as const) {
    const { domain, got, send } = bench(["a", "b"]);
    setRule(domain, portOf(domain, "b"), "in", { delayMs: 100 }, 0);
    send("a", B, A, "1");
    setRule(domain, portOf(domain, "b"), "in", change, 1);
    assert.deepEqual(got["b"], expected);
    assert.equal(nextReleaseMs(domain), undefined);
  }
});

test("a delay line is bounded: past its bound frames are dropped and counted", () => {
  const { domain, send } = bench(["a", "b"]);
  setRule(domain, portOf(domain, "b"), "in", { delayMs: 100 }, 0);
  const payload = "x".repeat(64 * 1024);
  const frames = Math.floor(DELAY_LINE_BYTES_MAX / (payload.length + 18));
  for (let index = 0; index < frames + 3; index += 1) send("a", B, A, payload);
  assert.equal(portOf(domain, "b").counters.droppedQueueFull, 3);
});

test("an injected frame reaches whom it is for, obeys `in` rules and teaches the table nothing", () => {
  const { domain, got } = bench();
  const wire = frame(BROADCAST, ELSEWHERE, "rogue");
  setRule(domain, portOf(domain, "c"), "in", { cut: true }, 0);
  assert.deepEqual(
    inject(domain, domain.ports, wire, 0).map((port) => port.machine),
    ["a", "b"],
  );
  inject(domain, [portOf(domain, "b")], wire, 0);
  assert.deepEqual(got, { a: ["rogue"], b: ["rogue", "rogue"], c: [] });
  assert.equal(domain.table.entries.size, 0);
});

test("an observer sees each frame once, from whom it came, and whether it crossed", () => {
  const { domain, send } = bench();
  const seen: string[] = [];
  domain.observe = (wire, start, end, crossed, from) =>
    seen.push(`${wire.toString("utf8", start + 18, end)} of ${from} ${crossed ? "crossed" : "dropped"}`);
  send("a", BROADCAST, A, "1");
  setRule(domain, portOf(domain, "b"), "out", { cut: true }, 0);
  send("b", BROADCAST, B, "2");
  setRule(domain, portOf(domain, "a"), "in", { cut: true }, 0);
  send("c", A, C, "3");
  setRule(domain, portOf(domain, "c"), "out", { delayMs: 5 }, 0);
  send("c", BROADCAST, C, "4");
  assert.deepEqual(seen, ["1 of a crossed", "2 of b dropped", "3 of c dropped"]);
  releaseDue(domain, 5);
  assert.equal(seen[3], "4 of c crossed");
});

test("for any traffic and any cuts: never back to the sender, never more than once, never across a cut", () => {
  const machines = ["a", "b", "c", "d"];
  const machine = fc.constantFrom(...machines);
  const address = fc.constantFrom(A, B, C, ELSEWHERE, BROADCAST, MULTICAST);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("frame" as const), machine, to: address, from: address }),
    fc.record({
      kind: fc.constant("rule" as const),
      machine,
      direction: fc.constantFrom("in" as const, "out" as const),
      cut: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { domain, got, send } = bench(machines);
      // The model: where each address was last heard by the switch.
      const heard = new Map<string, string>();
      steps.forEach((step, index) => {
        if (step.kind === "rule") return setRule(domain, portOf(domain, step.machine), step.direction, step, index);
        send(step.machine, step.to, step.from, String(index), index);
        const isGroup = (mac: string): boolean => mac === BROADCAST || mac === MULTICAST;
        const outCut = portOf(domain, step.machine).rules.out.cut;
        if (!outCut && !isGroup(step.from)) heard.set(step.from, step.machine);
        const known = isGroup(step.to) ? undefined : heard.get(step.to);
        const wanted = machines.filter(
          (name) =>
            !outCut &&
            name !== step.machine &&
            (known === undefined || known === name) &&
            !portOf(domain, name).rules.in.cut,
        );
        const reached = machines.filter((name) => got[name]?.at(-1) === String(index));
        assert.deepEqual(reached, wanted);
      });
      for (const name of machines) assert.equal(new Set(got[name]).size, got[name]?.length, "a frame came twice");
    }),
  );
});
