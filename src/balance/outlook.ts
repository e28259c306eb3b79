/** What a director knows of a service, what news makes of it, and what follows, in words and as data. Pure. */
import type { DirectorServerSpec, DirectorServiceSpec } from "../model/director-spec.ts";
import { chooseServers, type Choice } from "./choose.ts";
import { EVENT_WORDS, nextHealth, type HealthEvent, type HealthState } from "./health.ts";

export interface ServerOutlook {
  readonly name: string;
  readonly state: HealthState;
  readonly term?: number;
  /** The last event in words. */
  readonly because: string;
}

export interface ServiceOutlook {
  readonly servers: readonly ServerOutlook[];
  readonly choice: Choice;
}

/** News of one server. */
export interface ServerNews {
  readonly server: string;
  readonly event: HealthEvent;
  /** As its agent says it; undefined where nothing was said, and what was known stays. */
  readonly term?: number;
}

/** One thing that changed, for the log and for `status`. */
export interface Change {
  readonly service: string;
  /** The server, or undefined where the choice changed. */
  readonly server?: string;
  readonly from: string;
  readonly to: string;
  readonly because: string;
}

/** `inForce`: who has the service's packets when the director starts, as the kernel's table says. */
export function firstOutlook(service: DirectorServiceSpec, inForce: readonly string[]): ServiceOutlook {
  return {
    servers: service.servers.map(({ name }) => ({ name, state: "checking", because: "not asked yet" })),
    choice: {
      serving: inForce,
      because: inForce.length === 0 ? "nobody served when the director started" : "as the director found it",
    },
  };
}

export function takeNews(
  service: DirectorServiceSpec,
  before: ServiceOutlook,
  news: readonly ServerNews[],
): { readonly outlook: ServiceOutlook; readonly changes: readonly Change[] } {
  const changes: Change[] = [];
  const servers = before.servers.map((server) =>
    news.filter((one) => one.server === server.name).reduce((at, one) => hear(service, at, one, changes), server),
  );
  const choice = chooseServers({
    decidedBy: service.decidedBy,
    spread: service.scheduler !== "failover",
    failback: service.failback,
    servers: servers.map((server) => ({ ...server, weight: weightOf(service, server.name) })),
    ...(service.lastResort === undefined ? {} : { lastResort: service.lastResort.name }),
    inForce: before.choice.serving,
  });
  if (!sameNames(choice.serving, before.choice.serving)) {
    changes.push({
      service: service.name,
      from: servingText(before.choice),
      to: servingText(choice),
      because: choice.because,
    });
  }
  return { outlook: { servers, choice }, changes };
}

function hear(service: DirectorServiceSpec, server: ServerOutlook, news: ServerNews, changes: Change[]): ServerOutlook {
  const state = nextHealth(server.state, news.event);
  const because = EVENT_WORDS[news.event];
  if (state !== server.state) {
    changes.push({ service: service.name, server: server.name, from: server.state, to: state, because });
  }
  const term = news.term ?? server.term;
  return { name: server.name, state, because, ...(term === undefined ? {} : { term }) };
}

function weightOf(service: DirectorServiceSpec, name: string): number {
  return service.servers.find((server) => server.name === name)?.weight ?? 0;
}

/** Every server that the service may send packets to, the one of last resort too. */
export function allServers(service: DirectorServiceSpec): readonly DirectorServerSpec[] {
  return service.lastResort === undefined ? service.servers : [...service.servers, service.lastResort];
}

export function servingText(choice: Choice): string {
  return choice.serving.length === 0 ? "nobody" : choice.serving.join(", ");
}

export function changeText(change: Change): string {
  const who = change.server === undefined ? `${change.service}:` : `${change.service}: ${change.server}`;
  return change.server === undefined
    ? `${who} served by ${change.to}, before by ${change.from}: ${change.because}`
    : `${who} is ${change.to}, was ${change.from}: ${change.because}`;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}
