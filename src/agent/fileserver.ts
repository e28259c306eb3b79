/**
 * One fileserver on this node: what is asked of it goes through the machine's table, one run at a time.
 *
 * INVARIANTS
 * - At most one run per fileserver; others are refused, not queued.
 * - State is looked up before every run; what this object keeps is the run under way, the watch of a serving
 *   fileserver, and past timelines.
 */
import { explain, Fault } from "../base/fault.ts";
import { isEmpty, type Judgement } from "../failover/judge.ts";
import { step as stepMachine, type FileserverState } from "../failover/machine.ts";
import { releaseGraph } from "../failover/release.ts";
import { takeoverGraph } from "../failover/takeover.ts";
import { isPlain } from "../lvm/volume-group.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { dropReservation } from "../scsi/reservation.ts";
import type { FileserverStatus } from "../wire/agent.ts";
import type { ClientsAnswer } from "../wire/clients.ts";
import type { Timeline } from "../wire/timeline.ts";
import { endOnBug } from "./bug.ts";
import { clientsOf } from "./clients.ts";
import type { Node } from "./context.ts";
import { openHandover } from "./handover.ts";
import { openHealth } from "./health.ts";
import { openHistory, RunFault } from "./history.ts";
import { openHushSender, type HushedFileserver } from "./hush.ts";
import { exists } from "./inside.ts";
import { servedConnections } from "./look-at-service.ts";
import { observe, type Found } from "./observe.ts";
import { labelledForUs, openDiskEye, type Looked } from "./prepared.ts";
import { probeBeforeMove } from "./probe.ts";
import type { WatchedFileserver } from "./registration.ts";
import { openRoleTeller } from "./role-teller.ts";
import { openSilence } from "./silence.ts";
import { openStandby } from "./standby.ts";
import { openWatchKeeper } from "./watch-keeper.ts";

/** After a release the other node takes over; rebuilding the standby here must not compete with it. */
const WARM_AFTER_RELEASE_DELAY_MS = 5_000;

export interface TakeoverCircumstances {
  /** Reservation key of a node that an operator knows to be down. */
  readonly fencedKey?: string;
  /** The release before has labelled the volume groups for this node. */
  readonly handedOver: boolean;
}

export interface FileserverSight {
  /** The run under way. */
  readonly running?: FileserverState;
  readonly judgement: Judgement;
  /** Nothing of the volumes is here, and nobody is served. */
  readonly empty: boolean;
  readonly silencedBecause?: string;
}

export interface FileserverControl extends WatchedFileserver, HushedFileserver {
  readonly spec: FileserverSpec;
  status(): Promise<FileserverStatus>;
  /** Refused where this node does not serve it. */
  clients(): Promise<ClientsAnswer>;
  /**
   * Makes sure that this node can take over, before anybody waits. Resolves with this node's LVM system ID, where the
   * volume groups may be labelled with it before the release; undefined where LVM has to take the volumes down itself
   * and must know the group as its own until then.
   */
  prepare(): Promise<string | undefined>;
  takeover(circumstances?: TakeoverCircumstances): Promise<Timeline>;
  release(successorSystemId?: string): Promise<Timeline>;
  /** A planned move: the next release labels the volume groups for the successor, the next takeover here relies on it. */
  announce(successorSystemId: string): void;
  /** The announced successor is this node, which has prepared itself. */
  isSuccessor(): boolean;
  /** True from the takeover to the release, for as long as this agent knows. */
  serves(): boolean;
  /** Another fileserver's lock manager has stopped on this node. */
  lockdMaySleep(): void;
  /** What is here, and why it is silent where it is. Rejects where that cannot be found out. */
  sight(): Promise<FileserverSight>;
  /** What a close look at a serving fileserver finds wanting; nothing where all is well. */
  check(boundMs: number): Promise<readonly string[]>;
  /**
   * For an agent that has just started: brings the warm standby up where nothing of the volumes is here, and watches
   * what serves. What is half done stays: whether to complete or to undo it is for whoever asks next.
   */
  warm(): Promise<void>;
  history(): readonly Timeline[];
}

