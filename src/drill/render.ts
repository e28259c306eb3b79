/** A drill's report for a person. Pure. */
import type { CrowdFacts } from "./crowd/judge-crowd.ts";
import type { DrillDocument, DrillReport, Summary } from "./document.ts";
import { isWayBackStep } from "./explain.ts";
import { PROBES, PROTOCOLS } from "./names.ts";
import type { WireFacts } from "./wire-check/judge-wire.ts";

/** "planned-move home n1 -> n2 (v4.2): write 1840, read 1835, … ms; pass" */
export function renderRun(document: DrillDocument): readonly string[] {
  const pauses = PROBES.flatMap((probe) => {
    const pauseMs = document.pauseMs[probe];
    return pauseMs === undefined ? [] : [`${probe} ${pauseMs}`];
  });
  const { oracle } = document;
  const lines = [
    `run ${document.run}: ${document.fileserver} ${document.from} -> ${document.to} over ${document.protocol}: ${document.verdict}`,
    `  pause: ${pauses.join(", ")} ms`,
    ...explanationLines(document),
    `  after data came back: new open ${document.newOpenAfterReturnMs ?? "?"} ms, new lock ${document.newLockAfterReturnMs ?? "?"} ms`,
    ...byProtocolLines(document),
    `  ${oracle.acknowledgedWrites} acknowledged writes, ${oracle.lostWrites} lost, ${oracle.tornWrites} of them torn; ` +
      `${oracle.locksHeld} locks held, ${oracle.locksLost} lost, ${oracle.grantedTwice} granted twice; ` +
      `${oracle.staleReads} stale reads; ${oracle.errorsSeenByApplications} errors seen by applications`,
  ];
  if (document.neighbourPauseMs !== undefined) {
    const neighbour = PROBES.flatMap((probe) => {
      const pauseMs = document.neighbourPauseMs?.[probe];
      return pauseMs === undefined
        ? []
        : [`${probe} ${pauseMs} (quiet ${document.neighbourBaselineMs?.[probe] ?? "?"})`];
    });
    lines.push(`  neighbour's pause: ${neighbour.join(", ")} ms`);
  }
  if (document.wire !== undefined) lines.push(wireLine(document.wire));
  if (document.fault !== undefined) lines.push(...faultLines(document));
  if (document.crowd !== undefined) lines.push(...crowdLines(document.crowd));
  if (document.neighbourLocksHeld !== undefined) {
    lines.push(`  neighbour's locks: ${document.neighbourLocksHeld} held, ${document.neighbourLocksLost ?? "?"} lost`);
  }
  for (const reason of document.graceReasons ?? []) lines.push(`  grace: ${reason}`);
  if (document.injected !== undefined) {
    lines.push(
      `  caused on purpose: ${document.injected}; oracles that failed: ${document.oraclesFailed.join(", ") || "none"}`,
    );
  }
  for (const reason of document.because) lines.push(`  because: ${reason}`);
  return lines;
}

function faultLines({ fault, phases }: DrillDocument): readonly string[] {
  const lines = [
    `  fault: ${fault?.name ?? ""}, ${fault?.variant ?? ""}; nobody served for ${fault?.unservedMs ?? "?"} ms`,
  ];
  if (phases !== undefined) {
    const { detectMs, fenceMs, decideMs, beforeTakeoverMs, takeoverMs, clientMs } = phases;
    const parts = [
      ...(detectMs === undefined ? [] : [`detect ${detectMs}`]),
      ...(fenceMs === undefined ? [] : [`fence ${fenceMs}`]),
      ...(decideMs === undefined ? [] : [`decide ${decideMs}`]),
    ];
    const before = parts.length === 0 ? "" : ` (${parts.join(", ")})`;
    lines.push(
      `  of the longest: ${beforeTakeoverMs} ms before the takeover${before}, takeover ${takeoverMs}, client ${clientMs}`,
    );
  }
  if (fault?.thaw !== undefined) {
    const { framesSoon, framesLate, fencedAfterThawMs } = fault.thaw;
    const since = fencedAfterThawMs === undefined ? "thaw" : `fence, ${fencedAfterThawMs} ms after the thaw`;
    lines.push(`  after the ${since}: ${framesSoon} frames from the address within 500 ms, ${framesLate} later`);
  }
  for (const reason of fault?.reasons ?? []) lines.push(`  not served: ${reason}`);
  if (fault?.evidence !== undefined) lines.push(`  evidence: ${fault.evidence}`);
  return lines;
}

