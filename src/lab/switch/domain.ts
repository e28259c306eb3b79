/**
 * One broadcast domain: ports, learning table and fault rules. Clock, randomness and the sending of bytes come in as
 * arguments, so that a whole network can run in a test with a clock of its own.
 *
 * A frame's way: from the machine, through the machine's `out` rule, over the table (learning, then look-up), through
 * the `in` rule of each port that it is for, to that port. Without a delay rule all of it happens in one call.
 *
 * INVARIANTS
 * - A frame never goes back to the port on which it came (`cross`).
 * - A frame that a rule or a full queue drops is counted once, on the port whose cable lost it.
 * - Frames between two ports keep their order while the rules stay as they are (delay lines are first in, first out).
 *
 * Deliberately not done: spanning tree, VLANs, multicast snooping. The lab's networks have no loops.
 */
import { assert } from "../../base/assert.ts";
import * as delayLine from "./delay-line.ts";
import { ETHERNET_HEADER_BYTES, isGroup, LENGTH_PREFIX_BYTES, readDestination, readSource, type Mac } from "./frame.ts";
import type { Random } from "./random.ts";
import { changeRule, CLEAR, DROP_CUT, judge, type Direction, type Rule, type RuleChange } from "./rules.ts";
import { forgetPort, learn, lookUp, macsOf, makeTable, type LearningTable } from "./table.ts";

const WIRE_BYTES_MIN = LENGTH_PREFIX_BYTES + ETHERNET_HEADER_BYTES;

/** Puts a wire range on the cable to a machine; false when it was not taken (queue full). The bytes do not change afterwards. */
export type Send = (wire: Buffer, start: number, end: number) => boolean;

/**
 * Sees every frame that came in from a port or was injected; `crossed` when at least one other port took it.
 * `from` is the machine on that port: the address in a frame does not tell, because a fileserver's MAC moves with it.
 */
export type Observe = (wire: Buffer, start: number, end: number, crossed: boolean, from: string | undefined) => void;

export interface Counters {
  framesFromMachine: number;
  bytesFromMachine: number;
  framesToMachine: number;
  bytesToMachine: number;
  droppedByCut: number;
  droppedByLoss: number;
  /** The machine does not read as fast as frames come for it, or a delay line is full. */
  droppedQueueFull: number;
  /** Shorter than an Ethernet header. */
  droppedMalformed: number;
}

export interface DomainPort {
  readonly machine: string;
  readonly counters: Counters;
  readonly rules: Record<Direction, Rule>;
  readonly held: Readonly<Record<Direction, delayLine.DelayLine>>;
  /** undefined while no machine is connected. */
  send: Send | undefined;
}

export interface Domain {
  readonly name: string;
  readonly ports: DomainPort[];
  readonly table: LearningTable<DomainPort>;
  readonly random: Random;
  observe: Observe | undefined;
}

export function makeDomain(name: string, random: Random): Domain {
  return { name, ports: [], table: makeTable(), random, observe: undefined };
}

export function addPort(domain: Domain, machine: string): DomainPort {
  assert(!domain.ports.some((port) => port.machine === machine), `${domain.name} already has a port for ${machine}`);
  const port: DomainPort = {
    machine,
    counters: {
      framesFromMachine: 0,
      bytesFromMachine: 0,
      framesToMachine: 0,
      bytesToMachine: 0,
      droppedByCut: 0,
      droppedByLoss: 0,
      droppedQueueFull: 0,
      droppedMalformed: 0,
    },
    rules: { in: CLEAR, out: CLEAR },
    held: { in: delayLine.makeDelayLine(), out: delayLine.makeDelayLine() },
    send: undefined,
  };
  domain.ports.push(port);
  return port;
}

export function removePort(domain: Domain, port: DomainPort): void {
  unplug(domain, port);
  const at = domain.ports.indexOf(port);
  assert(at >= 0, `${domain.name} has no port for ${port.machine}`);
  domain.ports.splice(at, 1);
}

export function plug(port: DomainPort, send: Send): void {
  port.send = send;
}

/** What was learned and what was under way on the cable is gone; the rules stay, as they belong to the cable. */
export function unplug(domain: Domain, port: DomainPort): void {
  port.send = undefined;
  forgetPort(domain.table, port);
  delayLine.clear(port.held.in);
  delayLine.clear(port.held.out);
}

