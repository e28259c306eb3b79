/**
 * A fileserver's namespace behind a director: it has the address that clients know, and nobody on the network may learn
 * it from there. Pure configuration; the agent carries it out.
 *
 * Three ways lead from a packet to the wrong conclusion "that address is here", and each is closed:
 * - an ARP answer, or an announcement when the link comes up (arp_notify): dropped;
 * - the sender field of the namespace's own ARP requests for clients: whoever hears one notes it (RFC 826). It is
 *   rewritten, to the back address where that is on the clients' network, else to 0.0.0.0, which RFC 5227 made for
 *   asking without telling. arp_announce=2 does not do: it takes an address of the link in the client's network, and
 *   that is the very one;
 * - IPv6: neighbour discovery answers for addresses of the link that it hears the question on, and solicits from them
 *   (net/ipv6/ndisc.c, ndisc_recv_ns and ndisc_solicit). So the IPv6 address is on `lo`, and solicitations come from
 *   the link-local address.
 *
 * What clients send in answer to calls of the server (NLM granted, SM_NOTIFY, NFSv4.0 callbacks) goes to that address,
 * so to the director; its flow takes every protocol and port, and a SYN+ACK or UDP packet that it knows no connection
 * for goes to the one server in force (tcp_conn_schedule, net/netfilter/ipvs/ip_vs_proto_tcp.c): nothing is to be done
 * for them here.
 */
import { contains, formatCidr, networkOf, parseAddress } from "../model/address.ts";
import type { DirectorServerSpec, DirectorServiceSpec } from "../model/director-spec.ts";
import type { CidrAddress, Spec } from "../model/spec.ts";
import type { KernelSetting } from "./kernel-settings.ts";

export interface ServerSide {
  readonly addresses: readonly ServerSideAddress[];
  /** Networks that are reached through the link, where no address on it brings the route along. */
  readonly routes: readonly string[];
  /** Inside the namespace, before the link comes up. */
  readonly settings: readonly KernelSetting[];
  /** nftables(8) text, loaded inside the namespace before the link comes up; empty where nothing is to be filtered. */
  readonly filter: string;
}

export interface ServerSideAddress {
  /** `link`: the fileserver's own, eth0 inside. */
  readonly on: "link" | "lo";
  /** With prefix length, as `ip address add` takes it. */
  readonly address: string;
  /** `ip address add … nodad`: nobody else has it, and the wait for duplicates would delay the takeover. */
  readonly noDad: boolean;
  readonly because: string;
}

/** Undefined where no director stands before the fileserver: then it has its addresses on its link, as ever. */
export function serverSide(spec: Spec, fileserver: string, node: string): ServerSide | undefined {
  const service = serviceOf(spec, fileserver);
  const server = service?.servers.find(({ name }) => name === node);
  if (service === undefined || server === undefined) return undefined;
  return {
    addresses: [...service.flow.addresses.map(ownAddress), ...server.addresses.map(backAddressOf)],
    routes: service.flow.addresses.filter(({ family }) => family === 6).flatMap(networkText),
    settings: SETTINGS,
    filter: arpFilterText(service, server),
  };
}

function serviceOf(spec: Spec, fileserver: string): DirectorServiceSpec | undefined {
  return spec.directors.flatMap(({ services }) => services).find((service) => service.fileserver === fileserver);
}

function ownAddress({ family, address, prefixLength }: CidrAddress): ServerSideAddress {
  if (family === 4) {
    return {
      on: "link",
      address: `${address}/${prefixLength}`,
      noDad: false,
      because: "the address that clients know; ARP for it is filtered",
    };
  }
  return {
    on: "lo",
    address: `${address}/128`,
    noDad: true,
    because: "the address that clients know; neighbour discovery does not speak for addresses of lo",
  };
}

function backAddressOf(address: string): ServerSideAddress {
  const six = address.includes(":");
  return {
    on: "link",
    address: `${address}/${six ? 128 : 32}`,
    noDad: six,
    because: "the director sends its frames to whoever answers for it; announced when the link comes up",
  };
}

function networkText({ address, prefixLength }: CidrAddress): readonly string[] {
  const parsed = parseAddress(address);
  return parsed === undefined ? [] : [formatCidr({ address: networkOf(parsed, prefixLength).address, prefixLength })];
}

const SETTINGS: readonly KernelSetting[] = [
  {
    key: "net/ipv4/conf/eth0/arp_notify",
    value: "1",
    because: "the back address is announced when the link comes up: directors and switches need not ask first",
  },
  {
    key: "net/ipv6/conf/eth0/ndisc_notify",
    value: "1",
    because: "the same for IPv6; the address on lo is not announced",
  },
  {
    key: "net/ipv6/conf/eth0/accept_dad",
    value: "0",
    because:
      "clients are solicited from the link-local address, which would wait a second and more for duplicates after the link came up; its MAC address is the fileserver's alone",
  },
];

const UNTOLD = "0.0.0.0";

function arpFilterText(service: DirectorServiceSpec, server: DirectorServerSpec): string {
  const cidr = service.flow.addresses.find(({ family }) => family === 4);
  const own = cidr === undefined ? undefined : parseAddress(cidr.address);
  if (cidr === undefined || own === undefined) return "";
  const network = networkOf(own, cidr.prefixLength);
  const back = server.addresses.find((each) => {
    const address = parseAddress(each);
    return address !== undefined && contains(network, address);
  });
  const { address } = cidr;
  return `table arp holdfast
delete table arp holdfast
table arp holdfast {
  chain output {
    type filter hook output priority filter; policy accept;
    arp operation reply arp saddr ip ${address} drop
    arp operation request arp saddr ip ${address} arp daddr ip ${address} drop
    arp operation request arp saddr ip ${address} arp saddr ip set ${back ?? UNTOLD}
  }
}
`;
}
