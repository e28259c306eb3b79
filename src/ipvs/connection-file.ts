/**
 * /proc/net/ip_vs_conn: the same as `ipvsadm --list --connection`, which reads it, without starting a program while
 * clients wait. One line per connection, addresses in hexadecimal (ip_vs_conn_seq_show, net/netfilter/ipvs/ip_vs_conn.c).
 */
import { Fault } from "../base/fault.ts";
import { formatAddress, parseAddress } from "../model/address.ts";
import type { Endpoint, IpvsConnection } from "../model/director-table.ts";

export const CONNECTION_FILE = "/proc/net/ip_vs_conn";

/** Templates, which have port 0 on the client's side, are left out. */
export function parseConnectionFile(text: string): readonly IpvsConnection[] {
  return text.split("\n").flatMap((line) => {
    if (line.trim() === "" || line.startsWith("Pro ")) return [];
    const [protocol = "", ...words] = line.trim().split(/\s+/);
    const [client, virtual, server] = [0, 2, 4].map((at) => endpoint(words[at] ?? "", words[at + 1] ?? ""));
    if (client === undefined || virtual === undefined || server === undefined) {
      throw new Fault({
        code: "connections-not-understood",
        what: `${CONNECTION_FILE} has a line that is not understood: ${JSON.stringify(line)}`,
      });
    }
    if (client.port === 0) return [];
    return [{ protocol: protocolOf(protocol), state: words[6] ?? "", client, virtual, server }];
  });
}

function protocolOf(word: string): IpvsConnection["protocol"] {
  if (word === "TCP") return "tcp";
  return word === "UDP" ? "udp" : "other";
}

function endpoint(address: string, port: string): Endpoint | undefined {
  if (!/^[0-9A-Fa-f]{1,4}$/.test(port)) return undefined;
  const six = address.includes(":") ? parseAddress(address) : undefined;
  const four = /^[0-9A-Fa-f]{8}$/.test(address) ? ({ family: 4, value: BigInt(`0x${address}`) } as const) : undefined;
  const parsed = six ?? four;
  return parsed === undefined ? undefined : { address: formatAddress(parsed), port: Number.parseInt(port, 16) };
}
