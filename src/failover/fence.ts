/**
 * The fence of a node as ordered moves over the LUNs, and what each answer means. Pure: the agent makes the moves.
 *
 * INVARIANTS
 * - "fenced" is said only when on every LUN the victim's key was read to be gone after the last preempt.
 * - LUNs are taken in one order that is the same on all nodes: of two nodes that fence each other the first LUN lets
 *   exactly one win, because a PREEMPT needs a registration and takes the other's away (SPC-4, 5.13.11.2.4).
 * - Nothing is taken from anybody before every LUN has answered: a fence that cannot be finished is not begun.
 */
import { assert } from "../base/assert.ts";
import { unknown, type Observed } from "../base/observed.ts";

export interface FenceParties {
  readonly ownKey: string;
  readonly victimKey: string;
}

export type FenceMove =
  | { readonly do: "read"; readonly luns: readonly string[] }
  | { readonly do: "preempt"; readonly lun: string }
  | { readonly do: "end"; readonly end: FenceEnd };

export interface FenceEnd {
  /** refused: this node is itself not registered, so that it may fence nobody. */
  readonly outcome: "fenced" | "already" | "failed" | "refused";
  readonly because: readonly string[];
}

export type PreemptAnswer = "done" | "conflict" | { readonly failed: string };

/** LUNs still to be taken, the one under way first. */
export interface FenceState {
  readonly parties: FenceParties;
  readonly phase: "look" | "preempt" | "verify" | "ended";
  readonly luns: readonly string[];
  readonly because: readonly string[];
  readonly end?: FenceEnd;
}

/** @param luns all LUNs of all fileservers, by their stable names; put in order here. */
export function beginFence(parties: FenceParties, luns: readonly string[]): FenceState {
  const ordered = [...new Set(luns)].sort(byName);
  const state: FenceState = { parties, phase: "look", luns: ordered, because: [] };
  return ordered.length === 0 ? ended(state, "failed", "no LUN is known") : state;
}

/** By code units: the same on every node, whatever its locale. */
export function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function nextMove(state: FenceState): FenceMove {
  if (state.end !== undefined) return { do: "end", end: state.end };
  const [lun] = state.luns;
  assert(lun !== undefined, "a fence that has not ended has a LUN left");
  if (state.phase === "look") return { do: "read", luns: state.luns };
  return state.phase === "preempt" ? { do: "preempt", lun } : { do: "read", luns: [lun] };
}

export function afterRead(state: FenceState, answers: ReadonlyMap<string, Observed<readonly string[]>>): FenceState {
  assert(state.phase === "look" || state.phase === "verify", `no answer is waited for in phase ${state.phase}`);
  const { ownKey, victimKey } = state.parties;
  const asked = state.phase === "look" ? state.luns : state.luns.slice(0, 1);
  const standing = new Set<string>();
  for (const lun of asked) {
    const keys = answers.get(lun) ?? unknown("it was not asked");
    if (!keys.known) return ended(state, "failed", `${lun} cannot be read: ${keys.why}`);
    if (!keys.value.includes(ownKey))
      return ended(state, "refused", `this node is not registered on ${lun}: it may have been fenced itself`);
    if (keys.value.includes(victimKey)) standing.add(lun);
  }
  if (state.phase === "verify") return afterVerify(state, standing);
  const luns = state.luns.filter((lun) => standing.has(lun));
  if (luns.length === 0) return ended(state, "already", `its key stands on none of ${state.luns.length} LUNs`);
  return { ...state, phase: "preempt", luns };
}

export function afterPreempt(state: FenceState, answer: PreemptAnswer): FenceState {
  assert(state.phase === "preempt", `nothing was preempted in phase ${state.phase}`);
  const lun = state.luns[0] ?? "";
  // Whether it came to the LUN is not known, and neither is whether the victim's commands were aborted.
  if (typeof answer === "object") return ended(state, "failed", `PREEMPT on ${lun}: ${answer.failed}`);
  const said = answer === "done" ? [] : [`PREEMPT on ${lun} met a conflict`];
  return { ...state, phase: "verify", because: [...state.because, ...said] };
}

function afterVerify(state: FenceState, standing: ReadonlySet<string>): FenceState {
  const [lun = "", ...luns] = state.luns;
  if (standing.has(lun)) return ended(state, "failed", `its key still stands on ${lun}`);
  const next: FenceState = { ...state, luns, because: [...state.because, `its key is gone from ${lun}`] };
  return luns.length === 0 ? ended(next, "fenced") : { ...next, phase: "preempt" };
}

function ended(state: FenceState, outcome: FenceEnd["outcome"], why?: string): FenceState {
  const because = why === undefined ? state.because : [...state.because, why];
  return { ...state, phase: "ended", luns: [], because, end: { outcome, because } };
}

/** What is known of a node's registration: fence agents call these states "on" and "off". */
export function registrationOf(
  key: string,
  answers: ReadonlyMap<string, Observed<readonly string[]>>,
): Observed<"on" | "off"> {
  for (const keys of answers.values()) if (keys.known && keys.value.includes(key)) return { known: true, value: "on" };
  for (const [lun, keys] of answers) if (!keys.known) return unknown(`${lun} cannot be read: ${keys.why}`);
  return answers.size === 0 ? unknown("no LUN is known") : { known: true, value: "off" };
}
