/** Everything that a schedule is made of: nodes, storage, clients, the rules in force, and what was found wrong. */
import type { Ledger, Waiting } from "../failover/ledger.ts";
import type { LockMemory } from "../failover/lock-memory.ts";
import type { WatchStart, WatchState } from "../failover/watch.ts";
import type { Observed } from "../base/observed.ts";
import type { FileserverState } from "../failover/machine.ts";
import type { NodeStanding } from "../failover/standing.ts";
import type { Events, Owner, Signal } from "./events.ts";
import type { Graphs, Logic } from "./logic.ts";
import type { Random } from "./random.ts";
import type { Client, ClientFacts } from "./client.ts";
import type { Lun } from "./storage.ts";
import type { FileserverSpec } from "../model/spec.ts";

export interface World {
  readonly events: Events;
  readonly random: Random;
  readonly logic: Logic;
  readonly graphs: Graphs;
  readonly fileserver: FileserverSpec;
  readonly nodes: readonly SimNode[];
  readonly luns: readonly Lun[];
  readonly volumes: readonly Volume[];
  readonly clients: readonly Client[];
  readonly facts: readonly ClientFacts[];
  /** Raised when a registration, or somebody's way to the storage, has changed. */
  readonly storageNews: Signal;
  storageChanges: number;
  storageChangedMs: number;
  /** By lock: the client whose application has been told that it has it. */
  readonly held: (number | undefined)[];
  readonly ground: Owner;
  readonly conditions: Conditions;
  /** A planned move is wanted, to this node. */
  wish: number | undefined;
  connectivityChanged: () => void;
  booted: (node: SimNode) => void;
  /**
   * Something has come between clients and their server.
   *
   * @param own the server's own doing, which it must not hold against them.
   */
  disturb: (own?: "own") => void;
  violation: Violation | undefined;
  readonly trace: Trace | undefined;
  /** Servers get numbers as they start. */
  servers: number;
  readonly tally: Tally;
}

/** What a schedule makes worse than usual for as long as faults last. */
export interface Conditions {
  /** Steps take many times as long, some longer than their bound. */
  slow: boolean;
  /** An answer to the cluster engine does not arrive. */
  losesAnswers: boolean;
  /** Something happens to a node as it begins this kind of step; once. */
  ambush: { readonly step: string; strike(node: SimNode): void } | undefined;
  /** Something happens as somebody begins to fence this node; once. */
  fenceAmbush: { readonly victim: SimNode; strike(fencer: SimNode): void } | undefined;
  /** A statd was killed at some time. */
  statdDied: boolean;
  healed: boolean;
  healedAtMs: number;
}

/** What happened in a schedule, so that a campaign can say what it has tried. */
export interface Tally {
  takeovers: number;
  releases: number;
  fences: number;
  reboots: number;
  writes: number;
  locks: number;
  reclaims: number;
  /** Locks of clients that were kept away from reclaiming for too long. */
  givenUp: number;
  /** Longest time for which a fenced node went on answering. */
  doubleOpenMs: number;
}

export interface Violation {
  readonly invariant: string;
  readonly what: string;
  readonly atMs: number;
}

/** One line per event that a person would tell. */
export type Trace = (atMs: number, who: string, what: string) => void;

export interface SimNode {
  readonly index: number;
  readonly name: string;
  /** This boot's. */
  owner: Owner;
  on: boolean;
  /** Its power is away: a boot waits for it. */
  heldOff: boolean;
  /** Parts of its network that do not work. */
  readonly cuts: { storage: "none" | "answers" | "both"; lan: boolean; ring: Set<number> };
  /** Storage requests that wait for the path, with the boot that they belong to. */
  storageWaiters: (() => void)[];
  /** When it was last frozen. */
  frozenMs: number;
  thawedMs: number;
  /** How long it has been open and running beside another one, and since when. */
  doubleOpenMs: number;
  site: Site;
  agent: SimAgent | undefined;
  engine: SimEngine;
  /** Its reservation key. */
  readonly key: string;
  /** /run/holdfast/registered: LUNs on which it has registered in this boot, and when. */
  readonly registered: Map<string, number>;
  /** Commands that a holder is at; they outlive the agent. */
  commands: number;
}

/** What of the fileserver is on a node, as its kernel has it. */
export interface Site {
  holder: boolean;
  link: boolean;
  rpcbind: boolean;
  mountd: boolean;
  statd: boolean;
  nfsdcld: boolean;
  notifier: boolean;
  /** Counts them: of two only the newer one goes on. */
  notifiers: number;
  linkUp: boolean;
  requestsHeld: boolean;
  /** The link is down because this node cannot tell whether it is in good standing. */
  silenced: boolean;
  readonly active: boolean[];
  readonly mounts: (Mount | undefined)[];
  /** Mounts that have been asked for and have neither come nor failed. */
  mounting: number;
  server: Server | undefined;
}

export interface Volume {
  readonly index: number;
  readonly name: string;
  readonly lun: Lun;
  /** What is on the platters. */
  readonly disk: Disk;
  /** Counts mounts: the log of a file system has one writer at a time. */
  session: number;
}

