/**
 * LUNs with SCSI-3 persistent reservations of type 5, write exclusive registrants only, as SPC-4 (5.13) describes
 * them: each command is done at one moment, and the answer is what the target would say. Keys are numbers of nodes.
 */

export interface Lun {
  readonly name: string;
  readonly keys: Set<number>;
  holder: number | undefined;
  /** Counts changes of the keys and of the holder. */
  changes: number;
  /** Per node: unit attentions that its next commands are told first. */
  readonly attentions: number[];
}

export type Said = "good" | "conflict";

export function newLun(name: string, nodes: number): Lun {
  return { name, keys: new Set(), holder: undefined, changes: 0, attentions: Array.from({ length: nodes }, () => 0) };
}

/** REGISTER AND IGNORE EXISTING KEY. */
export function register(lun: Lun, node: number): Said {
  if (!lun.keys.has(node)) lun.changes += 1;
  lun.keys.add(node);
  return "good";
}

/** REGISTER with a service action key of zero: the holder's own leaving releases the reservation (5.13.11.2). */
export function unregister(lun: Lun, node: number): Said {
  if (!lun.keys.delete(node)) return "conflict";
  lun.changes += 1;
  if (lun.holder === node) drop(lun, node);
  return "good";
}

export function reserve(lun: Lun, node: number): Said {
  if (!lun.keys.has(node)) return "conflict";
  if (lun.holder !== undefined && lun.holder !== node) return "conflict";
  if (lun.holder !== node) lun.changes += 1;
  lun.holder = node;
  return "good";
}

/** RELEASE by a registrant that holds nothing is good and does nothing (5.13.11.2.2). */
export function release(lun: Lun, node: number): Said {
  if (!lun.keys.has(node)) return "conflict";
  if (lun.holder === node) drop(lun, node);
  return "good";
}

function drop(lun: Lun, node: number): void {
  lun.holder = undefined;
  lun.changes += 1;
  for (const other of lun.keys) if (other !== node) attend(lun, other);
}

/** PREEMPT AND ABORT: the victim's registration ends; where it held the reservation, that is the preemptor's. */
export function preempt(lun: Lun, node: number, victim: number): Said {
  if (!lun.keys.has(node) || !lun.keys.has(victim)) return "conflict";
  lun.keys.delete(victim);
  lun.changes += 1;
  if (lun.holder === victim) lun.holder = node;
  attend(lun, victim);
  return "good";
}

/** Without a reservation everybody may write; with one, whoever is registered. */
export function mayWrite(lun: Lun, node: number): boolean {
  return lun.holder === undefined || lun.keys.has(node);
}

/** The target was without power. What it remembers of registrations is all (APTPL) or nothing. */
export function powerCycle(lun: Lun, remembers: boolean): void {
  lun.changes += 1;
  if (!remembers) {
    lun.keys.clear();
    lun.holder = undefined;
  }
  for (let node = 0; node < lun.attentions.length; node++) attend(lun, node);
}

function attend(lun: Lun, node: number): void {
  lun.attentions[node] = (lun.attentions[node] ?? 0) + 1;
}
