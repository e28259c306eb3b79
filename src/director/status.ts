/** What `holdfast director status` shows. */
import { servingText, type ServiceOutlook } from "../balance/outlook.ts";
import type { DirectorServerSpec, DirectorServiceSpec, DirectorSpec } from "../model/director-spec.ts";
import type { ServerConnections } from "../ipvs/ipvsadm.ts";
import type { DirectorServerStatus, DirectorServiceStatus } from "../wire/director.ts";

export interface ServiceFacts {
  readonly outlook: ServiceOutlook;
  /** Undefined where the kernel could not be asked. */
  readonly counts: readonly ServerConnections[] | undefined;
  /** Addresses that this machine has. */
  readonly own: readonly string[];
}

export function serviceStatus(service: DirectorServiceSpec, facts: ServiceFacts): DirectorServiceStatus {
  const { choice } = facts.outlook;
  const addresses = service.flow.addresses.map(({ address }) => address);
  return {
    name: service.name,
    ...(service.fileserver === undefined ? {} : { fileserver: service.fileserver }),
    decidedBy: service.decidedBy,
    mark: service.mark,
    flow: { interface: service.flow.interface, addresses },
    scheduler: service.scheduler,
    here: addresses.every((address) => facts.own.includes(address)),
    serving: choice.serving,
    held: choice.serving.length === 0,
    because: choice.because,
    servers: [
      ...service.servers.map((server) => serverStatus(service, server, facts)),
      ...(service.lastResort === undefined ? [] : [serverStatus(service, service.lastResort, facts)]),
    ],
  };
}

function serverStatus(
  service: DirectorServiceSpec,
  server: DirectorServerSpec,
  { outlook, counts }: ServiceFacts,
): DirectorServerStatus {
  const known = outlook.servers.find(({ name }) => name === server.name);
  const own = counts?.filter(({ mark, address }) => mark === service.mark && server.addresses.includes(address));
  const sum = (key: "active" | "inactive"): number => (own ?? []).reduce((total, each) => total + each[key], 0);
  return {
    name: server.name,
    addresses: server.addresses,
    weight: server.weight,
    state: known?.state ?? "last-resort",
    because: known?.because ?? "it is not checked",
    ...(known?.term === undefined ? {} : { term: known.term }),
    ...(own === undefined ? {} : { active: sum("active"), inactive: sum("inactive") }),
  };
}

/** One line for the log when the director starts. */
export function startText(
  director: DirectorSpec,
  machine: string,
  outlook: (service: string) => ServiceOutlook,
): string {
  const services = director.services.map(({ name }) => `${name} by ${servingText(outlook(name).choice)}`);
  return `director ${director.name} on ${machine}: ${director.services.length} services; in force: ${services.join("; ")}`;
}
