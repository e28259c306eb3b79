/**
 * This node's registration on the LUNs (engine pacemaker): made once after a boot, watched for as long as the agent
 * runs. What is concluded stands in failover/standing.ts; here it is looked, and done.
 *
 * INVARIANTS
 * - A LUN that hangs holds up neither the looks at the others nor what follows from them.
 * - The marker is written after the registration, and is gone with the boot: where it stands, a registration that is
 *   missing has been taken away.
 */
import { explain, Fault, messageOf } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import { lookIntervalMs, lunsToAsk } from "../failover/look.ts";
import { concludeNode, ruleAddress, type LunSight, type NodeStanding } from "../failover/standing.ts";
import { scaled, type Node } from "./context.ts";
import type { FoundLuns, Lun } from "./luns.ts";

/** On which LUNs this node has registered since it was booted, and when: seconds since the boot. */
export type Registered = ReadonlyMap<string, number>;

export interface RegistrationMarker {
  read(): Promise<Registered>;
  write(registered: Registered): Promise<void>;
}

/** The fileservers of this node, as far as the watch has to do with them. */
export interface WatchedFileserver {
  /** True where something of it is here, or where that cannot be found out. */
  inUse(): Promise<boolean>;
  /** True where this agent knows, without looking, that nothing of it is here. */
  idle(): boolean;
  /** At once, and without waiting for anything. */
  silence(because: string): void;
  /** Rejects where the address could not be opened again. */
  resume(): Promise<void>;
  silenced(): boolean;
}

export interface RegistrationParts {
  readonly node: Node;
  /** Keys of all nodes of the cluster. */
  readonly clusterKeys: readonly string[];
  readonly findLuns: () => Promise<FoundLuns>;
  /** Asked by every look; `Reservations.readKeys` unless there is a cheaper way. */
  readonly readKeys?: (disk: string) => Promise<readonly string[]>;
  readonly marker: RegistrationMarker;
  readonly fileservers: ReadonlyMap<string, WatchedFileserver>;
  readonly goDown: (because: string) => void;
  /** Seconds since the boot, as /proc/uptime has them. */
  readonly uptimeS: () => number;
  /** After every look: a watchdog is petted here, so that it bites where nobody looks any more. */
  readonly looked?: () => void;
}

export interface Registration {
  /** Unknown until every LUN of the spec has been found. */
  luns(): Observed<readonly Lun[]>;
  /** Undefined before the first look. */
  standing(): NodeStanding | undefined;
  /**
   * Why this node may not serve the fileserver now; undefined where it may. "not-verified" may pass by itself;
   * "not-registered" is not waited for.
   *
   * @param askedAtS when the service was asked for, in seconds since the boot: where the node has registered only
   *   afterwards, the asker may have been told since that it is gone.
   */
  refusal(fileserver: string, askedAtS?: number): Fault | undefined;
  stop(): void;
}

const SILENCE_AFTER_MS = 1_000;
/** How long it may take to find out whether something of a volume is here; then it counts as being here. */
const USE_BOUND_MS = 500;
/** Disks are looked for again: at first until all are there, later where one gives no answer. */
const FIND_INTERVAL_MS = 5_000;

interface LunState {
  keys: Observed<readonly string[]>;
  verifiedAtMs: number;
  askedAtMs: number;
  asking: boolean;
}

