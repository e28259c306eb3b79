/**
 * Seeded bugs: the product's logic with one thing wrong, each as it could be written by mistake. A simulation that does
 * not find them proves nothing. They are changes of what the logic says, never of the logic itself.
 */
import type { FenceMove } from "../failover/fence.ts";
import type { Step, StepGraph } from "../failover/step.ts";
import type { NodeStanding } from "../failover/standing.ts";
import { REAL_LOGIC, type Logic } from "./logic.ts";

export interface Mutation {
  readonly name: string;
  /** What was forgotten, in words. */
  readonly what: string;
  readonly logic: Logic;
}

const real = REAL_LOGIC;

function mutation(name: string, what: string, change: Partial<Logic>): Mutation {
  return { name, what, logic: { ...real, ...change } };
}

/** `kind` no longer waits for steps of kind `waited`. */
function withoutEdge(graph: StepGraph, kind: string, waited: string): StepGraph {
  return graph.map((step): Step => {
    if (step.kind !== kind) return step;
    const after = step.after.filter((id) => id !== waited && !id.startsWith(`${waited}:`));
    return { ...step, after };
  });
}

function withoutStep(graph: StepGraph, kind: string): StepGraph {
  const gone = graph.filter((step) => step.kind === kind);
  const ids = new Set(gone.map(({ id }) => id));
  return graph
    .filter((step) => step.kind !== kind)
    .map((step): Step => {
      const inherited = step.after.some((id) => ids.has(id)) ? gone.flatMap(({ after }) => after) : [];
      return { ...step, after: [...new Set([...step.after.filter((id) => !ids.has(id)), ...inherited])] };
    });
}

const takeoverWithoutEdge = (kind: string, ...waited: readonly string[]): Partial<Logic> => ({
  takeoverGraph: (fileserver) =>
    waited.reduce((graph, one) => withoutEdge(graph, kind, one), real.takeoverGraph(fileserver)),
});

const releaseWithoutEdge = (kind: string, ...waited: readonly string[]): Partial<Logic> => ({
  releaseGraph: (fileserver, successor) =>
    waited.reduce((graph, one) => withoutEdge(graph, kind, one), real.releaseGraph(fileserver, successor)),
});

const takeoverWithoutStep = (kind: string): Partial<Logic> => ({
  takeoverGraph: (fileserver) => withoutStep(real.takeoverGraph(fileserver), kind),
});

const releaseWithoutStep = (kind: string): Partial<Logic> => ({
  releaseGraph: (fileserver, successor) => withoutStep(real.releaseGraph(fileserver, successor), kind),
});

const ORDER: readonly Mutation[] = [
  mutation(
    "open-before-nfsd",
    "the address opens before nfsd listens",
    takeoverWithoutEdge("open-address", "start-nfsd", "end-lockd-grace"),
  ),
  mutation(
    "open-before-reopening-ledger",
    "clients are served while the last entry still says that it is final",
    takeoverWithoutStep("reopen-ledger"),
  ),
  mutation(
    "nfsd-before-nfsdcld",
    "nfsd starts without the database of its clients",
    takeoverWithoutEdge("start-nfsd", "start-nfsdcld"),
  ),
  mutation(
    "nfsd-before-all-volumes",
    "nfsd does not wait for every volume",
    takeoverWithoutEdge("start-nfsd", "mount-volume"),
  ),
  mutation("nobody-notified", "NFSv3 clients are not told to reclaim", takeoverWithoutStep("notify-clients")),
  mutation(
    "record-before-hold",
    "the last entry is written while requests are still let in",
    releaseWithoutEdge("record-clients", "hold-requests", "forget-idle-clients"),
  ),
  mutation("address-not-silenced", "a release leaves the link up", releaseWithoutStep("silence-address")),
  mutation("unmount-forgotten", "a release leaves the volume mounted", releaseWithoutStep("unmount-volume")),
  mutation("deactivation-forgotten", "a release leaves the volume active", releaseWithoutStep("deactivate-volume")),
  mutation(
    "daemons-not-stopped",
    "a release leaves nfsdcld and mountd on the volume",
    releaseWithoutStep("stop-daemons"),
  ),
];

const TABLE: readonly Mutation[] = [
  mutation("release-failed-is-done", "a release that failed counts as done", {
    step: (state, event) => real.step(state, state === "releasing" && event === "run-failed" ? "run-done" : event),
  }),
  mutation("serving-answers-release", "who serves answers a release without doing it", {
    step: (state, event) =>
      state === "serving" && event === "release-asked"
        ? { next: state, effect: "answer-done" }
        : real.step(state, event),
  }),
  mutation("partial-answers-release", "half a fileserver is taken for none", {
    step: (state, event) =>
      state === "partial" && event === "release-asked"
        ? { next: state, effect: "answer-done" }
        : real.step(state, event),
  }),
  mutation("active-is-empty", "an active volume is not seen", {
    isEmpty: (seen) => real.isEmpty({ ...seen, volumesActive: 0 }),
  }),
  mutation("mounted-is-empty", "a mounted volume is not seen", {
    isEmpty: (seen) => real.isEmpty({ ...seen, volumesActive: 0, volumesMounted: 0 }),
  }),
];

