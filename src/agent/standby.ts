/** The namespaces of one fileserver on this node: their holder, and how they are made and taken away. */
import { writeFile } from "node:fs/promises";
import { unknown } from "../base/observed.ts";
import { Fault, messageOf } from "../base/fault.ts";
import type { StepGraph } from "../failover/step.ts";
import { coldGraph, warmGraph } from "../failover/warm.ts";
import { fingerprint } from "../model/derive.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { NOTHING_WATCHED, scaled, type Node, type StepContext, type WatchEnd } from "./context.ts";
import { waitFor } from "../system/clock.ts";
import { crashPoint } from "./crash-point.ts";
import { openHolder, type HolderClient } from "./holder-client.ts";
import { readOptional } from "./inside.ts";
import { holderFolder } from "./places.ts";
import { parentMuteText, removeParentMute, type HushedNode } from "./parent-mute.ts";
import { NOTHING_LOOKED_AT, type Looked } from "./prepared.ts";
import { runGraph, type RunResult, type StepRunners } from "./runner.ts";
import { startFileserverHolder } from "./start-holder.ts";
import { releaseSteps } from "./steps/release.ts";
import { takeoverSteps } from "./steps/takeover.ts";
import { warmSteps } from "./steps/warm.ts";

const RUNNERS: StepRunners = { ...warmSteps, ...takeoverSteps, ...releaseSteps };
const HOLDER_BOUND_MS = 10_000;
const OVERDUE_INTERVAL_MS = 50;

export interface LivingHolder {
  readonly client: HolderClient;
  readonly pid: number;
}

export interface Standby {
  /**
   * Runs go through a holder: the one that is there, or a new one. Rejects where something of an earlier run that was
   * given up has still not ended: what is seen before that is not yet true.
   */
  connect(): Promise<LivingHolder>;
  /** What was given up, may still change something of this fileserver, and has not ended. */
  overdue(): readonly string[];
  runWarm(): Promise<void>;
  /** Makes a warm standby anew that was made by a spec with another link, other addresses or other files. */
  freshen(): Promise<void>;
  runCold(): Promise<void>;
  context(
    looked: Looked,
    more?: { readonly fencedKey?: string; readonly endWatch?: StepContext["endWatch"] },
  ): StepContext;
  run(graph: StepGraph, context: StepContext): Promise<RunResult>;
}

export function openStandby(node: Node, fileserver: FileserverSpec): Standby {
  let holder: LivingHolder | undefined;

  const madeFor = `${holderFolder(fileserver.name)}/made-for`;
  const wanted = standbyFingerprint(node, fileserver);

  const living = (): LivingHolder => {
    if (holder === undefined)
      throw new Fault({ code: "holder-missing", what: `${fileserver.name} has no namespaces on ${node.name}` });
    return holder;
  };

  const onHost = (): readonly string[] => (node.overdue?.() ?? []).filter((line) => changesVolumes(fileserver, line));

  async function hostSettled(): Promise<void> {
    const bound = { what: "LVM", timeoutMs: scaled(node, HOLDER_BOUND_MS), intervalMs: OVERDUE_INTERVAL_MS };
    const settled = await waitFor(node.clock, bound, () => Promise.resolve(onHost().length === 0 || undefined));
    if (settled === undefined) throw stillRuns(fileserver, onHost());
  }

  const standby: Standby = {
    async freshen() {
      if ((await readOptional(madeFor)) === wanted) return void (await standby.connect());
      await standby.runCold();
      await standby.runWarm();
    },

    overdue: () => [...(holder?.client.overdue() ?? []), ...onHost()],

    async connect() {
      await hostSettled();
      const pid = await startFileserverHolder(node.clock, fileserver.name, scaled(node, HOLDER_BOUND_MS));
      if (holder?.pid === pid) return holder;
      holder?.client.close();
      holder = { client: openHolder(holderFolder(fileserver.name)), pid };
      return holder;
    },

    context: (looked, { fencedKey, endWatch } = {}) => ({
      node,
      holder: () => living().client,
      insidePid: () => living().pid,
      volumeFacts: looked.facts,
      systemId: looked.systemId,
      handedOver: looked.handedOver,
      addressesProbed: looked.addressesProbed,
      found: { ledger: unknown("not read yet") },
      endWatch: endWatch ?? ((): Promise<WatchEnd> => Promise.resolve(NOTHING_WATCHED)),
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
      await writeFile(madeFor, wanted, { mode: 0o600 });
      node.log(`${fileserver.name}: warm standby is up, ${result.durationMs} ms`);
    },

    async runCold() {
      holder?.client.close();
      holder = undefined;
      const result = await standby.run(coldGraph(fileserver), standby.context(NOTHING_LOOKED_AT));
      if (result.fault !== undefined) throw result.fault;
      // Without the standby it hears hushes for nobody; the next one replaces it.
      await removeParentMute(node, fileserver.name).catch((error: unknown) =>
        node.log(`${fileserver.name}: its filter stays on ${fileserver.interface}: ${messageOf(error)}`),
      );
    },
  };
  return standby;
}

/** Of all that the warm standby is made from. Exports are told to a running one; placement is none of its business. */
export function standbyFingerprint(node: HushedNode & Pick<Node, "otherKeys">, fileserver: FileserverSpec): string {
  const { exports: _, placement: __, ...made } = fileserver;
  const side = node.directors?.side(fileserver.name);
  return fingerprint({ made, side, hushes: node.otherKeys, hears: parentMuteText(node, fileserver) });
}

/** LVM's programs run on the node, for all fileservers: whose they are is seen by the group's name. */
export function changesVolumes({ volumes }: FileserverSpec, line: string): boolean {
  if (!/\/(?:lvchange|vgchange) /.test(line)) return false;
  const words = line.split(" ");
  return volumes.some(
    ({ device }) =>
      device.kind === "lv" && words.some((word) => word === device.vg || word.startsWith(`${device.vg}/`)),
  );
}

function stillRuns(fileserver: FileserverSpec, lines: readonly string[]): Fault {
  return new Fault({
    code: "holder-busy",
    what: `a command for ${fileserver.name} that was given up has not ended: ${lines.join("; ")}`,
    why: "it may still do what it was sent for",
    remedy: "look what it waits for: systemd-cgls -u holdfast.slice",
  });
}
