/** A planned move was announced: kept in memory until it comes, or is forgotten. */
import { scaled, type Node } from "./context.ts";

/** Longer than the engine takes from the command to the release. */
const REMEMBERED_MS = 60_000;

export interface Handover {
  /** @param successorSystemId the LVM system ID of the node that takes over: where it is this node's own, it is the one. */
  announce(successorSystemId: string): void;
  announced(): string | undefined;
  forget(): void;
}

export function openHandover(node: Node): Handover {
  let kept: { readonly systemId: string; readonly atMs: number } | undefined;
  return {
    announce(systemId) {
      kept = { systemId, atMs: node.clock.monotonicMs() };
    },
    announced() {
      if (kept === undefined || node.clock.monotonicMs() - kept.atMs > scaled(node, REMEMBERED_MS)) return undefined;
      return kept.systemId;
    },
    forget() {
      kept = undefined;
    },
  };
}
