/**
 * One fileserver on this node: what is asked of it goes through the machine's table, one run at a time.
 *
 * INVARIANTS
 * - At most one run per fileserver; others are refused, not queued.
 * - State is looked up before every run; what this object keeps is the run under way and past timelines.
 */
import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { Fault, explain } from "../base/fault.ts";
import { isEmpty } from "../failover/judge.ts";
import { step as stepMachine, type FileserverState } from "../failover/machine.ts";
import { releaseGraph } from "../failover/release.ts";
import type { Step, StepGraph } from "../failover/step.ts";
import { takeoverGraph } from "../failover/takeover.ts";
import { coldGraph, warmGraph } from "../failover/warm.ts";
import { isPlain, readSystemId } from "../lvm/volume-group.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { readState } from "../scsi/reservation.ts";
import type { FileserverStatus } from "../wire/agent.ts";
import type { Timeline } from "../wire/timeline.ts";
import { scaled, type Node, type StepContext, type VolumeFacts } from "./context.ts";
import { openHolder, type HolderClient } from "./holder-client.ts";
import { exists } from "./inside.ts";
import { probeBeforeMove } from "./probe.ts";
import { unknown } from "../base/observed.ts";
import { observe, type Found } from "./observe.ts";
import { watchGrace } from "./grace-watch.ts";
import { holderFolder, PLACES } from "./places.ts";
import { runGraph, type RunResult, type StepRunners } from "./runner.ts";
import { readServedConnections, releaseSteps } from "./steps/release.ts";
import { takeoverSteps } from "./steps/takeover.ts";
import { warmSteps } from "./steps/warm.ts";
import { startFileserverHolder } from "./start-holder.ts";
import { lookAtVolumes } from "./volume-facts.ts";

const RUNNERS: StepRunners = { ...warmSteps, ...takeoverSteps, ...releaseSteps };
/** What `prepare` found are used by a takeover that follows within this time; an older look is repeated. */
const LOOK_AGE_MAX_MS = 30_000;
/** After a release the other node takes over; rebuilding the standby here must not compete with it. */
const WARM_AFTER_RELEASE_DELAY_MS = 5_000;
const HISTORY_MAX = 200;
const HOLDER_BOUND_MS = 10_000;

/** What was looked up before a run. */
interface Looked {
  readonly facts: Map<string, VolumeFacts>;
  readonly systemId: string;
  readonly handedOver: boolean;
  readonly addressesProbed: boolean;
  readonly atMs: number;
}

/** The groups' labels as the release left them. LVM looks for itself: were it not so, activation would be refused. */
function labelledForUs(looked: Looked): Looked {
  const facts = new Map(
    [...looked.facts].map(([volume, { disks, group }]) => [
      volume,
      { disks, ...(group === undefined ? {} : { group: { ...group, systemId: looked.systemId } }) },
    ]),
  );
  return { ...looked, facts, handedOver: true };
}

const NOTHING_LOOKED_AT: Looked = {
  facts: new Map(),
  systemId: "",
  handedOver: false,
  addressesProbed: false,
  atMs: 0,
};

export interface TakeoverCircumstances {
  /** Reservation key of a node that an operator knows to be down. */
  readonly fencedKey?: string;
  /** The release before has labelled the volume groups for this node. */
  readonly handedOver: boolean;
}

export interface FileserverControl {
  readonly spec: FileserverSpec;
  status(): Promise<FileserverStatus>;
  /**
   * Makes sure that this node can take over, before anybody waits. Resolves with this node's LVM system ID, where the
   * volume groups may be labelled with it before the release; undefined where LVM has to take the volumes down itself
   * and must know the group as its own until then.
   */
  prepare(): Promise<string | undefined>;
  takeover(circumstances?: TakeoverCircumstances): Promise<Timeline>;
  release(successorSystemId?: string): Promise<Timeline>;
  /** Brings the warm standby up where nothing is here; leaves everything else as it is. */
  warm(): Promise<void>;
  history(): readonly Timeline[];
}

