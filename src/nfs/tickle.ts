/**
 * Tickle: an acknowledgement from nowhere. The client answers it with its real sequence numbers, the new node knows
 * no such connection and resets it, and the client reconnects at once instead of after its retransmission timer
 * (docs/kernel-nfs.md, section 5). Sent by tickle_tcp of Debian's resource-agents.
 */
import type { Connection } from "../linux/proc-net-tcp.ts";

/** Connections of the ports that clients keep open to a fileserver. */
export function connectionsOf(connections: readonly Connection[], ports: readonly number[]): readonly Connection[] {
  return connections.filter(
    (connection) => ports.includes(connection.localPort) && !isLoopback(connection.remoteAddress),
  );
}

/**
 * Standard input of tickle_tcp: "source:port destination:port", one per line. The port follows the last colon and an
 * IPv6 address has no brackets: with them it ends at that line (parse_ip_port, tools/tickle_tcp.c of resource-agents).
 */
export function tickleInput(connections: readonly Connection[]): string {
  return connections
    .map(
      ({ localAddress, localPort, remoteAddress, remotePort }) =>
        `${localAddress}:${localPort} ${remoteAddress}:${remotePort}\n`,
    )
    .join("");
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
