/** The namespaces of one fileserver on this node: their holder, and how they are made and taken away. */
import { unknown } from "../base/observed.ts";
import { Fault } from "../base/fault.ts";
import type { StepGraph } from "../failover/step.ts";
import { coldGraph, warmGraph } from "../failover/warm.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { NOTHING_WATCHED, scaled, type Node, type StepContext, type WatchEnd } from "./context.ts";
import { crashPoint } from "./crash-point.ts";
import { openHolder, type HolderClient } from "./holder-client.ts";
import { holderFolder } from "./places.ts";
import { NOTHING_LOOKED_AT, type Looked } from "./prepared.ts";
import { runGraph, type RunResult, type StepRunners } from "./runner.ts";
import { startFileserverHolder } from "./start-holder.ts";
import { releaseSteps } from "./steps/release.ts";
import { takeoverSteps } from "./steps/takeover.ts";
import { warmSteps } from "./steps/warm.ts";

const RUNNERS: StepRunners = { ...warmSteps, ...takeoverSteps, ...releaseSteps };
const HOLDER_BOUND_MS = 10_000;

export interface LivingHolder {
  readonly client: HolderClient;
  readonly pid: number;
}

export interface Standby {
  /** Runs go through a holder: the one that is there, or a new one. */
  connect(): Promise<LivingHolder>;
  runWarm(): Promise<void>;
  runCold(): Promise<void>;
  context(looked: Looked, more?: { readonly fencedKey?: string; readonly watched?: WatchEnd }): StepContext;
  run(graph: StepGraph, context: StepContext): Promise<RunResult>;
}

export function openStandby(node: Node, fileserver: FileserverSpec): Standby {
  let holder: LivingHolder | undefined;

  const living = (): LivingHolder => {
    if (holder === undefined)
      throw new Fault({ code: "holder-missing", what: `${fileserver.name} has no namespaces on ${node.name}` });
    return holder;
  };

  const standby: Standby = {
    async connect() {
      const pid = await startFileserverHolder(node.clock, fileserver.name, scaled(node, HOLDER_BOUND_MS));
      if (holder?.pid === pid) return holder;
      holder?.client.close();
      holder = { client: openHolder(holderFolder(fileserver.name)), pid };
      return holder;
    },

    context: (looked, { fencedKey, watched } = {}) => ({
      node,
      holder: () => living().client,
      insidePid: () => living().pid,
      volumeFacts: looked.facts,
      systemId: looked.systemId,
      handedOver: looked.handedOver,
      addressesProbed: looked.addressesProbed,
      found: { ledger: unknown("not read yet") },
      watched: watched ?? NOTHING_WATCHED,
      ...(fencedKey === undefined ? {} : { fencedKey }),
    }),

    run: (graph, context) => runGraph(graph, RUNNERS, context, { begin: crashPoint }),

    async runWarm() {
      await standby.connect();
      const result = await standby.run(warmGraph(fileserver), standby.context(NOTHING_LOOKED_AT));
      if (result.fault !== undefined) {
        await standby.runCold();
        throw result.fault;
      }
      node.log(`${fileserver.name}: warm standby is up, ${result.durationMs} ms`);
    },

    async runCold() {
      holder?.client.close();
      holder = undefined;
      const result = await standby.run(coldGraph(fileserver), standby.context(NOTHING_LOOKED_AT));
      if (result.fault !== undefined) throw result.fault;
    },
  };
  return standby;
}