// oxlint-disable-next-line max-lines-per-function -- the functions inside share the one run under way, which is nobody else's
export function controlFileserver(node: Node, spec: FileserverSpec): FileserverControl {
  let running: FileserverState | undefined;
  let holder: { readonly client: HolderClient; readonly pid: number } | undefined;
  let prepared: Looked | undefined;
  const history: Timeline[] = [];

  async function look(): Promise<Found> {
    const found = await observe(spec);
    if (found.known) return found.value;
    throw new Fault({
      code: "fileserver-unknown",
      what: found.why,
      why: "what cannot be seen is not acted upon",
      remedy: "look at the node's journal: journalctl -u holdfast-agent",
    });
  }

  async function exclusively<T>(as: FileserverState, work: () => Promise<T>): Promise<T> {
    if (running !== undefined)
      throw new Fault({
        code: "fileserver-busy",
        what: `${spec.name} is ${running} on ${node.name}`,
        remedy: "wait for it, then try again",
      });
    running = as;
    try {
      return await work();
    } finally {
      running = undefined;
    }
  }

  /** Runs go through a holder: the one that is there, or a new one. */
  async function connectHolder(): Promise<void> {
    const pid = await startFileserverHolder(node.clock, spec.name, scaled(node, HOLDER_BOUND_MS));
    if (holder?.pid === pid) return;
    holder?.client.close();
    holder = { client: openHolder(holderFolder(spec.name)), pid };
  }

  function context(looked: Looked, fencedKey?: string): StepContext {
    const living = (): { readonly client: HolderClient; readonly pid: number } => {
      if (holder === undefined)
        throw new Fault({ code: "holder-missing", what: `${spec.name} has no namespaces on ${node.name}` });
      return holder;
    };
    return {
      node,
      holder: () => living().client,
      insidePid: () => living().pid,
      volumeFacts: looked.facts,
      systemId: looked.systemId,
      handedOver: looked.handedOver,
      addressesProbed: looked.addressesProbed,
      found: { handover: unknown("not read yet"), connections: [] },
      ...(fencedKey === undefined ? {} : { fencedKey }),
    };
  }

  async function run(graph: StepGraph, runContext: StepContext): Promise<RunResult> {
    return runGraph(graph, RUNNERS, runContext, { begin: crashPoint });
  }

  async function runWarm(): Promise<void> {
    await connectHolder();
    const result = await run(warmGraph(spec), context(NOTHING_LOOKED_AT));
    if (result.fault !== undefined) {
      await runCold();
      throw result.fault;
    }
    node.log(`${spec.name}: warm standby is up, ${result.durationMs} ms`);
  }

  async function runCold(): Promise<void> {
    holder?.client.close();
    holder = undefined;
    const result = await run(coldGraph(spec), context(NOTHING_LOOKED_AT));
    if (result.fault !== undefined) throw result.fault;
  }

  async function lookAtDisks(): Promise<Looked> {
    const fresh = prepared !== undefined && node.clock.monotonicMs() - prepared.atMs < scaled(node, LOOK_AGE_MAX_MS);
    if (fresh && prepared !== undefined) return prepared;
    const [facts, systemId] = await Promise.all([lookAtVolumes(node, spec), readSystemId(node.commands)]);
    return { facts, systemId, handedOver: false, addressesProbed: false, atMs: node.clock.monotonicMs() };
  }

  async function releaseNow(
    successorSystemId?: string,
  ): Promise<{ readonly timeline: Timeline; readonly fault?: Fault }> {
    const looked = await lookAtDisks();
    await connectHolder();
    const startedAtMs = node.clock.wallMs();
    const result = await run(releaseGraph(spec, successorSystemId), context(looked));
    // What was found before the release is not what the next takeover finds.
    prepared = undefined;
    return {
      timeline: remember("release", startedAtMs, result),
      ...(result.fault === undefined ? {} : { fault: result.fault }),
    };
  }

  function remember(kind: Timeline["kind"], startedAtMs: number, result: RunResult, undone = false): Timeline {
    const timeline: Timeline = {
      id: randomUUID(),
      kind,
      fileserver: spec.name,
      node: node.name,
      startedAtMs,
      outcome: result.fault === undefined ? "done" : undone ? "undone" : "failed",
      steps: result.steps,
      ...(result.fault === undefined ? {} : { because: explain(result.fault) }),
    };
    history.push(timeline);
    if (history.length > HISTORY_MAX) history.shift();
    node.log(
      `${spec.name}: ${kind} on ${node.name} ${timeline.outcome}, ${Math.round(result.durationMs)} ms${result.fault === undefined ? "" : `: ${result.fault.message}`}`,
    );
    return timeline;
  }

  /**
   * Namespaces are made anew after a release: what nfsd and lockd kept in them is gone for certain. Only where nothing
   * of the volumes is here: by now it may have been taken over again, or the release may have failed half way.
   */
  async function renewStandby(): Promise<void> {
    await exclusively("warming", async () => {
      if (!isEmpty((await look()).sighting)) return;
      await runCold();
      await runWarm();
    });
  }

  function renewStandbySoon(): void {
    const timer = setTimeout(() => {
      renewStandby().catch((error: unknown) => node.log(`${spec.name}: no warm standby: ${explain(error).join("; ")}`));
    }, WARM_AFTER_RELEASE_DELAY_MS);
    timer.unref();
  }

  function watchLocks({ found, holder: client, insidePid }: StepContext): void {
    if (found.locksToReclaim === undefined) return;
    watchGrace({ node, fileserver: spec, holder: client(), insidePid: insidePid(), held: found.locksToReclaim }).then(
      (said) => node.log(`${spec.name}: ${said}`),
      // The fileserver may have moved on meanwhile; its grace ends by time then.
      (error: unknown) => node.log(`${spec.name}: lockd's grace was left to its time: ${explain(error).join("; ")}`),
    );
  }

  async function stateNow(): Promise<FileserverState> {
    return running ?? (await look()).judgement.state;
  }

  async function releaseCompletely(successorSystemId?: string): Promise<Timeline> {
    const { timeline, fault } = await releaseNow(successorSystemId);
    if (fault !== undefined) throw new RunFault(fault, timeline);
    return timeline;
  }

  async function takeover({ fencedKey, handedOver }: TakeoverCircumstances = { handedOver: false }): Promise<Timeline> {
    const { effect } = stepMachine(await stateNow(), "takeover-asked");
    if (effect === "answer-done") return remember("takeover", node.clock.wallMs(), { steps: [], durationMs: 0 });
    const started = await exclusively("taking-over", async () => {
      if (effect === "run-release-first") {
        await releaseCompletely();
        await runCold();
        await runWarm();
      } else if (effect === "run-warm-first") await runWarm();
      else await connectHolder();
      const found = await lookAtDisks();
      const looked = handedOver ? labelledForUs(found) : found;
      const startedAtMs = node.clock.wallMs();
      const runContext = context(looked, fencedKey);
      const result = await run(takeoverGraph(spec), runContext);
      prepared = undefined;
      if (result.fault === undefined) {
        watchLocks(runContext);
        return remember("takeover", startedAtMs, result);
      }
      // Half a takeover is undone at once: it must not keep the volume from the other node.
      const undo = await releaseNow();
      const timeline = remember("takeover", startedAtMs, result, undo.fault === undefined);
      renewStandbySoon();
      throw new RunFault(result.fault, timeline);
    });
    return started;
  }

  return {
    spec,
    history: () => history,
    takeover,

    async status() {
      const found = await observe(spec);
      const addresses = spec.addresses.map((address) => `${address.address}/${address.prefixLength}`);
      if (!found.known)
        return { name: spec.name, state: "unknown", because: [found.why], addresses, connections: 0, nfsdThreads: 0 };
      const { judgement, sighting, insidePid } = found.value;
      const connections =
        judgement.state === "serving" && insidePid !== undefined
          ? (await readServedConnections(spec, insidePid)).length
          : 0;
      return {
        name: spec.name,
        state: running ?? judgement.state,
        because: judgement.lacks.map((lack) => `${lack} is missing`),
        addresses,
        connections,
        nfsdThreads: sighting.nfsdThreads,
      };
    },

    async prepare() {
      return exclusively("warming", async () => {
        // Looked at here and not before: in the middle of a takeover it would seem to be half done, and be released.
        const { state } = (await look()).judgement;
        if (state === "serving")
          throw new Fault({
            kind: "refused",
            code: "already-serving",
            what: `${spec.name} is served by ${node.name} already`,
          });
        if (!(await exists(`/sys/class/net/${spec.interface}`))) throw interfaceMissing(node, spec);
        prepared = undefined;
        const looked = await lookAtDisks();
        // Reading is enough to know that the path to the LUN works; who holds it is asked again when it is taken.
        for (const { disks } of looked.facts.values()) for (const disk of disks) await readState(node.commands, disk);
        if (state === "partial") await releaseCompletely();
        if (state === "partial") await runCold();
        if (state !== "warm") await runWarm();
        else await connectHolder();
        prepared = { ...looked, addressesProbed: await probeBeforeMove(node, spec), atMs: node.clock.monotonicMs() };
        return [...looked.facts.values()].every(({ group }) => group === undefined || isPlain(group))
          ? looked.systemId
          : undefined;
      });
    },

    async release(successorSystemId) {
      const { effect } = stepMachine(await stateNow(), "release-asked");
      if (effect === "answer-done") return remember("release", node.clock.wallMs(), { steps: [], durationMs: 0 });
      const timeline = await exclusively("releasing", () => releaseCompletely(successorSystemId));
      renewStandbySoon();
      return timeline;
    },

    async warm() {
      const { state } = (await look()).judgement;
      if (state === "absent") await exclusively("warming", runWarm);
      else if (state === "warm" || state === "serving") await connectHolder();
    },
  };
}

/** A fault of a run, with what the run did. */
export class RunFault extends Fault {
  readonly timeline: Timeline;

  constructor(fault: Fault, timeline: Timeline) {
    super({
      kind: fault.kind,
      code: fault.code,
      what: fault.message,
      ...(fault.why === undefined ? {} : { why: fault.why }),
      ...(fault.remedy === undefined ? {} : { remedy: fault.remedy }),
      cause: fault.cause,
    });
    this.timeline = timeline;
  }
}

function interfaceMissing(node: Node, spec: FileserverSpec): Fault {
  return new Fault({
    kind: "refused",
    code: "interface-missing",
    what: `${node.name} has no interface ${spec.interface}`,
    why: `${spec.name} would have no way to its clients there`,
    remedy: "correct `interface` in the spec, or make the interface: ip link",
  });
}

/** Drills of crash points: dies as with kill -9 where the file says. Absent on every other day. */
async function crashPoint(step: Step): Promise<void> {
  const wanted = await readFile(PLACES.crashPoint, "utf8").catch(() => undefined);
  if (wanted?.trim() !== step.id) return;
  await rm(PLACES.crashPoint, { force: true });
  process.kill(process.pid, "SIGKILL");
}
