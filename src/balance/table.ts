/** The wanted IPVS table, and the way to it from the one in force. Pure. */
import { parseAddress } from "../model/address.ts";
import type { DirectorServiceSpec, DirectorSpec } from "../model/director-spec.ts";
import type { FlowRule, IpvsEdit, IpvsServer, IpvsService } from "../model/director-table.ts";
import { allServers, type ServiceOutlook } from "./outlook.ts";

/** What belongs to one client stays together for this long: mount, lock and file requests go by different ports. */
const SPREAD_PERSISTENT_S = 360;
/** With one server at a time the scheduler has nothing to choose; rr is in every kernel with IPVS. */
const ONE_SERVER_SCHEDULER = "rr";

export function wantedTable(
  director: DirectorSpec,
  outlooks: ReadonlyMap<string, ServiceOutlook>,
): readonly IpvsService[] {
  return director.services.flatMap((service) =>
    service.flow.addresses.map(({ family }) => wantedService(service, family, servingNames(outlooks, service))),
  );
}

function servingNames(outlooks: ReadonlyMap<string, ServiceOutlook>, service: DirectorServiceSpec): readonly string[] {
  return outlooks.get(service.name)?.choice.serving ?? [];
}

function wantedService(service: DirectorServiceSpec, family: 4 | 6, serving: readonly string[]): IpvsService {
  const spread = service.scheduler !== "failover";
  return {
    mark: service.mark,
    family,
    scheduler: spread ? service.scheduler : ONE_SERVER_SCHEDULER,
    ...(spread ? { persistentS: SPREAD_PERSISTENT_S } : {}),
    servers: allServers(service)
      .filter(({ name }) => serving.includes(name))
      .flatMap(({ addresses, weight }): readonly IpvsServer[] => {
        const address = addresses.find((each) => parseAddress(each)?.family === family);
        return address === undefined ? [] : [{ address, weight: spread ? weight : 1 }];
      }),
  };
}

export function flowRules(director: DirectorSpec, outlooks: ReadonlyMap<string, ServiceOutlook>): readonly FlowRule[] {
  return director.services.map((service) => ({
    mark: service.mark,
    interface: service.flow.interface,
    addresses: service.flow.addresses.map(({ family, address }) => ({ family, address })),
    held: servingNames(outlooks, service).length === 0,
    resets: director.resets,
  }));
}

/** Who of a service's servers the table in force sends packets to. */
export function serversInForce(service: DirectorServiceSpec, inForce: readonly IpvsService[]): readonly string[] {
  const addresses = inForce
    .filter(({ mark }) => mark === service.mark)
    .flatMap(({ servers }) => servers.filter(({ weight }) => weight > 0).map(({ address }) => address));
  return allServers(service)
    .filter((server) => server.addresses.some((address) => addresses.includes(address)))
    .map(({ name }) => name);
}

const MARK_PREFIX = 0x4846;

/** A mark that some release of Holdfast has made (model/director-derive.ts). Services with others are not ours. */
export function isOurMark(mark: number): boolean {
  return mark >>> 16 === MARK_PREFIX;
}

/**
 * The edits that lead from one table to the other. What takes packets away comes first, so that at no moment two
 * servers of a failover service have them; a server is deleted and never set to weight 0, because only the deletion
 * makes the kernel forget its connections (net.ipv4.vs.expire_nodest_conn).
 */
export function tableEdits(inForce: readonly IpvsService[], wanted: readonly IpvsService[]): readonly IpvsEdit[] {
  const ours = inForce.filter(({ mark }) => isOurMark(mark));
  const gone = ours.filter((service) => !wanted.some((other) => isSame(service, other)));
  return [
    ...gone.map((service): IpvsEdit => ({ edit: "delete-service", service: keyOf(service) })),
    ...wanted.flatMap((service) =>
      serviceEdits(
        ours.find((other) => isSame(service, other)),
        service,
      ),
    ),
  ];
}

function serviceEdits(before: IpvsService | undefined, wanted: IpvsService): readonly IpvsEdit[] {
  const service = keyOf(wanted);
  const { servers: _servers, ...settings } = wanted;
  if (before === undefined) {
    return [
      { edit: "add-service", service: settings },
      ...wanted.servers.map((server): IpvsEdit => ({ edit: "add-server", service, server })),
    ];
  }
  const removed = before.servers.filter(({ address }) => !wanted.servers.some((server) => server.address === address));
  const settingsDiffer = before.scheduler !== wanted.scheduler || before.persistentS !== wanted.persistentS;
  return [
    ...removed.map(({ address }): IpvsEdit => ({ edit: "delete-server", service, server: { address } })),
    ...(settingsDiffer ? [{ edit: "change-service", service: settings } as const] : []),
    ...wanted.servers.flatMap((server): readonly IpvsEdit[] => {
      const old = before.servers.find(({ address }) => address === server.address);
      if (old === undefined) return [{ edit: "add-server", service, server }];
      return old.weight === server.weight ? [] : [{ edit: "change-server", service, server }];
    }),
  ];
}

/** Servers whose connections are to be reset: those that the edits take out, with the mark of their service. */
export function serversTakenOut(
  edits: readonly IpvsEdit[],
): readonly { readonly mark: number; readonly address: string }[] {
  return edits.flatMap((edit) =>
    edit.edit === "delete-server" ? [{ mark: edit.service.mark, address: edit.server.address }] : [],
  );
}

function keyOf({ mark, family }: IpvsService): Pick<IpvsService, "mark" | "family"> {
  return { mark, family };
}

function isSame(a: IpvsService, b: IpvsService): boolean {
  return a.mark === b.mark && a.family === b.family;
}
