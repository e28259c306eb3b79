/** In which order a comparison measures: in turns, so that what the computer does beside it meets all systems alike. Pure. */
import type { Protocol } from "../names.ts";

export interface ComparePlan {
  readonly systems: readonly string[];
  readonly scenarios: readonly string[];
  readonly protocols: readonly Protocol[];
  /** Of each system, scenario and protocol. */
  readonly runs: number;
  /** So many of them in one session of the client. */
  readonly runsPerRound: number;
}

/** One drill on one system. */
export interface Turn {
  readonly scenario: string;
  readonly protocol: Protocol;
  readonly runs: number;
}

/** A system's turn in a round: its lab is up for all of these, and down while another has its turn. */
export interface Visit {
  /** From 1. */
  readonly round: number;
  readonly system: string;
  readonly turns: readonly Turn[];
}

/** Rounds of A, B, C, then A, B, C again; every system has as many runs after each round. */
export function visitsOf({ systems, scenarios, protocols, runs, runsPerRound }: ComparePlan): readonly Visit[] {
  const rounds = Math.ceil(runs / runsPerRound);
  return Array.from({ length: rounds }, (_, at) => {
    const left = Math.min(runsPerRound, runs - at * runsPerRound);
    const turns = scenarios.flatMap((scenario) => protocols.map((protocol) => ({ scenario, protocol, runs: left })));
    return systems.map((system): Visit => ({ round: at + 1, system, turns }));
  }).flat();
}
