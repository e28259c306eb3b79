/** The words of the drills: what is probed, over which protocol, and how a mount is asked for. */

/** What a client does all the time, each in a loop of its own. The order is that of every table. */
export const PROBES = ["write", "read", "open", "lock"] as const;
export type Probe = (typeof PROBES)[number];

/**
 * All that runs on a client during a drill: the probes, and work that is judged but not timed: a real tree, locks held
 * all the time (`held`), tries to get what another client holds (`steal`), a counter under a lock (`count`), and a
 * rising counter (`tick`) that another client reads past its cache (`watch`).
 */
export type LoopKind = Probe | "tree" | "held" | "steal" | "count" | "tick" | "watch";

export const PROTOCOLS = ["v3", "v4.1", "v4.2"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** What a document is about: one protocol, or a client's mounts over every one of them together. */
export type ProtocolMix = Protocol | "all";

/** The losses that a drill can cause on purpose, to see its oracles find them: `--inject`. Each is an oracle's name. */
export const LOSSES = [
  "lost-write",
  "torn-write",
  "lost-lock",
  "granted-twice",
  "stale-read",
  "application-error",
] as const;
export type Loss = (typeof LOSSES)[number];

const VERSIONS: Readonly<Record<Protocol, string>> = { v3: "vers=3", "v4.1": "vers=4.1", "v4.2": "vers=4.2" };

const HELD_LOCKS = 8;

/**
 * Locks held all the time beside the probed one. None over v3: there a held lock keeps lockd's grace until it is
 * reclaimed, and a client that was told to wait asks again only after 5 s (NLMCLNT_GRACE_WAIT, fs/lockd/clntproc.c).
 * What that costs is measured by the drills of lock recovery, not hidden in the pause of a move.
 */
export function heldLocks(protocol: Protocol): number {
  return protocol === "v3" ? 0 : HELD_LOCKS;
}

/** Of the Internet Protocol. */
export type Family = 4 | 6;

/**
 * Options of mount.nfs(8). `hard` is what every application that must not lose data uses: calls wait, they never fail.
 * `nosharecache` keeps two mounts of one export apart, so that one protocol's cache never answers for another's.
 * The family is named because a name with addresses of both would leave the choice to chance.
 */
export function mountOptions(protocol: Protocol, family: Family): string {
  return `${VERSIONS[protocol]},proto=${family === 6 ? "tcp6" : "tcp"},hard,nosharecache,noatime`;
}

/** "v3" → ["v3"], "all" → every protocol; undefined where the word is not one. */
export function parseProtocols(word: string): readonly Protocol[] | undefined {
  if (word === "all") return PROTOCOLS;
  const found = PROTOCOLS.filter((protocol) => protocol === word);
  return found.length === 0 ? undefined : found;
}
