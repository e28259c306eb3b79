/**
 * What a capture of the clients' network shows of one move. Pure.
 *
 * Both nodes send with the fileserver's own MAC address, so a frame does not tell which of them sent it; the order
 * does. The old node speaks until it falls silent, and the first thing that the new one does when the address is open
 * is to announce it: a gratuitous ARP, an unsolicited neighbour advertisement (arp_notify, ndisc_notify), or, should
 * those be lost, a tickle, whose acknowledgement of nothing no living connection sends. All before that is the release.
 *
 * The timeline's times only say where in the capture to look. They come from the node's clock, the capture's from
 * another, compared with an error of some 100 ms (`toleranceMs`): the announcement itself marks the border exactly.
 */
import { readNotification, readNotificationRecord, type Notification } from "./notification.ts";
import { PROTOCOL_TCP, readPacket, type Packet, type TcpPacket } from "../capture/packet.ts";
import type { CapturedFrame } from "../capture/pcap.ts";

export interface WireQuestion {
  /** All of the fileserver's, in canonical text. */
  readonly addresses: readonly string[];
  /** Names by which clients may know it; sm-notify sends the whole name, then its first part (recv_notify_reply, sm-notify.c). */
  readonly names: readonly string[];
  /** Absent: all that is captured before the announcement is taken for the release. */
  readonly move?: MoveTimes;
  /** Clients that held NFSv3 locks: each must be notified at one of its addresses. */
  readonly holders: readonly LockHolder[];
  /** The state number of an earlier notification. */
  readonly stateBefore?: number;
}

/** Wall clock of the capture, milliseconds since 1970-01-01 UTC. */
export interface MoveTimes {
  /** When the old node began to let nobody in. */
  readonly silentFromMs: number;
  /** When the new node began to open the address; not before every port listens. */
  readonly openAtMs: number;
  readonly toleranceMs: number;
}

export interface LockHolder {
  readonly name: string;
  readonly addresses: readonly string[];
}

export interface WireFacts {
  /** From the last frame of the old node to the announcement by the new one; absent where the capture lacks either. */
  readonly silenceMs?: number;
  /** Connections that the new node reset after the opening because it does not know them: what tickles are for. */
  readonly resetsAfterOpening: number;
  readonly notifications: readonly SentNotification[];
}

export interface SentNotification extends Notification {
  /** After the announcement. */
  readonly afterOpeningMs: number;
  readonly source: string;
  readonly destination: string;
}

export interface WireVerdict {
  readonly findings: readonly string[];
  readonly facts: WireFacts;
}

interface Sighting<P extends Packet = Packet> {
  readonly atMs: number;
  readonly packet: P;
}

export function judgeWire(frames: readonly CapturedFrame[], question: WireQuestion): WireVerdict {
  const sightings = frames.flatMap(({ atMs, bytes }): readonly Sighting[] => {
    const packet = readPacket(bytes);
    return packet === undefined ? [] : [{ atMs, packet }];
  });
  const when = (atMs: number): string => `${((atMs - (frames[0]?.atMs ?? 0)) / 1000).toFixed(3)} s into the capture`;
  const own = sightings.filter(({ packet }) => question.addresses.includes(packet.source));
  const fromMs = question.move === undefined ? -Infinity : question.move.silentFromMs - question.move.toleranceMs;
  const openedMs = own.find(({ atMs, packet }) => atMs >= fromMs && isAnnouncement(packet))?.atMs;
  const released = own.filter(({ atMs }) => atMs >= fromMs && (openedMs === undefined || atMs < openedMs));
  const notifications = sentNotifications(sightings, question, fromMs, openedMs ?? fromMs);
  const lastMs = own.findLast(({ atMs }) => openedMs !== undefined && atMs < openedMs)?.atMs;
  return {
    findings: [
      ...openingFindings(openedMs, question.move, when),
      ...endedConnections(released, when),
      ...refusedConnections(sightings, question.addresses, when),
      ...unreachableFindings(sightings, question.addresses, when),
      ...notificationFindings(notifications, question),
    ],
    facts: {
      ...(openedMs === undefined || lastMs === undefined ? {} : { silenceMs: Math.round(openedMs - lastMs) }),
      resetsAfterOpening: own.filter(
        ({ atMs, packet }) => openedMs !== undefined && atMs >= openedMs && packet.kind === "tcp" && packet.reset,
      ).length,
      notifications,
    },
  };
}

type When = (atMs: number) => string;

function isAnnouncement(packet: Packet): boolean {
  if (packet.kind === "arp") return packet.source === packet.destination;
  if (packet.kind === "advertisement") return packet.target === packet.source && !packet.solicited;
  // tickle_tcp of resource-agents: nothing but ACK, both numbers 0.
  if (packet.kind !== "tcp" || packet.syn || packet.reset || !packet.ack) return false;
  return packet.sequence === 0 && packet.acknowledgement === 0;
}

function openingFindings(openedMs: number | undefined, move: MoveTimes | undefined, when: When): readonly string[] {
  if (openedMs === undefined)
    return ["the capture shows no opening: the address was never announced, so its release cannot be judged"];
  if (move === undefined || openedMs >= move.openAtMs - move.toleranceMs) return [];
  const earlyMs = Math.round(move.openAtMs - openedMs);
  return [`the address was announced ${earlyMs} ms before it was to be opened (${when(openedMs)})`];
}