// oxlint-disable-next-line max-lines-per-function -- the functions inside share what was seen last, which is nobody else's
export function watchRegistration(parts: RegistrationParts): Registration {
  const { node, marker } = parts;
  const { clock } = node;
  const intervalMs = lookIntervalMs(node.timeScale);
  const readKeys = parts.readKeys ?? ((disk: string) => node.reservations.readKeys(disk));
  const states = new Map<string, LunState>();
  const rules = {
    ownKey: node.reservationKey,
    clusterKeys: parts.clusterKeys,
    silenceAfterMs: scaled(node, SILENCE_AFTER_MS),
  };
  const say = onChange(node.log);
  let found: FoundLuns = { luns: [], missing: ["not looked for yet"] };
  let foundAtMs = Number.NEGATIVE_INFINITY;
  let finding = false;
  let registered: Registered | undefined;
  let standing: NodeStanding | undefined;
  let deeds: Promise<void> | undefined;
  let stopped = false;

  function stateOf(lun: string): LunState {
    const state = states.get(lun) ?? {
      keys: unknown("not asked yet"),
      verifiedAtMs: clock.monotonicMs(),
      askedAtMs: Number.NEGATIVE_INFINITY,
      asking: false,
    };
    states.set(lun, state);
    return state;
  }

  /** Never rejects; what goes wrong is what is known of the LUN. */
  async function ask(lun: Lun): Promise<void> {
    const state = stateOf(lun.name);
    if (state.asking) return;
    state.asking = true;
    const askedAtMs = clock.monotonicMs();
    state.askedAtMs = askedAtMs;
    try {
      const keys = await readKeys(lun.disk);
      state.keys = known(keys);
      // From the question on: between it and the answer the key may have been taken away.
      if (keys.includes(rules.ownKey)) state.verifiedAtMs = askedAtMs;
    } catch (error) {
      state.keys = unknown(explain(error).slice(0, 2).join(": "));
    } finally {
      state.asking = false;
    }
  }

  async function find(): Promise<void> {
    const asked = found.missing.length > 0 || [...states.values()].some(({ keys }) => !keys.known);
    // A program that hangs on the storage is not joined by others.
    if (node.overdue !== undefined && node.overdue().length > 0) return;
    if (!asked || finding || clock.monotonicMs() - foundAtMs < scaled(node, FIND_INTERVAL_MS)) return;
    finding = true;
    foundAtMs = clock.monotonicMs();
    try {
      const again = await parts.findLuns();
      // A LUN that was found once stays known: without its disk it only gives no answer.
      const lost = found.luns.filter((lun) => !again.luns.some(({ name }) => name === lun.name));
      found = again.missing.length === 0 ? again : { ...again, luns: [...again.luns, ...lost] };
      say("find", again.missing.length === 0 ? undefined : `not all LUNs are found: ${again.missing.join("; ")}`);
    } catch (error) {
      say("find", `the LUNs are not found: ${messageOf(error)}`);
    } finally {
      finding = false;
    }
  }

  async function sightOf(lun: Lun, marked: Registered): Promise<LunSight> {
    const { keys, verifiedAtMs, asking } = stateOf(lun.name);
    const unverifiedMs = clock.monotonicMs() - verifiedAtMs;
    const late = asking && unverifiedMs >= rules.silenceAfterMs;
    const seen = late ? unknown<readonly string[]>("no answer yet") : keys;
    const isMarked = marked.has(lun.name);
    // Asked only where the answer matters: where all is well, and where the key has been taken, it does not.
    const settled = isMarked && seen.known;
    const inUse = settled || (await isInUse(lun));
    return { lun: lun.name, keys: seen, registered: isMarked, inUse, unverifiedMs };
  }

  async function isInUse(lun: Lun): Promise<boolean> {
    const uses = lun.fileservers.map(
      (name) =>
        parts.fileservers
          .get(name)
          ?.inUse()
          .catch(() => true) ?? false,
    );
    const late = clock.sleep(scaled(node, USE_BOUND_MS)).then(() => true);
    return (await Promise.all(uses.map((use) => Promise.race([use, late])))).includes(true);
  }

  async function register(lun: Lun): Promise<void> {
    await node.reservations.register(lun.disk, rules.ownKey);
    const state = await node.reservations.readState(lun.disk);
    // Whoever comes first; it matters only that one stands: without any, everybody could write (SPC-4, 5.13.7).
    if (state.holder === undefined) await node.reservations.reserve(lun.disk, rules.ownKey);
    registered = new Map([...(registered ?? []), [lun.name, parts.uptimeS()]]);
    await marker.write(registered);
    stateOf(lun.name).verifiedAtMs = clock.monotonicMs();
    stateOf(lun.name).keys = known(state.keys);
    node.log(`registered on ${lun.name} (${lun.disk}) with key ${rules.ownKey}`);
  }

  async function registerAll(luns: readonly Lun[]): Promise<void> {
    for (const lun of luns) {
      try {
        await register(lun);
        say(`register ${lun.name}`, undefined);
      } catch (error) {
        say(`register ${lun.name}`, `no registration on ${lun.name}: ${explain(error).join("; ")}`);
      }
    }
  }

  async function resume(name: string, fileserver: WatchedFileserver): Promise<void> {
    await fileserver.resume().then(
      () => node.log(`${name}: every LUN is verified again, its address is open`),
      (error: unknown) => say(`resume ${name}`, `${name}: its address stays silent: ${messageOf(error)}`),
    );
  }

  /** What cannot wait is done at once; what may take time is begun, one thing at a time. */
  function act(now: NodeStanding): void {
    for (const { lun, conclusion, because } of now.luns)
      say(lun, conclusion === "good" || conclusion === "register" ? undefined : `${lun}: ${conclusion}: ${because}`);
    if (now.fenced !== undefined) parts.goDown(`this node was fenced (${now.fenced})`);
    const begun: (() => Promise<void>)[] = [];
    for (const [name, fileserver] of parts.fileservers) {
      const luns = found.luns.filter((lun) => lun.fileservers.includes(name)).map((lun) => lun.name);
      const ruling = ruleAddress(now, luns, fileserver.silenced());
      if (ruling === "silence") fileserver.silence(`the registration on its LUNs is not verified`);
      if (ruling === "resume") begun.push(() => resume(name, fileserver));
    }
    const wanted = found.luns.filter(({ name }) => now.register.includes(name));
    if (wanted.length > 0) begun.push(() => registerAll(wanted));
    deeds ??= begun
      .reduce<Promise<void>>((before, deed) => before.then(deed), Promise.resolve())
      .finally(() => {
        deeds = undefined;
      });
  }

  function toAsk(): readonly Lun[] {
    const sights = found.luns.map(({ name, fileservers }) => {
      const { keys, askedAtMs } = stateOf(name);
      return {
        verified: registered?.has(name) === true && keys.known && keys.value.includes(rules.ownKey),
        idle: fileservers.every((one) => parts.fileservers.get(one)?.idle() ?? true),
        sinceAskedMs: clock.monotonicMs() - askedAtMs,
      };
    });
    const asked = lunsToAsk(sights, node.timeScale);
    return found.luns.filter((_, index) => asked[index]);
  }

  async function lookOnce(): Promise<void> {
    void find();
    const asked = Promise.all(toAsk().map((lun) => ask(lun)));
    await Promise.race([asked, clock.sleep(intervalMs)]);
    registered ??= await marker.read();
    const marked = registered;
    const sights = await Promise.all(found.luns.map((lun) => sightOf(lun, marked)));
    const now = concludeNode(sights, rules);
    standing = now;
    act(now);
  }

  async function loop(): Promise<void> {
    for (;;) {
      if (stopped) return;
      const startedMs = clock.monotonicMs();
      try {
        await lookOnce();
        parts.looked?.();
        say("look", undefined);
      } catch (error) {
        say("look", `this node's registration is not watched: ${messageOf(error)}`);
      }
      await clock.sleep(Math.max(0, intervalMs - (clock.monotonicMs() - startedMs)));
    }
  }

  void loop();
  return {
    luns: () => (found.missing.length === 0 ? known(found.luns) : unknown(found.missing.join("; "))),
    standing: () => standing,
    refusal: (fileserver, askedAtS) => refusalOf(node, fileserver, found, { standing, registered, askedAtS }),
    stop() {
      stopped = true;
    },
  };
}

