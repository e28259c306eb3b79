/** A fault's own verdict, beside what the oracles say: one server, silence after a thaw, and what the pause was made of. Pure. */
import type { Timeline } from "../../wire/timeline.ts";
import { verdictOf, type DrillDocument } from "../document.ts";
import { pausesOf } from "../judge-pauses.ts";
import type { Measured, MeasuredRun } from "../measure.ts";
import type { FaultCase } from "./fault-words.ts";
import { phasesOf, type EngineEvents, type Phases } from "./phases.ts";
import type { ServersVerdict } from "./servers.ts";
import type { ThawVerdict } from "./silence-after-thaw.ts";

/** What was seen while one fault was under way. */
export interface FaultRun {
  readonly fault: FaultCase;
  readonly from: string;
  /** Where it was in the end; undefined: nowhere. */
  to: string | undefined;
  servers: ServersVerdict | undefined;
  thaw: ThawVerdict | undefined;
  events: EngineEvents;
  /** Why nobody served it, while nobody did. */
  readonly reasons: string[];
  /** Where logs were kept; only of one that failed. */
  evidence: string | undefined;
}

export interface FaultFacts {
  readonly name: string;
  readonly variant: string;
  readonly standsFor: string;
  readonly samples: number;
  readonly unservedMs: number;
  readonly reasons?: readonly string[];
  readonly thaw?: ThawVerdict["facts"];
  readonly evidence?: string;
}

export function withFault(
  document: DrillDocument,
  run: FaultRun,
  measured: Measured,
  measuredRun: MeasuredRun,
): DrillDocument {
  const { fault, servers, thaw } = run;
  const phases = phasesIn(run, measured, measuredRun, document.fileserver);
  // A node that was not replaced has every right to go on.
  const thawBecause = run.to !== undefined && run.to !== run.from ? (thaw?.because ?? []) : [];
  const because = [...document.because, ...(servers?.because ?? []), ...thawBecause];
  return {
    ...document,
    to: run.to ?? "nowhere",
    fault: {
      name: fault.document.name,
      variant: fault.variant.name,
      standsFor: fault.document.standsFor,
      samples: servers?.samples ?? 0,
      unservedMs: servers?.unservedMs ?? 0,
      ...(run.reasons.length === 0 ? {} : { reasons: run.reasons }),
      ...(thaw === undefined ? {} : { thaw: thaw.facts }),
      ...(run.evidence === undefined ? {} : { evidence: run.evidence }),
    },
    ...(phases === undefined ? {} : { phases }),
    because,
    verdict: verdictOf(because),
  };
}

/** Of the longest pause of the client whose clock was compared. */
function phasesIn({ events }: FaultRun, measured: Measured, run: MeasuredRun, fileserver: string): Phases | undefined {
  const { timeline, timelineZeroUs: zeroUs } = run;
  if (timeline === undefined || zeroUs === undefined || !isTakeover(timeline)) return undefined;
  const groups = pausesOf(measured, run, fileserver, "window").filter(({ client }) => client === measured.clients[0]);
  const pauses = groups.flatMap(({ found }) => [...found.values()]);
  const [pause] = pauses.toSorted((a, b) => b.pauseMs - a.pauseMs);
  return pause === undefined ? undefined : phasesOf({ pause, timeline, zeroUs, events });
}

function isTakeover({ kind }: Timeline): boolean {
  return kind === "takeover";
}
