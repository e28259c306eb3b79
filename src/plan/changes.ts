/** What a changed fileserver means for its clients: one table over every key, so that a new key has to be decided on. */
import { canonicalJson } from "../model/derive.ts";
import type { ExportSpec, FileserverSpec, VolumeSpec } from "../model/spec.ts";

/** none: nothing to do. reload: exportfs, unnoticed. restart: release and takeover on the same node, one pause. */
export type Impact = "none" | "reload" | "restart";

export interface FileserverChange {
  readonly impact: Impact;
  /** Keys that differ. */
  readonly changes: readonly string[];
  /** What clients lose beyond the pause. */
  readonly losses: readonly string[];
}

interface KeyRule {
  readonly impact: Impact;
  readonly losses?: (before: FileserverSpec, after: FileserverSpec) => readonly string[];
}

const KEY_RULES: { readonly [K in keyof FileserverSpec]: KeyRule } = {
  name: { impact: "restart" },
  hostname: {
    impact: "restart",
    // The NFSv4 server owner and scope change, and clients give their state up (nfs4state.c, SERVER_SCOPE_MISMATCH).
    losses: () => ["clients lose their locks and open files: the server's name is part of its identity"],
  },
  addresses: {
    impact: "restart",
    losses: (before, after) =>
      before.addresses
        .filter((old) => !after.addresses.some((each) => each.address === old.address))
        .map((old) => `clients that mounted ${old.address} hang until they mount another address`),
  },
  gateways: { impact: "restart" },
  interface: { impact: "restart" },
  link: { impact: "restart" },
  mac: { impact: "restart" },
  protocols: {
    impact: "restart",
    losses: (before, after) =>
      before.protocols
        .filter((old) => !after.protocols.includes(old))
        .map((old) => `clients that mounted by ${old} lose the server`),
  },
  volumes: { impact: "restart", losses: (before, after) => volumeLosses(before.volumes, after.volumes) },
  exports: { impact: "reload", losses: (before, after) => exportLosses(before.exports, after.exports) },
  placement: { impact: "none" },
  nfs: { impact: "restart" },
};

const IMPACT_ORDER: readonly Impact[] = ["none", "reload", "restart"];

export function fileserverChange(before: FileserverSpec, after: FileserverSpec): FileserverChange {
  const keys = (Object.keys(KEY_RULES) as (keyof FileserverSpec)[]).filter(
    (key) => canonicalJson(before[key]) !== canonicalJson(after[key]),
  );
  const impact = keys.reduce<Impact>((most, key) => worse(most, KEY_RULES[key].impact), "none");
  return { impact, changes: keys, losses: keys.flatMap((key) => KEY_RULES[key].losses?.(before, after) ?? []) };
}

function worse(a: Impact, b: Impact): Impact {
  return IMPACT_ORDER.indexOf(a) >= IMPACT_ORDER.indexOf(b) ? a : b;
}

function volumeLosses(before: readonly VolumeSpec[], after: readonly VolumeSpec[]): readonly string[] {
  return before.flatMap((old) => {
    const now = after.find((volume) => volume.name === old.name);
    if (now === undefined) return [`volume ${old.name} is no longer served; its data stays where it is`];
    return canonicalJson(now.device) === canonicalJson(old.device)
      ? []
      : [`volume ${old.name} is another device: clients see other files, and open files become stale`];
  });
}

function exportLosses(before: readonly ExportSpec[], after: readonly ExportSpec[]): readonly string[] {
  return before.flatMap((old) => {
    const now = after.find((item) => item.path === old.path);
    if (now === undefined) return [`clients of ${old.path} lose it: its files become stale`];
    const losses = now.fsid === old.fsid ? [] : [`clients of ${old.path} must mount it again: its fsid changes`];
    const gone = old.clients.filter((client) => !now.clients.some((each) => each.match === client.match));
    return [...losses, ...gone.map((client) => `${client.match} may no longer use ${old.path}`)];
  });
}
