/**
 * What a node concludes from what it sees of its own registration on the fileservers' LUNs (engine pacemaker). Pure: the
 * agent looks, and does what is named here. docs/fencing.md says what the registrations are for.
 *
 * INVARIANTS
 * - A node that has something of a volume never registers on that volume's LUN, except over its own key: stale pages
 *   would be written over what another node has done meanwhile.
 * - Registered in this boot and no longer there means fenced, whatever else is seen. Registering again would be a
 *   registration in the midst of a cluster that may have been told that this node is gone, and orders that it was given
 *   before would be carried out after it.
 * - For the same reason no LUN is registered while another one, registered before, is not verified.
 * - No answer is not "gone": nobody is fenced by silence, only kept quiet by it.
 */
import type { Observed } from "../base/observed.ts";

/** What was last seen of one LUN. */
export interface LunSight {
  /** Its stable name, the same on every node. */
  readonly lun: string;
  /** Keys that stand there; unknown where the last question got no answer. */
  readonly keys: Observed<readonly string[]>;
  /** This node has registered there since it was booted. */
  readonly registered: boolean;
  /** Something of a volume on it is here, or may be: active, mounted, a run under way, or not to be found out. */
  readonly inUse: boolean;
  /** Since this node's key was last seen there, counted from the question; at first since the agent began to look. */
  readonly unverifiedMs: number;
}

export interface StandingRules {
  readonly ownKey: string;
  /** Keys of all nodes of the cluster, this one among them. */
  readonly clusterKeys: readonly string[];
  /** What is in use and unverified for so long must not answer clients any more. */
  readonly silenceAfterMs: number;
}

export type Conclusion =
  /** The key stands: what is on this LUN may be written, and served. */
  | "good"
  /** Not registered, and nothing of it is here: registering can harm nobody. */
  | "register"
  /** No answer, not yet for too long, or nothing of it is here. */
  | "wait"
  /** No answer for too long: another node may have been told that this one is gone. */
  | "silence"
  /** Another node has taken the registration away: nothing of this node's memory may reach the LUN any more. */
  | "fenced"
  /** May not register: the remedy is an operator's. */
  | "barred";

export interface LunStanding {
  readonly lun: string;
  readonly conclusion: Conclusion;
  readonly because: string;
}

export function concludeLun(sight: LunSight, rules: StandingRules): LunStanding {
  const { lun, keys, registered, inUse, unverifiedMs } = sight;
  const as = (conclusion: Conclusion, because: string): LunStanding => ({ lun, conclusion, because });
  if (!keys.known) {
    if (registered && inUse && unverifiedMs >= rules.silenceAfterMs) return as("silence", `for too long: ${keys.why}`);
    return as("wait", keys.why);
  }
  const own = keys.value.includes(rules.ownKey);
  if (registered) {
    if (own) return as("good", "this node's key stands");
    return as(
      "fenced",
      `this node's key is gone${keys.value.length > 0 ? ", and others stand" : ", as all others are"}`,
    );
  }
  const [stranger] = keys.value.filter((key) => !rules.clusterKeys.includes(key));
  if (stranger !== undefined && !keys.value.some((key) => rules.clusterKeys.includes(key)))
    return as("barred", `key ${stranger} stands there, which no node of this cluster has`);
  if (inUse && !own)
    return as("barred", "something of a volume on it is active or mounted here, and this node is not registered");
  return as("register", "not registered since this node was booted");
}

export interface NodeStanding {
  readonly luns: readonly LunStanding[];
  /** Why this node has to go down at once; undefined where it need not. */
  readonly fenced: string | undefined;
  readonly register: readonly string[];
  /** LUNs whose fileservers must not answer. */
  readonly silence: readonly string[];
  /** Registered everywhere, and everything verified of late. */
  readonly good: boolean;
}

export function concludeNode(sights: readonly LunSight[], rules: StandingRules): NodeStanding {
  const luns = sights.map((sight) => concludeLun(sight, rules));
  const which = (conclusion: Conclusion): readonly LunStanding[] => luns.filter((one) => one.conclusion === conclusion);
  const [fenced] = which("fenced");
  const verified = sights.every(({ lun, registered }) => !registered || which("good").some((one) => one.lun === lun));
  return {
    luns,
    fenced: fenced === undefined ? undefined : `${fenced.lun}: ${fenced.because}`,
    register: verified ? which("register").map(({ lun }) => lun) : [],
    silence: which("silence").map(({ lun }) => lun),
    good: luns.length > 0 && luns.every(({ conclusion }) => conclusion === "good"),
  };
}

/** What follows for the address of one fileserver. */
export type AddressRuling = "silence" | "keep" | "resume";

/**
 * @param luns those of the fileserver.
 * @param silenced its address was taken down by an earlier ruling.
 */
export function ruleAddress(standing: NodeStanding, luns: readonly string[], silenced: boolean): AddressRuling {
  const of = standing.luns.filter(({ lun }) => luns.includes(lun));
  if (of.some(({ conclusion }) => conclusion === "silence" || conclusion === "fenced"))
    return silenced ? "keep" : "silence";
  const verified = of.length === luns.length && of.every(({ conclusion }) => conclusion === "good");
  return silenced && verified && standing.fenced === undefined ? "resume" : "keep";
}
