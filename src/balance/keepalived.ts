/**
 * keepalived.conf(5) for the machines of one director: VRRP and nothing else. The IPVS table is `holdfast director`'s;
 * keepalived is started with --vrrp, so that its health checker is not even there. Pure.
 *
 * VRRPv3 (RFC 9568) has no authentication: advertisements go by unicast between the machines named here, and whoever
 * can forge those on the network can as well answer ARP for the address.
 */
import { parseAddress } from "../model/address.ts";
import type { DirectorMachine, DirectorSpec } from "../model/director-spec.ts";

/** Of three missed advertisements and the skew a standby concludes that the other is gone: about 0.9 s. */
const ADVERT_INTERVAL_S = 0.25;
/** keepalived.conf(5): VRRPv3 has at most 40.95 s. */
const ADVERT_INTERVAL_MAX_S = 40;
/** Wide apart: who begins first when all boot at once is decided by the skew, a 256th of the interval per step (RFC 9568, section 6.1). */
const FIRST_PRIORITY = 250;
const PRIORITY_STEP = 50;
/** Announced again and again: a switch or client that missed the first ones is not lost for long. */
const ANNOUNCE_REFRESH_S = 30;

/** `machine` is one of the director's. `timeScale`: 1 on real machines, more in an emulated lab. */
export function keepalivedText(director: DirectorSpec, machine: DirectorMachine, timeScale: number): string {
  const index = director.machines.findIndex(({ name }) => name === machine.name);
  const peers = director.machines.filter(({ name }) => name !== machine.name);
  const family = parseAddress(machine.address)?.family;
  const addresses = director.services.flatMap((service) =>
    service.flow.addresses.map((each) => ({ ...each, interface: service.flow.interface })),
  );
  const line = (each: (typeof addresses)[number]): string =>
    `        ${each.address}/${each.family === 4 ? 32 : 128} dev ${each.interface}`;
  const own = addresses.filter((each) => each.family === family);
  const others = addresses.filter((each) => each.family !== family);
  const advertS = Math.min(ADVERT_INTERVAL_S * timeScale, ADVERT_INTERVAL_MAX_S);
  return [
    `# Made by Holdfast for director ${director.name} on ${machine.name}; changes are overwritten.`,
    "global_defs {",
    `    router_id ${machine.name}`,
    "    vrrp_version 3",
    `    vrrp_garp_master_delay 1`,
    `    vrrp_garp_master_refresh ${ANNOUNCE_REFRESH_S}`,
    "}",
    "",
    `vrrp_instance ${director.name} {`,
    "    # All begin as BACKUP and none takes the addresses back: one change per failure is enough.",
    "    state BACKUP",
    "    nopreempt",
    `    interface ${director.interface}`,
    `    virtual_router_id ${director.vrrpId}`,
    `    priority ${FIRST_PRIORITY - PRIORITY_STEP * index}`,
    `    advert_int ${advertS}`,
    `    unicast_src_ip ${machine.address}`,
    ...block(
      "unicast_peer",
      peers.map(({ address }) => `        ${address}`),
    ),
    "    # Single addresses: the network's route belongs to the machine's own.",
    ...block("virtual_ipaddress", own.map(line)),
    ...block("virtual_ipaddress_excluded", others.map(line)),
    "}",
    "",
  ].join("\n");
}

function block(word: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`    ${word} {`, ...lines, "    }"];
}
