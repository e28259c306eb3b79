/**
 * The client's way back to a fileserver that another node serves now, by what crossed the wire: it connects and asks,
 * the new server answers (NFSv4: "what session?", NFS4ERR_BADSESSION), it makes a session, takes what it held one by
 * one (RFC 8881, section 8.4.2.1), and says that this was all. Only then does the kernel's client let applications go on. Pure.
 */
import type { TimelineStep } from "../../wire/timeline.ts";
import type { CapturedFrame } from "../capture/pcap.ts";
import type { Protocol } from "../names.ts";
import { OPERATION, readNfs, type NfsCall, type NfsEnds, type NfsMessage, type NfsReply } from "./nfs-messages.ts";

export interface WayBackQuestion extends NfsEnds {
  readonly protocol: Protocol;
  /** A time when neither server answers: what is answered later is answered by the new one. On the recording's clock. */
  readonly silentAtMs: number;
}

/** When each part was over, on the recording's clock; what is missing was not recognized, and nothing behind it counts. */
export interface WayBack {
  readonly connectedAtMs?: number;
  readonly askedAtMs?: number;
  readonly answeredAtMs: number;
  readonly session?: { readonly createdAtMs: number; readonly reclaim?: Reclaim };
}

export interface Reclaim {
  readonly opens: number;
  readonly locks: number;
  /** RECLAIM_COMPLETE. */
  readonly completeAskedAtMs: number;
  readonly completeAnsweredAtMs?: number;
}

/** Undefined where the new server is not seen to answer this client over this protocol. */
export function findWayBack(frames: readonly CapturedFrame[], question: WayBackQuestion): WayBack | undefined {
  const { protocol, silentAtMs } = question;
  const messages = readNfs(
    frames.filter(({ atMs }) => atMs >= silentAtMs),
    question,
  );
  const asked = askedOf(messages, protocol);
  const [first] = asked.filter(({ reply }) => reply !== undefined).toSorted((a, b) => answeredMs(a) - answeredMs(b));
  if (first?.reply === undefined) return undefined;
  const session = sessionOf(asked);
  return {
    ...contactOf(messages, first.reply),
    answeredAtMs: first.reply.atMs,
    ...(session === undefined ? {} : { session }),
  };
}

/** What the client sends into the silence, on its old connection or to open another, reaches nobody: the last try counts. */
function contactOf(messages: readonly NfsMessage[], answer: NfsReply): Pick<WayBack, "connectedAtMs" | "askedAtMs"> {
  const before = messages.filter(({ atMs }) => atMs <= answer.atMs);
  const connect = before.findLast(({ kind }) => kind === "connect");
  if (connect === undefined) return {};
  const call = before.find(({ kind, atMs }) => kind === "call" && atMs >= connect.atMs);
  return { connectedAtMs: connect.atMs, ...(call === undefined ? {} : { askedAtMs: call.atMs }) };
}

interface Asked {
  readonly call: NfsCall;
  readonly reply: NfsReply | undefined;
}

/** Each call once, with its first reply, in the order in which they were asked. */
function askedOf(messages: readonly NfsMessage[], protocol: Protocol): readonly Asked[] {
  const calls = new Map<string, NfsCall>();
  const replies = new Map<string, NfsReply>();
  for (const message of messages) {
    if (message.kind === "call" && message.protocol === protocol && !calls.has(message.key)) {
      calls.set(message.key, message);
    }
    if (message.kind === "reply" && !replies.has(message.key)) replies.set(message.key, message);
  }
  return [...calls.values()].map((call) => ({ call, reply: replies.get(call.key) }));
}

function answeredMs({ reply }: Asked): number {
  return reply?.atMs ?? Number.POSITIVE_INFINITY;
}

const OK = 0;
/** RFC 8881, section 15.1: said before, of which the answer was lost. */
const COMPLETE_ALREADY = 10_054;

/** A session may have to be made twice: the last one before the client says that it has all is the one that it reclaims in. */
function sessionOf(asked: readonly Asked[]): WayBack["session"] {
  const completes = asked.filter(({ call }) => call.operations.includes(OPERATION.RECLAIM_COMPLETE));
  const completeAskedAtMs = completes[0]?.call.atMs;
  const created = asked.filter(
    (one) =>
      one.call.operations[0] === OPERATION.CREATE_SESSION &&
      one.reply?.status === OK &&
      answeredMs(one) <= (completeAskedAtMs ?? Number.POSITIVE_INFINITY),
  );
  if (created.length === 0) return undefined;
  const createdAtMs = Math.max(...created.map(answeredMs));
  if (completeAskedAtMs === undefined) return { createdAtMs };
  const count = (operation: number): number =>
    asked.filter(
      ({ call }) => call.atMs >= createdAtMs && call.atMs <= completeAskedAtMs && call.operations.includes(operation),
    ).length;
  // Asked again where the server was not ready (NFS4ERR_DELAY).
  const answered = completes.find(({ reply }) => reply?.status === OK || reply?.status === COMPLETE_ALREADY);
  const reclaim: Reclaim = {
    opens: count(OPERATION.OPEN),
    locks: count(OPERATION.LOCK),
    completeAskedAtMs,
    ...(answered === undefined ? {} : { completeAnsweredAtMs: answeredMs(answered) }),
  };
  return { createdAtMs, reclaim };
}

export interface StepsQuestion {
  /** The client's name. */
  readonly node: string;
  /** The timeline's zero on the recording's clock. */
  readonly zeroMs: number;
  /** When the address was open, on the timeline's clock. */
  readonly openedMs: number;
}

/** As steps of the timeline, one behind the other from the opening on. */
export function wayBackSteps(wayBack: WayBack, { node, zeroMs, openedMs }: StepsQuestion): readonly TimelineStep[] {
  const { connectedAtMs, askedAtMs, answeredAtMs, session } = wayBack;
  const steps: TimelineStep[] = [];
  const onTimeline = (atMs: number): number => Math.round(atMs - zeroMs);
  const add = (step: string, atMs: number | undefined, detail?: string): void => {
    if (atMs === undefined) return;
    // The clocks are compared to some milliseconds only: an answer "before" the opening takes no time.
    const startMs = steps.at(-1)?.endMs ?? Math.round(openedMs);
    const endMs = Math.max(startMs, onTimeline(atMs));
    steps.push({ step, node, startMs, endMs, outcome: "done", ...(detail === undefined ? {} : { detail }) });
  };
  const afterOpening = (what: string, atMs: number | undefined): readonly string[] =>
    atMs === undefined ? [] : [`${what} ${onTimeline(atMs) - Math.round(openedMs)} ms`];
  const contact = [...afterOpening("connects after", connectedAtMs), ...afterOpening("asks after", askedAtMs)].join(
    ", ",
  );
  add("client-reconnect", answeredAtMs, contact === "" ? undefined : contact);
  add("client-session", session?.createdAtMs);
  const reclaim = session?.reclaim;
  if (reclaim !== undefined) {
    add("client-reclaim", reclaim.completeAskedAtMs, `${reclaim.opens} opens, ${reclaim.locks} locks`);
  }
  add("client-reclaim-complete", reclaim?.completeAnsweredAtMs);
  return steps;
}
