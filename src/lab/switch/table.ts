/** The learning table: which port a MAC address was last heard on. Time comes in as an argument. */
import { isGroup, type Mac } from "./frame.ts";

/** IEEE 802.1Q-2018, table 8-6: the recommended ageing time. */
export const MAC_AGE_MS_MAX = 300_000;
/** A lab has some dozens; past this nothing new is learned and its frames are flooded, as in a real switch. */
export const MACS_MAX = 4096;

export interface TableEntry<Port> {
  port: Port;
  heardAtMs: number;
}

export interface LearningTable<Port> {
  readonly entries: Map<Mac, TableEntry<Port>>;
}

export function makeTable<Port>(): LearningTable<Port> {
  return { entries: new Map() };
}

/** A group address is never a sender; it is not learned (IEEE 802.1Q-2018, 8.7). */
export function learn<Port>(table: LearningTable<Port>, mac: Mac, port: Port, nowMs: number): void {
  const entry = table.entries.get(mac);
  if (entry !== undefined) {
    entry.port = port;
    entry.heardAtMs = nowMs;
    return;
  }
  if (isGroup(mac)) return;
  if (table.entries.size >= MACS_MAX) forgetAged(table, nowMs);
  if (table.entries.size < MACS_MAX) table.entries.set(mac, { port, heardAtMs: nowMs });
}

/** The port to send to, or undefined where the frame has to be flooded. */
export function lookUp<Port>(table: LearningTable<Port>, mac: Mac, nowMs: number): Port | undefined {
  const entry = table.entries.get(mac);
  if (entry === undefined) return undefined;
  if (nowMs - entry.heardAtMs <= MAC_AGE_MS_MAX) return entry.port;
  table.entries.delete(mac);
  return undefined;
}

/** As a switch does when a link goes down: what was heard there may be anywhere now. */
export function forgetPort<Port>(table: LearningTable<Port>, port: Port): void {
  for (const [mac, entry] of table.entries) if (entry.port === port) table.entries.delete(mac);
}

export function macsOf<Port>(table: LearningTable<Port>, port: Port, nowMs: number): readonly Mac[] {
  const macs: Mac[] = [];
  for (const [mac, entry] of table.entries) {
    if (entry.port === port && nowMs - entry.heardAtMs <= MAC_AGE_MS_MAX) macs.push(mac);
  }
  return macs.sort((a, b) => a - b);
}

function forgetAged<Port>(table: LearningTable<Port>, nowMs: number): void {
  for (const [mac, entry] of table.entries) {
    if (nowMs - entry.heardAtMs > MAC_AGE_MS_MAX) table.entries.delete(mac);
  }
}