/** A frame from the machine on `port`. */
export function receive(
  domain: Domain,
  port: DomainPort,
  wire: Buffer,
  start: number,
  end: number,
  nowMs: number,
): void {
  port.counters.framesFromMachine += 1;
  port.counters.bytesFromMachine += end - start - LENGTH_PREFIX_BYTES;
  if (end - start < WIRE_BYTES_MIN) {
    port.counters.droppedMalformed += 1;
    return;
  }
  const verdict = port.rules.out === CLEAR ? 0 : judge(port.rules.out, domain.random);
  if (verdict < 0) countLost(port, verdict);
  else if (verdict === 0 && delayLine.isEmpty(port.held.out)) return cross(domain, port, wire, start, end, nowMs);
  else if (delayLine.hold(port.held.out, wire, start, end, nowMs + verdict)) return;
  else port.counters.droppedQueueFull += 1;
  domain.observe?.(wire, start, end, false, port.machine);
}

/**
 * A frame from nowhere, to one port or all: subject to the `in` rules, and nothing is learned from it.
 * Returns the ports that took it.
 */
export function inject(domain: Domain, ports: readonly DomainPort[], wire: Buffer, nowMs: number): DomainPort[] {
  const took = ports.filter((port) => emit(domain, port, wire, 0, wire.length, nowMs));
  domain.observe?.(wire, 0, wire.length, took.length > 0, undefined);
  return took;
}

/** Frames under way under the old rule go on at once, or are lost where the cable is now cut. */
export function setRule(
  domain: Domain,
  port: DomainPort,
  direction: Direction,
  change: RuleChange,
  nowMs: number,
): void {
  const rule = changeRule(port.rules[direction], change);
  port.rules[direction] = rule;
  const line = port.held[direction];
  if (rule.cut) port.counters.droppedByCut += delayLine.clear(line);
  else if (rule.delayMs === 0 && rule.jitterMs === 0) releaseLine(domain, port, direction, Infinity, nowMs);
}

/** Sends on what is due. */
export function releaseDue(domain: Domain, nowMs: number): void {
  for (const port of domain.ports) releaseLine(domain, port, "out", nowMs, nowMs);
  // After every `out` line: what those let go may be held again on its way in.
  for (const port of domain.ports) releaseLine(domain, port, "in", nowMs, nowMs);
}

/** When `releaseDue` has to be called next, or undefined while nothing is held. */
export function nextReleaseMs(domain: Domain): number | undefined {
  let nextMs: number | undefined;
  for (const { held } of domain.ports) {
    nextMs = earlier(nextMs, earlier(delayLine.nextDueMs(held.in), delayLine.nextDueMs(held.out)));
  }
  return nextMs;
}

export function learnedMacs(domain: Domain, port: DomainPort, nowMs: number): readonly Mac[] {
  return macsOf(domain.table, port, nowMs);
}

/** Learns and forwards. */
function cross(domain: Domain, from: DomainPort, wire: Buffer, start: number, end: number, nowMs: number): void {
  learn(domain.table, readSource(wire, start), from, nowMs);
  const destination = readDestination(wire, start);
  const to = isGroup(destination) ? undefined : lookUp(domain.table, destination, nowMs);
  let crossed = false;
  if (to !== undefined) {
    crossed = to !== from && emit(domain, to, wire, start, end, nowMs);
  } else {
    for (const port of domain.ports) {
      if (port !== from && emit(domain, port, wire, start, end, nowMs)) crossed = true;
    }
  }
  domain.observe?.(wire, start, end, crossed, from.machine);
}

/** Through the port's `in` rule to its machine; true when the frame is on its way. */
function emit(domain: Domain, port: DomainPort, wire: Buffer, start: number, end: number, nowMs: number): boolean {
  if (port.send === undefined) return false;
  const verdict = port.rules.in === CLEAR ? 0 : judge(port.rules.in, domain.random);
  if (verdict < 0) {
    countLost(port, verdict);
    return false;
  }
  if (verdict === 0 && delayLine.isEmpty(port.held.in)) return send(port, wire, start, end);
  if (delayLine.hold(port.held.in, wire, start, end, nowMs + verdict)) return true;
  port.counters.droppedQueueFull += 1;
  return false;
}

function send(port: DomainPort, wire: Buffer, start: number, end: number): boolean {
  if (port.send?.(wire, start, end) !== true) {
    port.counters.droppedQueueFull += 1;
    return false;
  }
  port.counters.framesToMachine += 1;
  port.counters.bytesToMachine += end - start - LENGTH_PREFIX_BYTES;
  return true;
}

function releaseLine(domain: Domain, port: DomainPort, direction: Direction, dueMs: number, nowMs: number): void {
  const line = port.held[direction];
  for (;;) {
    const wire = delayLine.takeDue(line, dueMs);
    if (wire === undefined) return;
    if (direction === "out") cross(domain, port, wire, 0, wire.length, nowMs);
    else send(port, wire, 0, wire.length);
  }
}

function countLost(port: DomainPort, verdict: number): void {
  if (verdict === DROP_CUT) port.counters.droppedByCut += 1;
  else port.counters.droppedByLoss += 1;
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
