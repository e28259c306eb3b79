/**
 * SCSI-3 persistent reservations of LUNs.
 *
 * Type 5, write exclusive registrants only: who is not registered can read but not write. The holder is the node that
 * serves. Keys and holders are compared in the form of `asPrinted`.
 */
import { defined } from "../base/assert.ts";
import { Fault } from "../base/fault.ts";
import type { Clock } from "../system/clock.ts";
import { genericsOf, sendCommand, STATUS, UNIT_ATTENTION, type ScsiAnswer, type ScsiCommand } from "./generic.ts";
import {
  parseHolder,
  parseKeys,
  persistOut,
  readKeysCommand,
  readReservationCommand,
  type PersistOut,
  type PersistOutKeys,
  type ReservationKey,
  type ReservationState,
} from "./persistent-reserve.ts";

/** What can be asked of the LUN behind a disk (a path of /dev). Each rejects where no clear answer came. */
export interface Reservations {
  readState(disk: string): Promise<ReservationState>;
  /** One question: a watch asks it several times a second. */
  readKeys(disk: string): Promise<readonly ReservationKey[]>;
  readHolder(disk: string): Promise<ReservationKey | undefined>;
  /** Whatever was registered before; on every path. Survives a power loss of the storage where it can. */
  register(disk: string, key: ReservationKey): Promise<void>;
  /** "conflict": another holds it, or this node is not registered. */
  reserve(disk: string, key: ReservationKey): Promise<"done" | "conflict">;
  /** Gives the reservation back and stays registered; nothing happens where this node does not hold it (SPC-4, 5.13.11.2). */
  release(disk: string, key: ReservationKey): Promise<"done" | "conflict">;
  /** The reservation goes with its holder's registration. */
  unregister(disk: string, key: ReservationKey): Promise<"done" | "conflict">;
  /** Takes registration and reservation from the victim, and ends the commands that it has under way. */
  preemptAndAbort(disk: string, key: ReservationKey, victim: ReservationKey): Promise<"done" | "conflict">;
}

/** How a LUN is reached; a test puts its own here. */
export interface ScsiPort {
  readonly generics: (disk: string) => Promise<readonly string[]>;
  readonly send: (generic: string, command: ScsiCommand) => Promise<ScsiAnswer>;
}

const TIMEOUT_MS = 4_000;

export function scsiPort(clock: Clock, timeScale: number): ScsiPort {
  return {
    generics: (disk) => genericsOf(disk),
    send: (generic, command) => sendCommand(clock, generic, command, TIMEOUT_MS * timeScale),
  };
}

export function openReservations(port: ScsiPort): Reservations {
  const ask = async (disk: string, command: ScsiCommand): Promise<Buffer> => {
    try {
      const answer = await onFirstPath(port, disk, command);
      if (answer.status === STATUS.good && answer.hostStatus === 0) return answer.data;
      throw refusedBy(disk, answer);
    } catch (error) {
      throw unreadable(disk, error);
    }
  };
  const tell = async (disk: string, action: PersistOut, keys: PersistOutKeys): Promise<"done" | "conflict"> =>
    outcomeOf(disk, await onFirstPath(port, disk, persistOut(action, keys)));

  const readKeys = async (disk: string): Promise<readonly ReservationKey[]> =>
    parseKeys(await ask(disk, readKeysCommand()));
  const readHolder = async (disk: string): Promise<ReservationKey | undefined> =>
    parseHolder(await ask(disk, readReservationCommand()));
  return {
    readKeys,
    readHolder,
    async readState(disk) {
      const keys = await readKeys(disk);
      const holder = await readHolder(disk);
      return { keys, ...(holder === undefined ? {} : { holder }) };
    },
    async register(disk, key) {
      for (const generic of await port.generics(disk)) await registerOn(port, disk, generic, key);
    },
    reserve: (disk, own) => tell(disk, "reserve", { own }),
    release: (disk, own) => tell(disk, "release", { own }),
    async unregister(disk, own) {
      const outcomes: ("done" | "conflict")[] = [];
      for (const generic of await port.generics(disk))
        outcomes.push(outcomeOf(disk, await sendAgain(port, generic, persistOut("register", { own }, false))));
      return outcomes.includes("done") ? "done" : "conflict";
    },
    preemptAndAbort: (disk, own, victim) => tell(disk, "preempt-and-abort", { own, other: victim }),
  };
}

/** APTPL is an offer: a LUN that cannot keep registrations over a power loss refuses it (SPC-4, 5.13.5). */
async function registerOn(port: ScsiPort, disk: string, generic: string, key: ReservationKey): Promise<void> {
  for (const aptpl of [true, false]) {
    const answer = await sendAgain(port, generic, persistOut("register-and-ignore", { other: key }, aptpl));
    if (answer.status === STATUS.good && answer.hostStatus === 0) return;
    if (!aptpl || answer.senseKey !== ILLEGAL_REQUEST) throw refusedBy(disk, answer);
  }
}

const ILLEGAL_REQUEST = 0x05;