/** A FIN or RST in the release makes clients close, and ask anew where nobody answers (docs/kernel-nfs.md, section 5). */
function endedConnections(released: readonly Sighting[], when: When): readonly string[] {
  return released.flatMap(({ atMs, packet }) => {
    if (packet.kind !== "tcp" || !(packet.fin || packet.reset)) return [];
    return [`${packet.reset ? "RST" : "FIN"} while it was being released: ${connectionOf(packet)} (${when(atMs)})`];
  });
}

function connectionOf({ source, sourcePort, destination, destinationPort }: TcpPacket): string {
  return `${source} port ${sourcePort} to ${destination} port ${destinationPort}`;
}

/**
 * ECONNREFUSED at a client: a reset that acknowledges just the SYN (RFC 9293, section 3.10.7.1). A node that knows no
 * such connection answers other segments with a reset that acknowledges nothing; that one is not meant here.
 */
function refusedConnections(
  sightings: readonly Sighting[],
  addresses: readonly string[],
  when: When,
): readonly string[] {
  const asked = new Map<string, number>();
  const refused = new Map<string, { readonly packet: TcpPacket; readonly atMs: number; readonly times: number }>();
  for (const { atMs, packet } of sightings) {
    if (packet.kind !== "tcp") continue;
    if (packet.syn && addresses.includes(packet.destination)) {
      asked.set(keyOf(packet.source, packet.sourcePort, packet.destination, packet.destinationPort), packet.sequence);
    }
    if (!packet.reset || !packet.ack || !addresses.includes(packet.source)) continue;
    const key = keyOf(packet.destination, packet.destinationPort, packet.source, packet.sourcePort);
    const sequence = asked.get(key);
    if (sequence === undefined || packet.acknowledgement !== (sequence + 1) % 2 ** 32) continue;
    refused.set(key, { packet, atMs: refused.get(key)?.atMs ?? atMs, times: (refused.get(key)?.times ?? 0) + 1 });
  }
  return [...refused.values()].map(
    ({ packet, atMs, times }) =>
      `connection refused, ${times === 1 ? "once" : `${times} times`}: ${connectionOf(packet)} (${when(atMs)})`,
  );
}

function keyOf(...parts: readonly (string | number)[]): string {
  return parts.join(" ");
}

/** For a connection that is being made this is a refusal too (tcp_v4_err, net/ipv4/tcp_ipv4.c). */
function unreachableFindings(
  sightings: readonly Sighting[],
  addresses: readonly string[],
  when: When,
): readonly string[] {
  return sightings.flatMap(({ atMs, packet }) => {
    if (packet.kind !== "unreachable" || packet.about.protocol !== PROTOCOL_TCP) return [];
    if (!addresses.includes(packet.about.address)) return [];
    return [
      `${packet.source} told ${packet.destination} that ${packet.about.address} is not reachable (${when(atMs)})`,
    ];
  });
}

function sentNotifications(
  sightings: readonly Sighting[],
  question: WireQuestion,
  fromMs: number,
  openedMs: number,
): readonly SentNotification[] {
  return sightings.flatMap(({ atMs, packet }) => {
    if (atMs < fromMs || (packet.kind !== "udp" && packet.kind !== "tcp")) return [];
    const read = packet.kind === "udp" ? readNotification : readNotificationRecord;
    const notification = read(packet.payload);
    if (notification === undefined) return [];
    const { source, destination } = packet;
    // Other fileservers notify as well; theirs are recognised by having neither this one's address nor its name.
    if (!question.addresses.includes(source) && !question.names.includes(notification.name)) return [];
    const afterOpeningMs = Number.isFinite(openedMs) ? Math.round(atMs - openedMs) : 0;
    return [{ ...notification, afterOpeningMs, source, destination }];
  });
}

function notificationFindings(
  notifications: readonly SentNotification[],
  { addresses, names, holders, stateBefore }: WireQuestion,
): readonly string[] {
  const valid = notifications.filter(({ source }) => addresses.includes(source));
  const states = [...new Set(valid.map(({ state }) => state))];
  const [first] = states;
  return [
    ...notifications
      .filter(({ source }) => !addresses.includes(source))
      .map(
        ({ source, destination, name }) => `${destination} was notified of ${name} by ${source}, not by its address`,
      ),
    ...valid
      .filter(({ name }) => !names.includes(name))
      .map(({ name, destination }) => `${destination} was notified of ${name}, which is not the fileserver's name`),
    ...holders
      .filter((holder) => !valid.some(({ destination }) => holder.addresses.includes(destination)))
      .map(({ name }) => `${name} held a lock and was not notified`),
    ...(states.length > 1 ? [`notifications of one move have different state numbers: ${states.join(", ")}`] : []),
    ...states.filter((state) => state % 2 === 0).map((state) => `the state number ${state} is even: "I am down"`),
    ...(stateBefore !== undefined && first !== undefined && first <= stateBefore
      ? [`the state number ${first} is not higher than ${stateBefore}, that of the move before`]
      : []),
  ];
}