export interface Disk {
  /** By client: the version of its file. */
  readonly versions: number[];
  /** statd's list: who was monitored. */
  readonly monitored: Set<number>;
  /** Who has still to be notified. */
  readonly retired: Set<number>;
  ledger: Ledger | undefined | "damaged";
  /** nfsdcld's database: who may reclaim, while a grace lasts. */
  cldRecovery: ReadonlySet<number> | undefined;
  readonly cldCurrent: Set<number>;
}

export interface Mount {
  readonly volume: Volume;
  readonly session: number;
  /** With everything that is still only in memory. */
  readonly view: Disk;
  /** Changes of names and small files that the log does not have yet, in order. */
  readonly journal: ((disk: Disk) => void)[];
  /** A write was refused: nothing is written any more, and nothing read that is not in memory. */
  shutDown: boolean;
}

/** One start of nfsd, with what it keeps in memory. */
export interface Server {
  readonly number: number;
  readonly startedMs: number;
  /** Locks of which the ledger said before it opened that they had been held for a while. */
  awaited: ReadonlySet<string>;
  /** lockd's grace was ended by its limit: whoever was not back by then was given up. */
  reachedLimit: boolean;
  graceEndedMs: number | undefined;
  v3GraceLasts: boolean;
  v4GraceLasts: boolean;
  openedMs: number | undefined;
  /** nfsdcld answered when it started; without it nobody may reclaim. */
  readonly mayReclaim: ReadonlySet<number>;
  readonly locks: Map<number, number>;
  /** Clients that nfsd knows: when they were last heard. */
  readonly v4Clients: Map<number, { renewedMs: number; complete: boolean }>;
  readonly connected: Set<number>;
  readonly connectedToLockd: Set<number>;
  /** lockd has had them monitored and does not ask statd again. */
  readonly monitors: Set<number>;
}

export interface SimAgent {
  readonly owner: Owner;
  /** The one run of the fileserver that is under way. */
  running: FileserverState | undefined;
  watch: SimWatch | undefined;
  /** Of the last watch of this service: a release that failed is tried again. */
  watchEnd: WatchEnd;
  /** A planned move was announced. */
  successor: { readonly systemId: string; readonly atMs: number } | undefined;
  standing: NodeStanding | undefined;
  /** By LUN: what was seen last, and when this node's key was last seen there. */
  readonly seen: Map<string, { keys: Observed<readonly string[]>; verifiedAtMs: number; asking: boolean }>;
}

export interface WatchEnd {
  readonly lockMemory: LockMemory;
  readonly waiting: Waiting;
}

export interface SimWatch {
  readonly start: WatchStart;
  state: WatchState;
  stopped: boolean;
  /** Its last look has ended. */
  over: boolean;
  readonly ended: Signal;
  /** Looks since something changed; the agent, too, rests after some. */
  unchanged: number;
  /** Raised when something has changed that a look could see. */
  readonly news: Signal;
}

/** Corosync and Pacemaker of one node. */
export interface SimEngine {
  running: boolean;
  /** Who this node takes for members, itself among them. */
  view: ReadonlySet<number>;
  /** wait_for_all: it has seen everybody since it started. */
  sawAll: boolean;
  /** Nodes known not to run anything: fenced. */
  readonly down: Set<number>;
  /** Per node: what its last operation says of the fileserver. */
  readonly knows: ("unknown" | "pending" | "stopped" | "started" | "failed")[];
  /** Counts failed starts per node, so that the next attempt is made elsewhere. */
  readonly failures: number[];
  readonly poked: Signal;
  /** Raised when members have changed: an answer may not come any more. */
  readonly operations: Set<Signal>;
  monitoredMs: number;
  startedMs: number;
  /** Who was a member at some time since. */
  readonly seen: Set<number>;
}

export function violate(world: World, invariant: string, what: string): void {
  if (world.violation !== undefined) return;
  world.violation = { invariant, what, atMs: world.events.nowMs };
  world.trace?.(world.events.nowMs, "INVARIANT", `${invariant}: ${what}`);
}

export function newSite(volumes: number): Site {
  return {
    holder: false,
    link: false,
    rpcbind: false,
    mountd: false,
    statd: false,
    nfsdcld: false,
    notifier: false,
    notifiers: 0,
    linkUp: false,
    requestsHeld: false,
    silenced: false,
    active: Array.from({ length: volumes }, () => false),
    mounts: Array.from({ length: volumes }, () => undefined),
    mounting: 0,
    server: undefined,
  };
}

/** Its address answers: whether anything stands behind it is another question. */
export function isOpen(node: SimNode): boolean {
  return node.on && node.site.linkUp && !node.site.silenced && !node.site.requestsHeld;
}

export function isRunning(node: SimNode): boolean {
  return node.on && !node.owner.frozen;
}

/** Registered on every LUN, so that what it sends is written. */
export function isInGoodStanding(world: World, node: SimNode): boolean {
  return world.luns.every((lun) => lun.keys.has(node.index));
}