interface Asked {
  readonly standing: NodeStanding | undefined;
  readonly registered: Registered | undefined;
  readonly askedAtS: number | undefined;
}

function refusalOf(
  node: Node,
  fileserver: string,
  { luns, missing }: FoundLuns,
  { standing, registered, askedAtS }: Asked,
): Fault | undefined {
  const own = luns.filter((lun) => lun.fileservers.includes(fileserver)).map(({ name }) => name);
  const looked = standing !== undefined && registered !== undefined && own.length > 0;
  const late = own.filter((lun) => (registered?.get(lun) ?? -1) >= (askedAtS ?? Number.POSITIVE_INFINITY));
  const bad = (standing?.luns ?? []).filter(({ lun, conclusion }) => own.includes(lun) && conclusion !== "good");
  const because = [
    ...(looked ? [] : ["its LUNs have not been looked at yet", ...missing]),
    ...(standing?.fenced === undefined ? [] : [standing.fenced]),
    ...bad.map(({ lun, conclusion, because: why }) => `${lun}: ${conclusion}: ${why}`),
    ...late.map((lun) => `${lun}: registered only after this was asked for`),
  ];
  if (because.length === 0) return undefined;
  const passing = !looked || (own.every((lun) => registered.has(lun)) && late.length === 0);
  return new Fault({
    kind: "refused",
    code: passing && standing?.fenced === undefined ? "not-verified" : "not-registered",
    what: `${node.name} is not in good standing on the LUNs of ${fileserver}: ${because.join("; ")}`,
    why: "only a registered node may write to them",
    remedy: `look at the path to the storage on ${node.name}: holdfast status; journalctl -u holdfast-agent`,
  });
}

/** Says what is new under each heading; undefined is "all is well", and is said once where it was not. */
function onChange(say: (line: string) => void): (heading: string, line: string | undefined) => void {
  const last = new Map<string, string>();
  return (heading, line) => {
    const before = last.get(heading);
    if (line === undefined) {
      last.delete(heading);
      if (before !== undefined) say(`no longer: ${before}`);
    } else if (before !== line) {
      last.set(heading, line);
      say(line);
    }
  };
}