// oxlint-disable-next-line max-lines-per-function -- the functions inside share the one run under way, which is nobody else's
export function controlFileserver(node: Node, spec: FileserverSpec): FileserverControl {
  const standby = openStandby(node, spec);
  const history = openHistory(node, spec.name);
  const silence = openSilence(node, spec);
  const handover = openHandover(node);
  const lookAtDisks = openDiskEye(node, spec);
  const health = openHealth(node, spec);
  const roles = openRoleTeller(node, spec);
  const hushes = openHushSender(node, spec.name);
  const watch = openWatchKeeper(node, spec);
  let running: FileserverState | undefined;
  let prepared: Looked | undefined;
  /** Nothing of the volumes was here after the last run, or at the start. */
  let empty = false;

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

  async function stateNow(): Promise<FileserverState> {
    return running ?? (await look()).judgement.state;
  }

  async function exclusively<T>(as: FileserverState, work: () => Promise<T>): Promise<T> {
    if (running !== undefined)
      throw new Fault({
        kind: "refused",
        code: "fileserver-busy",
        what: `${spec.name} is ${running} on ${node.name}`,
        remedy: "wait for it, then try again",
      });
    running = as;
    try {
      await hushes.settled();
      return await work();
    } finally {
      running = undefined;
    }
  }

  async function releaseNow(
    successorSystemId?: string,
  ): Promise<{ readonly timeline: Timeline; readonly fault?: Fault }> {
    const looked = await lookAtDisks(prepared);
    await standby.connect();
    silence.forget();
    roles.say("releasing");
    const startedAtMs = node.clock.wallMs();
    const result = await standby.run(
      releaseGraph(spec, successorSystemId),
      standby.context(looked, { endWatch: () => watch.end() }),
    );
    empty = result.fault === undefined;
    if (empty) roles.say("standby");
    else await roles.settle();
    // What was found before the release is not what the next takeover finds.
    prepared = undefined;
    handover.forget();
    return {
      timeline: history.remember("release", startedAtMs, result),
      ...(result.fault === undefined ? {} : { fault: result.fault }),
    };
  }

  async function releaseCompletely(successorSystemId?: string): Promise<Timeline> {
    const { timeline, fault } = await releaseNow(successorSystemId);
    if (fault !== undefined) throw new RunFault(fault, timeline);
    return timeline;
  }

  /**
   * Namespaces are made anew after a release: what nfsd and lockd kept in them is gone for certain. Only where nothing
   * of the volumes is here: by now it may have been taken over again, or the release may have failed half way.
   */
  async function renewStandby(): Promise<void> {
    await exclusively("warming", async () => {
      if (!isEmpty((await look()).sighting)) return;
      await standby.runCold();
      await standby.runWarm();
    });
  }

  /**
   * Engine standalone. Where nothing of the volumes is here, no reservation may be: an agent or a node that died between the two would
   * keep the volumes from every other node, and nobody would be left to ask for their release.
   */
  async function dropOwnReservations(): Promise<void> {
    if (node.engine === "pacemaker") return;
    const { facts } = await lookAtDisks(undefined);
    for (const disk of new Set([...facts.values()].flatMap(({ disks }) => disks)))
      await dropReservation(node.reservations, disk, node.reservationKey);
  }

  function renewStandbySoon(): void {
    const timer = setTimeout(() => {
      renewStandby().catch((error: unknown) => {
        node.log(`${spec.name}: no warm standby: ${explain(error).join("; ")}`);
        endOnBug(error);
      });
    }, WARM_AFTER_RELEASE_DELAY_MS);
    timer.unref();
  }

  /** An agent that was started anew finds it serving. */
  const watchRunning = async (): Promise<void> => watch.beginRunning(await standby.connect());

  async function takeover({ fencedKey, handedOver }: TakeoverCircumstances = { handedOver: false }): Promise<Timeline> {
    const { effect } = stepMachine(await stateNow(), "takeover-asked");
    if (effect === "answer-done") {
      // A release that failed before it touched anything has ended the watch.
      await exclusively("taking-over", watchRunning);
      await roles.settle();
      return history.remember("takeover", node.clock.wallMs(), { steps: [], durationMs: 0 });
    }
    return exclusively("taking-over", async () => {
      empty = false;
      if (effect === "run-release-first") {
        await releaseCompletely();
        await standby.runCold();
        await standby.runWarm();
      } else if (effect === "run-warm-first") await standby.runWarm();
      else await standby.freshen();
      const found = await lookAtDisks(prepared);
      const looked = handedOver ? labelledForUs(found) : found;
      watch.forget();
      const startedAtMs = node.clock.wallMs();
      const context = standby.context(looked, fencedKey === undefined ? {} : { fencedKey });
      roles.say("opening");
      const result = await standby.run(takeoverGraph(spec, roles.behindDirector), context);
      prepared = undefined;
      handover.forget();
      if (result.fault === undefined) {
        watch.begin(context);
        return history.remember("takeover", startedAtMs, result);
      }
      // Half a takeover is undone at once: it must not keep the volume from the other node.
      const undone = await releaseNow().then(
        (undo) => undo.fault === undefined,
        (error: unknown) => {
          node.log(`${spec.name}: the takeover could not be undone: ${explain(error).join("; ")}`);
          return roles.settle().then(() => false);
        },
      );
      const timeline = history.remember("takeover", startedAtMs, result, undone);
      renewStandbySoon();
      throw new RunFault(result.fault, timeline);
    });
  }

  return {
    spec,
    history: () => history.timelines,
    takeover,

    async status() {
      const found = await observe(spec);
      const addresses = spec.addresses.map((address) => `${address.address}/${address.prefixLength}`);
      if (!found.known)
        return { name: spec.name, state: "unknown", because: [found.why], addresses, connections: 0, nfsdThreads: 0 };
      const { judgement, sighting, insidePid } = found.value;
      const serving = judgement.state === "serving" && insidePid !== undefined;
      const grace = serving ? watch.view()?.grace : undefined;
      return {
        name: spec.name,
        state: running ?? judgement.state,
        because: [
          ...judgement.lacks.map((lack) => `${lack} is missing`),
          ...(silence.because() === undefined ? [] : [`its address is silent: ${silence.because()}`]),
        ],
        addresses,
        connections: serving ? servedConnections(spec, insidePid).length : 0,
        nfsdThreads: sighting.nfsdThreads,
        ...(grace === undefined ? {} : { grace }),
      };
    },

    async clients() {
      const { judgement, insidePid } = await look();
      if (judgement.state !== "serving" || insidePid === undefined) throw notServing(node, spec);
      const view = watch.view();
      if (view === undefined) throw notLookedAtYet(node, spec);
      return {
        fileserver: spec.name,
        node: node.name,
        grace: view.grace,
        clients: await clientsOf(view, insidePid),
        v3Locks: view.look.v3Locks.length,
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
        const looked = await lookAtDisks(prepared);
        // Reading is enough to know that the path to the LUN works; who holds it is asked again when it is taken.
        for (const { disks } of looked.facts.values())
          for (const disk of disks) await node.reservations.readState(disk);
        if (state === "partial") await releaseCompletely();
        if (state === "partial") await standby.runCold();
        if (state !== "warm") await standby.runWarm();
        else await standby.freshen();
        prepared = { ...looked, addressesProbed: await probeBeforeMove(node, spec), atMs: node.clock.monotonicMs() };
        return [...looked.facts.values()].every(({ group }) => group === undefined || isPlain(group))
          ? looked.systemId
          : undefined;
      });
    },

    serves: () => watch.watches(),
    lockdMaySleep: () => watch.lockdMaySleep(),
    idle: () => empty && running === undefined,
    announce: (successorSystemId) => handover.announce(successorSystemId),
    isSuccessor: () => prepared !== undefined && handover.announced() === prepared.systemId,
    silence: (because) => silence.begin(because, running === "releasing"),
    silenced: () => silence.because() !== undefined,

    async hush(victimKey) {
      // Nobody announces its address there; the directors know who serves.
      if (roles.behindDirector) return false;
      return hushes.send(victimKey, () => running === undefined && !watch.watches());
    },

    async resume() {
      await exclusively("taking-over", async () => {
        const { sighting } = await look();
        const whole = sighting.nfsdThreads > 0 && sighting.volumesMounted === sighting.volumes;
        if (!whole || sighting.requestsHeld) return silence.forget();
        const { client, pid } = await standby.connect();
        watch.clientsWereKeptOut();
        await silence.end(client, pid);
        await roles.settle();
      });
    },

    async inUse() {
      const moving = running === "taking-over" || running === "releasing" || standby.overdue().length > 0;
      return moving || !isEmpty((await look()).sighting);
    },

    async sight() {
      const { judgement, sighting } = await look();
      const silencedBecause = silence.because();
      return {
        judgement,
        empty: isEmpty(sighting) && standby.overdue().length === 0,
        ...(running === undefined ? {} : { running }),
        ...(silencedBecause === undefined ? {} : { silencedBecause }),
      };
    },

    async check(boundMs) {
      const { client, pid } = await standby.connect();
      return health.look(client, pid, boundMs);
    },

    async release(successorSystemId = handover.announced()) {
      const { effect } = stepMachine(await stateNow(), "release-asked");
      if (effect === "answer-done")
        return history.remember("release", node.clock.wallMs(), { steps: [], durationMs: 0 });
      const timeline = await exclusively("releasing", () => releaseCompletely(successorSystemId));
      renewStandbySoon();
      return timeline;
    },

    async warm() {
      const { judgement, sighting } = await look();
      await roles.settle();
      if (judgement.state === "serving") await exclusively("warming", watchRunning);
      if (!isEmpty(sighting)) return;
      empty = true;
      await exclusively("warming", async () => {
        if (judgement.state === "partial") await standby.runCold();
        if (judgement.state !== "warm") await standby.runWarm();
        else await standby.freshen();
        await dropOwnReservations();
      });
    },
  };
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

function notServing(node: Node, spec: FileserverSpec): Fault {
  return new Fault({
    kind: "refused",
    code: "not-serving",
    what: `${spec.name} is not served by ${node.name}`,
    remedy: "ask the node that serves it: holdfast status",
  });
}

function notLookedAtYet(node: Node, spec: FileserverSpec): Fault {
  return new Fault({
    code: "not-looked-at-yet",
    what: `${node.name} has not looked at the clients of ${spec.name} yet`,
    why: "the agent or the fileserver has only just started",
    remedy: "try again in a second",
  });
}
