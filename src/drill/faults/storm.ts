/** Move after move, as fast as they go: nothing may wear out. */
import { verdictOf, type DrillDocument } from "../document.ts";
import { measureActs, type World } from "../measure.ts";
import { PROBES, type Probe } from "../names.ts";
import { median } from "../pause.ts";
import { common, judgeRecorded, moveAway, subjectOf } from "../scenario-parts.ts";
import type { DrillResult, DrillSettings } from "../scenario.ts";

/** Between two moves: what a client needs to be steady again. */
const SETTLE_MS = 1_500;
const JITTER_MS = 300;
/** The first and the last so many are compared. */
const ENDS = 10;
const SLOWER_MAX = 1.2;

export async function failoverStorm(world: World, settings: DrillSettings): Promise<DrillResult> {
  const watched = [{ target: settings.fileserver, loops: PROBES }];
  const shared = {
    settleMs: SETTLE_MS,
    jitterMs: JITTER_MS,
    ...common("failover-storm", settings),
    recordsWayBack: true,
  };
  const measured = await measureActs(world, { ...shared, watched, act: moveAway(world, settings) });
  return judgeRecorded(world, subjectOf("failover-storm", "the move", world, settings), measured, withWear);
}

/** Of the probes that need no grace: what a lock waits for is the clients' doing, not the machines'. */
const COMPARED: readonly Probe[] = ["write", "read"];

/** The last run says whether the last ten were slower than the first. */
export function withWear(documents: readonly DrillDocument[]): readonly DrillDocument[] {
  const last = documents.at(-1);
  if (last === undefined || documents.length < 2 * ENDS) return documents;
  const slower = COMPARED.flatMap((probe) => {
    const [early, late] = [documents.slice(0, ENDS), documents.slice(-ENDS)].map((some) =>
      median(some.flatMap(({ pauseMs }) => pauseMs[probe] ?? [])),
    );
    if (early === undefined || late === undefined || late <= early * SLOWER_MAX) return [];
    return [`the last ${ENDS} moves paused ${probe} for ${late} ms, the first ${ENDS} for ${early} ms`];
  });
  const because = [...last.because, ...slower];
  return [...documents.slice(0, -1), { ...last, because, verdict: verdictOf(because) }];
}