const GRACE: readonly Mutation[] = [
  mutation("grace-ends-at-once", "lockd's grace ends before anybody was let in", {
    ruleBeforeOpening: () => ({ end: true, because: ["seeded bug"] }),
  }),
  mutation("unfinished-ledger-believed", "an entry of a crash counts as complete", {
    ruleBeforeOpening: ({ ledger, monitored }) =>
      real.ruleBeforeOpening({
        ledger:
          ledger.known && ledger.value !== undefined
            ? { known: true, value: { ...ledger.value, final: true } }
            : ledger,
        monitored,
      }),
  }),
  mutation("grace-ends-when-notified", "lockd's grace ends when all were told, before they have reclaimed", {
    watchLook(start, state, look, now) {
      const outcome = real.watchLook(start, state, look, now);
      if (!state.waiting.v3 || outcome.endV3Grace !== undefined || look.unnotified.length > 0) return outcome;
      return {
        ...outcome,
        endV3Grace: { because: ["seeded bug"], stopNotifier: false, atLimit: false },
        state: { ...outcome.state, waiting: { ...outcome.state.waiting, v3: false } },
      };
    },
  }),
  mutation("late-notifications", "who has not answered is notified after the grace, too", {
    watchLook(start, state, look, now) {
      const outcome = real.watchLook(start, state, look, now);
      return outcome.endV3Grace === undefined
        ? outcome
        : { ...outcome, endV3Grace: { ...outcome.endV3Grace, stopNotifier: false } };
    },
  }),
  mutation("late-and-later", "who comes back after the grace is notified whenever the notifier tries again", {
    watchLook: (start, state, look, now) => ({ ...real.watchLook(start, state, look, now), notifyAtOnce: [] }),
  }),
  mutation("late-told-in-a-grace", "who lost something at a limit is notified by the next server with everybody else", {
    reopenedLedger: ({ found, ...input }) =>
      real.reopenedLedger({ ...input, found: found === undefined ? found : { ...found, late: undefined } }),
  }),
  mutation("awaited-forgotten", "who has not come back is not in the next entry", {
    nextLedger: (input) => real.nextLedger({ ...input, waiting: { v3: false, v4: false } }),
  }),
  mutation("release-unwatched-is-complete", "a release without a watch waits for nobody", {
    ways: { ...real.ways, unwatched: { v3: false, v4: false } },
  }),
  mutation("notified-is-forgotten", "whoever was notified and has not reclaimed is in no list", {
    ways: { ...real.ways, notifiesLedgerClients: "of-a-final-ledger" },
  }),
];

const STANDING: readonly Mutation[] = [
  mutation("fence-ends-early", "only the first LUN is taken from the victim", {
    beginFence: (parties, luns) => real.beginFence(parties, [...luns].sort().slice(0, 1)),
  }),
  mutation("fence-unverified", "a preempt without an answer counts", {
    afterPreempt: (state) => real.afterPreempt(state, "done"),
    nextMove: (state): FenceMove =>
      state.phase === "verify" ? { do: "end", end: { outcome: "fenced", because: [] } } : real.nextMove(state),
  }),
  mutation("fence-unknown-is-gone", "a LUN that cannot be read has no keys", {
    afterRead: (state, answers) =>
      real.afterRead(
        state,
        new Map(
          [...answers].map(([lun, keys]) => [lun, keys.known ? keys : { known: true, value: [state.parties.ownKey] }]),
        ),
      ),
  }),
  mutation("register-while-mounted", "a key that is gone is registered again, whatever is mounted", {
    concludeNode(sights, rules) {
      const now = real.concludeNode(sights, rules);
      if (now.fenced === undefined) return now;
      const gone = now.luns.filter(({ conclusion }) => conclusion === "fenced").map(({ lun }) => lun);
      return { ...now, fenced: undefined, register: gone } satisfies NodeStanding;
    },
  }),
  mutation("fence-goes-unnoticed", "a key that is gone is waited for", {
    concludeNode: (sights, rules) => ({ ...real.concludeNode(sights, rules), fenced: undefined }),
    ruleAddress: () => "keep",
  }),
  mutation("never-silent", "without an answer of the storage clients are served on", {
    ruleAddress: (standing, luns, silenced) => {
      const ruling = real.ruleAddress(standing, luns, silenced);
      return ruling === "silence" ? "keep" : ruling;
    },
  }),
  mutation("registration-forgotten", "an agent that is started anew registers again", {
    ways: { ...real.ways, remembersRegistration: false },
  }),
  mutation("start-waits-for-registration", "a start that began before a fence goes on after it", {
    ways: { ...real.ways, startWaitsForRegistration: true, engineWaitsForRegistration: false },
  }),
  mutation("notified-before-written", "who is notified and is in no ledger is forgotten until he reclaims", {
    reopenedLedger: (input) => real.reopenedLedger({ ...input, retired: [] }),
  }),
  mutation("silence-is-quiet", "clients that are kept out count as having nothing to ask for", {
    watchLook: (start, state, look, now) =>
      real.watchLook({ ...start, gapMs: Infinity }, state, look, { ...now, reachable: true }),
  }),
  mutation("overdue-commands-forgotten", "what ran over its bound comes to its end after the release", {
    ways: { ...real.ways, waitsForOverdueCommands: false },
  }),
];

export const MUTATIONS: readonly Mutation[] = [...ORDER, ...TABLE, ...GRACE, ...STANDING];

/** It takes several things that go wrong at once to bring them to light: thousands of schedules. */
const RARE: ReadonlySet<string> = new Set([
  "record-before-hold",
  "late-notifications",
  "notified-before-written",
  "start-waits-for-registration",
  "silence-is-quiet",
  "late-told-in-a-grace",
]);

/** Each found within some hundred schedules. */
export const COMMON_MUTATIONS: readonly Mutation[] = MUTATIONS.filter(({ name }) => !RARE.has(name));