function crowdLines(crowd: CrowdFacts): readonly string[] {
  const { clients, recordsBefore, recordsAfter, notified, reclaimed, slowestReleaseStep: slowest } = crowd;
  return [
    `  crowd of ${clients}: ${recordsBefore} records before the stop, ${recordsAfter} after; ${notified} notified, ${reclaimed} locks reclaimed` +
      (crowd.reclaimingMs === undefined ? "" : ` within ${crowd.reclaimingMs} ms`),
    `  release: ${crowd.releaseMs ?? "?"} ms` +
      (slowest === undefined ? "" : `, longest ${slowest.step} with ${slowest.durationMs} ms`),
  ];
}

function wireLine({ silenceMs, resetsAfterOpening, notifications }: WireFacts): string {
  const told = notifications.map(
    ({ destination, name, state, afterOpeningMs }) =>
      `${destination} of ${name}, state ${state}, after ${afterOpeningMs} ms`,
  );
  return (
    `  on the wire: silent for ${silenceMs ?? "?"} ms, ${resetsAfterOpening} old connections reset after the opening; ` +
    `notified ${told.length === 0 ? "nobody" : told.join("; ")}`
  );
}

/** Only where there are several: of one the line before says all. */
function byProtocolLines(document: DrillDocument): readonly string[] {
  const [open, lock] = [document.newOpenAfterReturnMsByProtocol ?? {}, document.newLockAfterReturnMsByProtocol ?? {}];
  const protocols = PROTOCOLS.filter((protocol) => open[protocol] !== undefined || lock[protocol] !== undefined);
  if (protocols.length < 2) return [];
  const cells = protocols.map((one) => `${one} open ${open[one] ?? "?"} lock ${lock[one] ?? "?"}`);
  return [`    by protocol: ${cells.join(", ")} ms`];
}

function explanationLines(document: DrillDocument): readonly string[] {
  const { explainedMs, unexplainedMs, beforeSilenceMs, afterOpenMs, wayBackMs } = document;
  if (explainedMs === undefined || unexplainedMs === undefined) return [];
  const silentMs = explainedMs - (wayBackMs ?? 0);
  if (beforeSilenceMs === undefined || afterOpenMs === undefined) {
    const back = wayBackMs === undefined ? "" : `, ${wayBackMs} ms of the client's way back`;
    return [`  of the longest: ${silentMs} ms silent by the timeline${back}, ${unexplainedMs} ms beside it`];
  }
  const shown = wayBackMs === undefined ? "" : `, ${wayBackMs} of them the client's way back`;
  return [
    `  of the longest: ${beforeSilenceMs} ms before the silence, ${silentMs} ms silent, ${afterOpenMs} ms after the opening${shown}`,
    ...wayBackLines(document),
  ];
}

/** "the client's way back: reconnect 34 ms, session 23, reclaim 189 (5 opens, 8 locks), reclaim-complete 78" */
function wayBackLines({ timeline }: DrillDocument): readonly string[] {
  const parts = timeline.filter(isWayBackStep).map(({ step, startMs, endMs, detail }) => {
    const name = step.replace(/^client-/, "");
    return `${name} ${Math.round(endMs - startMs)}${detail === undefined ? "" : ` (${detail})`}`;
  });
  return parts.length === 0 ? [] : [`    way back: ${parts.join(", ")} ms`];
}

/** Rows: protocol and probe; columns: median, p90, longest. */
export function renderSummary(report: DrillReport): readonly string[] {
  const lines = ["protocol  probe    median       p90   longest"];
  for (const [protocol, summary] of Object.entries(report.summaryByProtocol))
    lines.push(...summaryRows(protocol, summary));
  const count = report.runs.length;
  const passed = report.runs.filter((run) => run.verdict === "pass").length;
  lines.push(`${passed} of ${count} ${count === 1 ? "run" : "runs"} passed`);
  return lines;
}

function summaryRows(protocol: string, summary: Summary): readonly string[] {
  return PROBES.flatMap((probe) => {
    const row = summary[probe];
    if (row === undefined) return [];
    const cells = [row.medianMs, row.p90Ms, row.maxMs].map((value) => `${value} ms`.padStart(10));
    return [`${protocol.padEnd(9)} ${probe.padEnd(5)} ${cells.join("")}`];
  });
}
