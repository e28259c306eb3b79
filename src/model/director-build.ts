/** From `directors:` as written to `directors:` as meant. A service that names what is not there is left out: the rules say so. */
import { defined } from "../base/assert.ts";
import { formatAddress, parseAddress, parseCidr } from "./address.ts";
import { backAddress, serviceMark, vrrpRouterId } from "./director-derive.ts";
import { parseMilliseconds, type DirectorInput, type DirectorServiceInput } from "./director-schema.ts";
import type { DirectorCheckSpec, DirectorServerSpec, DirectorServiceSpec, DirectorSpec } from "./director-spec.ts";
import { parseDurationS } from "./leaf.ts";
import { parseFileserverName } from "./names.ts";
import type { CidrAddress, ClusterSpec, FileserverSpec } from "./spec.ts";

const DEFAULT_SECRET = "/etc/holdfast/director.secret";
const DEFAULT_PORTS = { notices: 7408, roles: 7409 };
/** The kernel's own (ip_vs_proto_tcp.c): an NFS client closes an idle connection after 5 minutes (XS_IDLE_DISC_TO). */
const DEFAULT_TCP_TIMEOUT_S = 900;
/** Shorter than the kernel's 120 s: NFS clients come back from the same port, and find no half-closed entry there. */
const DEFAULT_TCP_FIN_TIMEOUT_S = 30;
const DEFAULT_UDP_TIMEOUT_S = 60;
const DEFAULT_WEIGHT = 100;
const DEFAULT_CHECK = { intervalMs: 1000, timeoutMs: 250, tries: 2, port: 2049 };

/** The cluster and the fileservers as far as they could be read. */
export interface DirectorGround {
  readonly cluster: ClusterSpec;
  readonly fileservers: readonly FileserverSpec[];
}

export function buildDirector(input: DirectorInput, ground: DirectorGround): DirectorSpec {
  const services = input.services.flatMap((service) => buildService(service, ground) ?? []);
  return {
    name: input.name,
    machines: input.machines.map((machine) => ({ name: machine.name, address: canonical(machine.address) })),
    interface: input.interface ?? services[0]?.flow.interface ?? "",
    vrrpId: input.vrrpId ?? vrrpRouterId(ground.cluster.name, input.name),
    secret: input.secret ?? DEFAULT_SECRET,
    ports: {
      notices: input.ports?.notices ?? DEFAULT_PORTS.notices,
      roles: input.ports?.roles ?? DEFAULT_PORTS.roles,
    },
    kernel: {
      expireNodestConn: input.kernel?.expireNodestConn ?? true,
      expireQuiescentTemplate: input.kernel?.expireQuiescentTemplate ?? true,
      tcpTimeoutS: secondsOf(input.kernel?.tcpTimeout, DEFAULT_TCP_TIMEOUT_S),
      tcpFinTimeoutS: secondsOf(input.kernel?.tcpFinTimeout, DEFAULT_TCP_FIN_TIMEOUT_S),
      udpTimeoutS: secondsOf(input.kernel?.udpTimeout, DEFAULT_UDP_TIMEOUT_S),
    },
    resets: input.resets ?? true,
    services,
  };
}

export function serviceName(input: DirectorServiceInput): string | undefined {
  return input.name ?? input.fileserver;
}

function buildService(input: DirectorServiceInput, ground: DirectorGround): DirectorServiceSpec | undefined {
  const name = serviceName(input);
  const fileserver = ground.fileservers.find((each) => each.name === input.fileserver);
  if (name === undefined) return undefined;
  if (fileserver !== undefined) return buildFileserverService(input, name, fileserver, ground.cluster);
  return input.fileserver === undefined ? buildOwnService(input, name, ground.cluster) : undefined;
}

function buildFileserverService(
  input: DirectorServiceInput,
  name: string,
  fileserver: FileserverSpec,
  cluster: ClusterSpec,
): DirectorServiceSpec {
  const servers = cluster.nodes.map((node): DirectorServerSpec => {
    const given = input.servers?.find((each) => each.name === node.name);
    return {
      name: node.name,
      addresses:
        given?.address === undefined
          ? fileserver.addresses.map(({ family }) => backAddress(family, cluster.name, fileserver.name, node.name))
          : asList(given.address).map(canonical),
      weight: given?.weight ?? DEFAULT_WEIGHT,
      node: { name: node.name, addresses: node.addresses },
    };
  });
  return {
    name,
    mark: serviceMark(cluster.name, name),
    flow: { interface: fileserver.interface, addresses: fileserver.addresses },
    decidedBy: "cluster",
    fileserver: defined(parseFileserverName(fileserver.name), "a checked name"),
    method: "gateway",
    scheduler: "failover",
    failback: "manual",
    servers,
    check: buildCheck(input.check, "role"),
  };
}

function buildOwnService(
  input: DirectorServiceInput,
  name: string,
  cluster: ClusterSpec,
): DirectorServiceSpec | undefined {
  if (input.flow === undefined || input.servers === undefined) return undefined;
  return {
    name,
    mark: serviceMark(cluster.name, name),
    flow: { interface: input.flow.interface, addresses: asList(input.flow.address).map(canonicalCidr) },
    decidedBy: "director",
    method: "gateway",
    scheduler: input.scheduler ?? "failover",
    failback: input.failback ?? "manual",
    servers: input.servers.map((server) => ({
      name: server.name,
      addresses: asList(server.address).map(canonical),
      weight: server.weight ?? DEFAULT_WEIGHT,
    })),
    ...(input.lastResort === undefined
      ? {}
      : {
          lastResort: {
            name: input.lastResort.name,
            addresses: asList(input.lastResort.address).map(canonical),
            weight: 1,
          },
        }),
    check: buildCheck(input.check, "rpc"),
  };
}

function buildCheck(input: DirectorServiceInput["check"], how: DirectorCheckSpec["how"]): DirectorCheckSpec {
  return {
    how: input?.how ?? how,
    intervalMs: millisecondsOf(input?.interval, DEFAULT_CHECK.intervalMs),
    timeoutMs: millisecondsOf(input?.timeout, DEFAULT_CHECK.timeoutMs),
    tries: input?.tries ?? DEFAULT_CHECK.tries,
    port: input?.port ?? DEFAULT_CHECK.port,
  };
}

function secondsOf(input: string | undefined, defaultS: number): number {
  return input === undefined ? defaultS : defined(parseDurationS(input), "a checked duration");
}

function millisecondsOf(input: string | undefined, defaultMs: number): number {
  return input === undefined ? defaultMs : defined(parseMilliseconds(input), "a checked duration");
}

function asList(input: string | readonly string[] | undefined): readonly string[] {
  if (input === undefined) return [];
  return typeof input === "string" ? [input] : input;
}

function canonical(text: string): string {
  return formatAddress(defined(parseAddress(text), "a checked address"));
}

function canonicalCidr(text: string): CidrAddress {
  const cidr = defined(parseCidr(text), "a checked address");
  return { family: cidr.address.family, address: formatAddress(cidr.address), prefixLength: cidr.prefixLength };
}
