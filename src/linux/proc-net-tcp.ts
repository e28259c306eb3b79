/** /proc/net/tcp and tcp6: proc_pid_net(5); addresses are words in host byte order, ports in hexadecimal. */

export interface Connection {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

const ESTABLISHED = "01";
const LISTEN = "0A";

/** Established connections only; x86-64 (little-endian). An IPv4 peer of an IPv6 socket comes out as IPv4. */
export function parseProcNetTcp(text: string): readonly Connection[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local, remote, state] = line.trim().split(/\s+/);
      if (local === undefined || remote === undefined || state !== ESTABLISHED) return [];
      const [localAddress, localPort] = parseEndpoint(local);
      const [remoteAddress, remotePort] = parseEndpoint(remote);
      return [{ localAddress, localPort, remoteAddress, remotePort }];
    });
}

/** Bytes written but not acknowledged (tx_queue) of each connection, in whatever state, with one of the local ports. */
export function parseSendQueues(text: string, localPorts: readonly number[]): readonly number[] {
  return parseQueues(text, localPorts).map(([sending]) => sending);
}

/** Bytes received but not read (rx_queue) of each connection, in whatever state, with one of the local ports. */
export function parseReceiveQueues(text: string, localPorts: readonly number[]): readonly number[] {
  return parseQueues(text, localPorts).map(([, received]) => received);
}

function parseQueues(text: string, localPorts: readonly number[]): readonly (readonly [number, number])[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local, , state, queues] = line.trim().split(/\s+/);
      if (local === undefined || queues === undefined || state === LISTEN) return [];
      const [sending = "", received = ""] = queues.split(":");
      return localPorts.includes(parseEndpoint(local)[1])
        ? [[parseInt(sending, 16), parseInt(received, 16)] as const]
        : [];
    });
}

function parseEndpoint(text: string): readonly [string, number] {
  const [address = "", port = ""] = text.split(":");
  return [address.length === 8 ? parseV4(address) : parseV6(address), parseInt(port, 16)];
}

function parseV4(hex: string): string {
  return wordBytes(hex).join(".");
}

function parseV6(hex: string): string {
  const bytes = [0, 8, 16, 24].flatMap((at) => wordBytes(hex.slice(at, at + 8)));
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) return bytes.slice(12).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0));
  return compress(groups);
}

/** A 32-bit word in little-endian order as four bytes in network order. */
function wordBytes(hex: string): readonly number[] {
  return [6, 4, 2, 0].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/** RFC 5952: the longest run of two or more zero groups, the first of equals, becomes "::". */
function compress(groups: readonly number[]): string {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  if (best.start < 0) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}
