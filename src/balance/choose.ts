/**
 * Which servers of a service get its packets.
 *
 * INVARIANTS (choose.test.ts)
 * - Behind a cluster, and with the scheduler failover: at most one server.
 * - The server of last resort only where no other serves.
 * - A server that is down or in the wrong role never; one of which nothing new is known never begins.
 */
import { mayBegin, mayStay, type HealthState } from "./health.ts";

export interface ServerView {
  readonly name: string;
  readonly weight: number;
  readonly state: HealthState;
  /** Counts the takeovers of the fileserver, kept on its volume: of two who say that they serve, the higher one is right. */
  readonly term?: number;
}

export interface ServiceView {
  readonly decidedBy: "cluster" | "director";
  /** False: one server at a time. */
  readonly spread: boolean;
  readonly failback: "manual" | "preferred";
  readonly servers: readonly ServerView[];
  readonly lastResort?: string;
  /** Who has the packets now. */
  readonly inForce: readonly string[];
}

export interface Choice {
  /** Empty: nobody serves, and packets are held. */
  readonly serving: readonly string[];
  readonly because: string;
}

export function chooseServers(service: ServiceView): Choice {
  const able = service.servers.filter(({ state }) => mayBegin(state));
  if (able.length > 0 && !mustWait(service)) {
    if (service.spread) return { serving: able.map(({ name }) => name), because: `${names(able)} up` };
    return service.decidedBy === "cluster" ? byTerm(service, able) : byWeight(service, able);
  }
  const staying = service.servers.filter(({ name, state }) => service.inForce.includes(name) && mayStay(state));
  const [stays] = staying;
  if (stays !== undefined) {
    const serving = service.spread ? staying.map(({ name }) => name) : [stays.name];
    return { serving, because: `${stays.name} is ${stays.state}, and no other serves` };
  }
  if (service.lastResort !== undefined && !service.servers.some(({ state }) => state === "checking")) {
    return { serving: [service.lastResort], because: "no server is up: the server of last resort" };
  }
  return { serving: [], because: `nobody serves: ${stateList(service.servers)}` };
}

/** Servers of their own: at the start all are heard before one is taken, or the quickest would win over the heaviest. */
function mustWait(service: ServiceView): boolean {
  return (
    service.decidedBy === "director" &&
    !service.spread &&
    service.inForce.length === 0 &&
    service.servers.some(({ state }) => state === "checking")
  );
}

function byTerm(service: ServiceView, able: readonly ServerView[]): Choice {
  const highest = Math.max(...able.map(termOf));
  const first = able.filter((server) => termOf(server) === highest);
  const [one] = first;
  if (one !== undefined && first.length === 1) {
    return {
      serving: [one.name],
      because: able.length === 1 ? `${one.name} is ${one.state}` : `${one.name} took over last (term ${highest})`,
    };
  }
  const kept = first.find(({ name }) => service.inForce.includes(name));
  if (kept !== undefined)
    return { serving: [kept.name], because: `${names(first)} say that they serve; ${kept.name} did before` };
  return { serving: [], because: `${names(first)} say that they serve, and nothing says which of them is right` };
}

function termOf(server: ServerView): number {
  return server.term ?? -1;
}

function byWeight(service: ServiceView, able: readonly ServerView[]): Choice {
  const kept = able.find(({ name }) => service.inForce.includes(name));
  if (kept !== undefined && service.failback === "manual")
    return { serving: [kept.name], because: `${kept.name} is up` };
  const heaviest = Math.max(...able.map(({ weight }) => weight));
  const best = able.filter(({ weight }) => weight === heaviest);
  const chosen = best.find(({ name }) => service.inForce.includes(name)) ?? best[0];
  if (chosen === undefined) return { serving: [], because: "nobody serves" };
  return { serving: [chosen.name], because: `${chosen.name} is the heaviest that is up (${heaviest})` };
}

function names(servers: readonly ServerView[]): string {
  return servers.map(({ name }) => name).join(" and ");
}

function stateList(servers: readonly ServerView[]): string {
  return servers.map(({ name, state }) => `${name} is ${state}`).join(", ");
}
