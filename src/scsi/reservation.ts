/**
 * SCSI-3 persistent reservations through sg_persist(8).
 *
 * Type 5, write exclusive registrants only (SPC-4, 5.13.7): who is not registered can read but not write. Only the
 * node that serves is registered, so a reservation is the proof that nobody else writes.
 */
import { Fault } from "../base/fault.ts";
import { commandFailed, type Command, type CommandResult, type Commands } from "../system/commands.ts";

const TYPE = "5";
const TIMEOUT_MS = 4_000;

/** 64-bit key as sg_persist prints it: "0x" and hexadecimal digits without leading zeros. */
export type ReservationKey = string;

/** A key as `sg_persist` will print it, from hexadecimal digits in any form: keys are compared as texts. */
export function asPrinted(digits: string): ReservationKey {
  return `0x${BigInt(`0x${digits.replace(/^0x/, "")}`).toString(16)}`;
}

export interface ReservationState {
  readonly keys: readonly ReservationKey[];
  readonly holder?: ReservationKey;
}

function persist(args: readonly string[], disk: string): Command {
  return { tool: "sg_persist", args: ["--no-inquiry", ...args, disk], timeoutMs: TIMEOUT_MS };
}

export const readKeys = (disk: string): Command => persist(["--in", "--read-keys"], disk);
export const readReservation = (disk: string): Command => persist(["--in", "--read-reservation"], disk);
/** Registers whatever was registered before; survives a power loss of the target where it can (APTPL). */
export const registerKey = (disk: string, key: ReservationKey): Command =>
  persist(["--out", "--register-ignore", `--param-sark=${key}`], disk);
export const reserve = (disk: string, key: ReservationKey): Command =>
  persist(["--out", "--reserve", `--param-rk=${key}`, `--prout-type=${TYPE}`], disk);
/** Takes the reservation and ends what the victim has under way; only after the victim is known to be down. */
export const preemptAndAbort = (disk: string, key: ReservationKey, victim: ReservationKey): Command =>
  persist(["--out", "--preempt-abort", `--param-rk=${key}`, `--param-sark=${victim}`, `--prout-type=${TYPE}`], disk);
/** Removing one's own key releases the reservation when its holder does it (SPC-4, 5.13.11.2). */
export const unregister = (disk: string, key: ReservationKey): Command =>
  persist(["--out", "--register", `--param-rk=${key}`, "--param-sark=0"], disk);

export function parseKeys(stdout: string): readonly ReservationKey[] {
  return [...stdout.matchAll(/^\s+(0x[0-9a-f]+)\s*$/gm)].map((match) => match[1] ?? "");
}

export function parseHolder(stdout: string): ReservationKey | undefined {
  return /Key\s*=\s*(0x[0-9a-f]+)/.exec(stdout)?.[1];
}

/** A unit attention (reset, preempted) is reported once and clears itself: sg_persist ends with 6, and asking again answers. */
const UNIT_ATTENTION_STATUS = 6;
const ATTEMPTS_MAX = 3;

async function runPersist(commands: Commands, command: Command): Promise<CommandResult> {
  let result = await commands.run(command);
  for (let attempt = 1; attempt < ATTEMPTS_MAX && result.status === UNIT_ATTENTION_STATUS; attempt++)
    result = await commands.run(command);
  return result;
}

/** What stands on the LUN now. Rejects where it cannot be read: unknown is not free. */
export async function readState(commands: Commands, disk: string): Promise<ReservationState> {
  const [keys, reservation] = await Promise.all(
    [readKeys(disk), readReservation(disk)].map((command) => runPersist(commands, command)),
  );
  for (const [command, result] of [
    [readKeys(disk), keys],
    [readReservation(disk), reservation],
  ] as const) {
    if (result === undefined || result.status !== 0) {
      throw unreadable(disk, result === undefined ? undefined : commandFailed(command, result));
    }
  }
  const holder = parseHolder(reservation?.stdout ?? "");
  return { keys: parseKeys(keys?.stdout ?? ""), ...(holder === undefined ? {} : { holder }) };
}

function unreadable(disk: string, cause: Fault | undefined): Fault {
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

/** SCSI status 0x18, RESERVATION CONFLICT, as sg_persist's exit status. */
const CONFLICT_STATUS = 24;

/**
 * Takes the reservation of a LUN that nobody holds; refused where somebody does.
 *
 * @param released the holder has just confirmed that it gave the LUN free: it is not asked first whether it is, which
 *   RESERVE finds out in any case.
 */
export async function takeReservation(
  commands: Commands,
  disk: string,
  key: ReservationKey,
  released = false,
): Promise<void> {
  if (!released) await refuseReserved(commands, disk, key);
  for (const command of [registerKey(disk, key), reserve(disk, key)]) {
    const result = await runPersist(commands, command);
    if (result.status === 0) continue;
    const state = await readState(commands, disk);
    if (state.holder !== key) await commands.run(unregister(disk, key));
    throw result.status === CONFLICT_STATUS ? reservedByOther(disk, state.holder) : commandFailed(command, result);
  }
}

/** Asked before registering: with type 5 a mere registration beside the holder's would already allow writes. */
async function refuseReserved(commands: Commands, disk: string, key: ReservationKey): Promise<void> {
  const reservation = readReservation(disk);
  const found = await runPersist(commands, reservation);
  if (found.status !== 0) throw unreadable(disk, commandFailed(reservation, found));
  const holder = parseHolder(found.stdout);
  if (holder !== undefined && holder !== key) throw reservedByOther(disk, holder);
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

/** Gives the LUN free; no error where this node is not registered. */
export async function dropReservation(commands: Commands, disk: string, key: ReservationKey): Promise<void> {
  const command = unregister(disk, key);
  const result = await runPersist(commands, command);
  if (result.status === 0) return;
  const state = await readState(commands, disk);
  if (state.keys.includes(key)) throw commandFailed(command, result);
}

/** Takes the reservation from a node that is known to be down, and makes sure that it is gone. */
export async function preemptReservation(
  commands: Commands,
  disk: string,
  key: ReservationKey,
  victim: ReservationKey,
): Promise<void> {
  for (const command of [registerKey(disk, key), preemptAndAbort(disk, key, victim)]) {
    const result = await runPersist(commands, command);
    if (result.status !== 0) throw commandFailed(command, result);
  }
  const state = await readState(commands, disk);
  if (state.keys.includes(victim) || state.holder !== key) throw reservedByOther(disk, state.holder);
}
