/**
 * What a director knows of one server of one service: one total table.
 *
 * INVARIANTS (health.test.ts)
 * - Only the server's own word, or for servers without an agent its own answer, makes it one that may begin to serve.
 * - What could not be found out changes nothing, except that a server that neither answers nor is vouched for is down.
 * - A server that is going (`leaving`) keeps its packets until another one comes: the last answers of a release are
 *   acknowledged through the director, and an answer that is lost makes the client repeat a request that was done.
 */
import { unreachable } from "../base/assert.ts";
import type { Observed } from "../base/observed.ts";
import type { RoleWord } from "../model/role.ts";

export const HEALTH_STATES = ["checking", "answering", "starting", "up", "leaving", "down", "wrong-role"] as const;
/**
 * checking: nothing is known yet. answering: NFS answers, whether it should is not known. starting: its agent says that
 * it is about to open. up: it serves. leaving: its agent says that it is being released. down: it does not answer.
 * wrong-role: its agent says that it does not serve this fileserver.
 */
export type HealthState = (typeof HEALTH_STATES)[number];

export const HEALTH_EVENTS = [
  "answers",
  "silent",
  "refuses",
  "serves-not",
  "answers-unvouched",
  "silent-unvouched",
  "unchecked",
  "told-opening",
  "told-serving",
  "told-releasing",
  "start-overdue",
] as const;
export type HealthEvent = (typeof HEALTH_EVENTS)[number];

type Row = Readonly<Record<HealthEvent, HealthState>>;

const TABLE: Readonly<Record<HealthState, Row>> = {
  checking: {
    answers: "up",
    silent: "down",
    refuses: "down",
    "serves-not": "wrong-role",
    "answers-unvouched": "answering",
    "silent-unvouched": "down",
    unchecked: "checking",
    "told-opening": "starting",
    "told-serving": "up",
    "told-releasing": "leaving",
    "start-overdue": "checking",
  },
  answering: {
    answers: "up",
    silent: "down",
    refuses: "down",
    "serves-not": "wrong-role",
    "answers-unvouched": "answering",
    "silent-unvouched": "down",
    unchecked: "answering",
    "told-opening": "starting",
    "told-serving": "up",
    "told-releasing": "leaving",
    "start-overdue": "answering",
  },
  starting: {
    answers: "up",
    // It opens only when everything listens; until then silence is what was announced.
    silent: "starting",
    refuses: "starting",
    "serves-not": "wrong-role",
    "answers-unvouched": "starting",
    "silent-unvouched": "starting",
    unchecked: "starting",
    "told-opening": "starting",
    "told-serving": "up",
    "told-releasing": "leaving",
    "start-overdue": "down",
  },
  up: {
    answers: "up",
    silent: "down",
    refuses: "down",
    "serves-not": "wrong-role",
    // Its agent restarts, or is cut off: the server it vouched for goes on.
    "answers-unvouched": "up",
    "silent-unvouched": "down",
    unchecked: "up",
    "told-opening": "starting",
    "told-serving": "up",
    "told-releasing": "leaving",
    "start-overdue": "up",
  },
  leaving: {
    // The release was undone.
    answers: "up",
    silent: "down",
    refuses: "down",
    "serves-not": "wrong-role",
    "answers-unvouched": "leaving",
    "silent-unvouched": "down",
    unchecked: "leaving",
    "told-opening": "starting",
    "told-serving": "up",
    "told-releasing": "leaving",
    "start-overdue": "leaving",
  },
  down: {
    answers: "up",
    silent: "down",
    refuses: "down",
    "serves-not": "wrong-role",
    // It answers again, but nobody says that it should.
    "answers-unvouched": "answering",
    "silent-unvouched": "down",
    unchecked: "down",
    "told-opening": "starting",
    "told-serving": "up",
    "told-releasing": "down",
    "start-overdue": "down",
  },
  "wrong-role": {
    answers: "up",
    silent: "down",
    refuses: "down",
    "serves-not": "wrong-role",
    "answers-unvouched": "wrong-role",
    "silent-unvouched": "wrong-role",
    unchecked: "wrong-role",
    "told-opening": "starting",
    "told-serving": "up",
    "told-releasing": "wrong-role",
    "start-overdue": "wrong-role",
  },
};

export function nextHealth(state: HealthState, event: HealthEvent): HealthState {
  return TABLE[state][event];
}

/**
 * May be given the service. One that is only starting may not: a client that is reset before the server's link is up
 * sends its SYN into the void, and the next one a second later.
 */
export function mayBegin(state: HealthState): boolean {
  return state === "up";
}

/** May keep it while no other may begin. */
export function mayStay(state: HealthState): boolean {
  return state !== "down" && state !== "wrong-role";
}

/** What NFS did when it was asked by RPC NULL (or by TCP alone). */
export type NfsWord = "answers" | "silent" | "refuses" | "not-asked";

/** The one event that a finished check stands for. `role` undefined: servers of their own have none. */
export function healthEvent(role: Observed<RoleWord> | undefined, nfs: NfsWord): HealthEvent {
  if (role === undefined) return nfs === "not-asked" ? "unchecked" : nfs;
  const word = role.known ? role.value : "unclear";
  switch (word) {
    case "opening":
      return "told-opening";
    case "releasing":
      return "told-releasing";
    case "standby":
      return "serves-not";
    case "serving":
      return nfs === "not-asked" ? "unchecked" : nfs;
    case "unclear":
      if (nfs === "not-asked") return "unchecked";
      return nfs === "answers" ? "answers-unvouched" : "silent-unvouched";
    default:
      return unreachable(word);
  }
}

/** The event in words, as it stands after "because ". */
export const EVENT_WORDS: Readonly<Record<HealthEvent, string>> = {
  answers: "NFS answers",
  silent: "NFS did not answer in time",
  refuses: "the NFS port is closed",
  "serves-not": "its agent says that it does not serve it",
  "answers-unvouched": "NFS answers, but its agent does not say that it serves",
  "silent-unvouched": "neither its agent nor NFS answers",
  unchecked: "it could not be asked",
  "told-opening": "its agent says that it is about to serve",
  "told-serving": "its agent has just opened it",
  "told-releasing": "its agent says that it is being released",
  "start-overdue": "it did not begin to answer in time",
};
