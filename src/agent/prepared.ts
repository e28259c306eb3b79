/** What is looked up before a run, while nobody waits. */
import { openSystemId } from "../lvm/system-id.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { scaled, type Node, type VolumeFacts } from "./context.ts";
import { lookAtVolumes } from "./volume-facts.ts";

export interface Looked {
  readonly facts: Map<string, VolumeFacts>;
  readonly systemId: string;
  readonly handedOver: boolean;
  readonly addressesProbed: boolean;
  readonly atMs: number;
}

export const NOTHING_LOOKED_AT: Looked = {
  facts: new Map(),
  systemId: "",
  handedOver: false,
  addressesProbed: false,
  atMs: 0,
};

/** What `prepare` found are used by a takeover that follows within this time; an older look is repeated. */
const LOOK_AGE_MAX_MS = 30_000;

export type LookAtDisks = (last: Looked | undefined) => Promise<Looked>;

export function openDiskEye(node: Node, fileserver: FileserverSpec): LookAtDisks {
  const readSystemId = openSystemId(node.commands);
  return async (last) => {
    if (last !== undefined && node.clock.monotonicMs() - last.atMs < scaled(node, LOOK_AGE_MAX_MS)) return last;
    // One after the other: two programs at once take the processor from clients of other fileservers.
    const facts = await lookAtVolumes(node, fileserver);
    const systemId = await readSystemId();
    return { facts, systemId, handedOver: false, addressesProbed: false, atMs: node.clock.monotonicMs() };
  };
}

/** The groups' labels as the release left them. LVM looks for itself: were it not so, activation would be refused. */
export function labelledForUs(looked: Looked): Looked {
  const facts = new Map(
    [...looked.facts].map(([volume, { disks, group }]) => [
      volume,
      { disks, ...(group === undefined ? {} : { group: { ...group, systemId: looked.systemId } }) },
    ]),
  );
  return { ...looked, facts, handedOver: true };
}