/** Whichever path answers: the state is the LUN's, not the path's. */
async function onFirstPath(port: ScsiPort, disk: string, command: ScsiCommand): Promise<ScsiAnswer> {
  let failure: unknown;
  for (const generic of await port.generics(disk)) {
    try {
      const answer = await sendAgain(port, generic, command);
      if (answer.hostStatus === 0) return answer;
      failure = refusedBy(disk, answer);
    } catch (error) {
      failure = error;
    }
  }
  throw defined(failure, `${disk} has at least one path`);
}

/** A unit attention (reset, preempted) is reported once per path and clears itself; nothing was done (SAM-5, 5.14). */
const ATTEMPTS_MAX = 4;

async function sendAgain(port: ScsiPort, generic: string, command: ScsiCommand): Promise<ScsiAnswer> {
  let answer = await port.send(generic, command);
  for (let attempt = 1; attempt < ATTEMPTS_MAX && answer.senseKey === UNIT_ATTENTION; attempt++)
    answer = await port.send(generic, command);
  return answer;
}

function outcomeOf(disk: string, answer: ScsiAnswer): "done" | "conflict" {
  if (answer.status === STATUS.reservationConflict) return "conflict";
  if (answer.status === STATUS.good && answer.hostStatus === 0) return "done";
  throw refusedBy(disk, answer);
}

function refusedBy(disk: string, answer: ScsiAnswer): Fault {
  const sense =
    answer.senseKey === 0
      ? ""
      : `, sense key ${answer.senseKey.toString(16)}, additional sense ${answer.additionalSense}`;
  const transport = answer.hostStatus === 0 ? "" : `, transport error ${answer.hostStatus}`;
  return new Fault({
    code: "scsi-refused",
    what: `${disk} answered with SCSI status ${answer.status.toString(16)}${sense}${transport}`,
  });
}

function unreadable(disk: string, cause: unknown): Fault {
  return new Fault({
    kind: "refused",
    code: "reservation-unreadable",
    what: `the persistent reservation of ${disk} cannot be read`,
    why: "without it nobody can say whether another node writes to this LUN",
    remedy:
      "check the path to the storage, and that the LUN supports SCSI-3 persistent reservations (sg_persist --in --report-capabilities)",
    cause,
  });
}

/**
 * Takes the reservation of a LUN that nobody holds; refused where somebody does.
 *
 * @param released the holder has just confirmed that it gave the LUN free: it is not asked first whether it is, which
 *   RESERVE finds out in any case.
 */
export async function takeReservation(
  reservations: Reservations,
  disk: string,
  key: ReservationKey,
  released = false,
): Promise<void> {
  // Asked before registering: with type 5 a mere registration beside the holder's would already allow writes.
  const before = released ? undefined : await reservations.readHolder(disk);
  if (before !== undefined && before !== key) throw reservedByOther(disk, before);
  await reservations.register(disk, key);
  try {
    if ((await reservations.reserve(disk, key)) === "done") return;
  } catch (error) {
    await takeBack(reservations, disk, key);
    throw error;
  }
  throw reservedByOther(disk, await takeBack(reservations, disk, key));
}

/** A registration without the reservation would allow writes beside the holder's. Resolves with who holds it. */
async function takeBack(
  reservations: Reservations,
  disk: string,
  key: ReservationKey,
): Promise<ReservationKey | undefined> {
  const { holder } = await reservations.readState(disk);
  if (holder !== key) await reservations.unregister(disk, key);
  return holder;
}

export function reservedByOther(disk: string, holder: ReservationKey | undefined, node?: string): Fault {
  const who = node === undefined ? `key ${holder ?? "unknown"}` : `node ${node}`;
  return new Fault({
    kind: "refused",
    code: "volume-reserved",
    what: `${disk} is reserved by ${who}`,
    why: "whoever holds the reservation may be writing; two writers destroy the file system",
    remedy: "release the fileserver there first; if that node is certainly down, say so with --fenced NODE",
  });
}

/** A key that no node of the cluster has: another cluster's, or set by hand. */
export function reservedByStranger(disk: string, holder: ReservationKey): Fault {
  return new Fault({
    kind: "refused",
    code: "volume-reserved",
    what: `${disk} is reserved by key ${holder}, which no node of this cluster has`,
    why: "whoever holds the reservation may be writing; two writers destroy the file system",
    remedy: `find out who it is before anything else: sg_persist --in --read-full-status ${disk}`,
  });
}

/** Gives the LUN free and ends the registration; no error where this node is not registered. */
export async function dropReservation(reservations: Reservations, disk: string, key: ReservationKey): Promise<void> {
  if ((await reservations.unregister(disk, key)) === "done") return;
  const { keys } = await reservations.readState(disk);
  if (!keys.includes(key)) return;
  throw new Fault({
    code: "reservation-not-dropped",
    what: `${disk} still has this node's registration, and refuses to end it`,
    remedy: `look at it: sg_persist --in --read-full-status ${disk}`,
  });
}

/** Takes the reservation from a node that is known to be down, and makes sure that it is gone. */
export async function preemptReservation(
  reservations: Reservations,
  disk: string,
  key: ReservationKey,
  victim: ReservationKey,
): Promise<void> {
  await reservations.register(disk, key);
  const outcome = await reservations.preemptAndAbort(disk, key, victim);
  const state = await reservations.readState(disk);
  if (outcome === "conflict" || state.keys.includes(victim) || state.holder !== key)
    throw reservedByOther(disk, state.holder);
}
