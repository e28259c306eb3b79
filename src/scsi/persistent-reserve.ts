/** PERSISTENT RESERVE IN and OUT as bytes (SPC-4, 6.15 and 6.16). Pure. */
import { assert } from "../base/assert.ts";
import type { ScsiCommand } from "./generic.ts";

/** 64-bit key as sg_persist(8) prints it: "0x" and hexadecimal digits without leading zeros. */
export type ReservationKey = string;

/** A key in the one form in which keys are compared, from hexadecimal digits in any form. */
export function asPrinted(digits: string): ReservationKey {
  return `0x${BigInt(`0x${digits.replace(/^0x/, "")}`).toString(16)}`;
}

export interface ReservationState {
  readonly keys: readonly ReservationKey[];
  readonly holder?: ReservationKey;
}

export type PersistOut = keyof typeof SERVICE_ACTIONS;

const SERVICE_ACTIONS = {
  register: 0x00,
  reserve: 0x01,
  release: 0x02,
  "preempt-and-abort": 0x05,
  /** Registers whatever was registered before. */
  "register-and-ignore": 0x06,
} as const;

export interface PersistOutKeys {
  /** The key under which this path is registered. */
  readonly own?: ReservationKey;
  /** The new key of a registration (absent: none any more), or the victim's. */
  readonly other?: ReservationKey;
}

const PERSIST_IN = 0x5e;
const PERSIST_OUT = 0x5f;
/** Type 5, write exclusive registrants only (SPC-4, 5.13.7), of the whole LUN (scope 0). */
const TYPE = 0x05;
const PARAMETER_BYTES = 24;
/** Activate persist through power loss: a storage machine that loses power must not forget who was fenced. */
const APTPL = 0x01;
const READ_KEYS = 0x00;
const READ_RESERVATION = 0x01;
const HEADER_BYTES = 8;
const KEY_BYTES = 8;
/** Paths of all nodes of a cluster; what is longer is cut off by the LUN, and its length says so. */
const KEYS_MAX = 1_000;

export function persistOut(action: PersistOut, keys: PersistOutKeys, aptpl = true): ScsiCommand {
  const command = Buffer.alloc(10);
  command[0] = PERSIST_OUT;
  command[1] = SERVICE_ACTIONS[action];
  command[2] = isRegistration(action) ? 0 : TYPE;
  command.writeUInt32BE(PARAMETER_BYTES, 5);
  const send = Buffer.alloc(PARAMETER_BYTES);
  send.writeBigUInt64BE(BigInt(keys.own ?? 0), 0);
  send.writeBigUInt64BE(BigInt(keys.other ?? 0), 8);
  if (isRegistration(action) && aptpl) send[20] = APTPL;
  return { command, send };
}

function isRegistration(action: PersistOut): boolean {
  return action === "register" || action === "register-and-ignore";
}

/** @param keysMax what the answer has room for. */
export const readKeysCommand = (keysMax = KEYS_MAX): ScsiCommand =>
  persistIn(READ_KEYS, HEADER_BYTES + keysMax * KEY_BYTES);
export const readReservationCommand = (): ScsiCommand => persistIn(READ_RESERVATION, HEADER_BYTES + 16);

function persistIn(action: number, receiveBytes: number): ScsiCommand {
  const command = Buffer.alloc(10);
  command[0] = PERSIST_IN;
  command[1] = action;
  command.writeUInt16BE(receiveBytes, 7);
  return { command, receiveBytes };
}

/** False where there are more keys than the answer had room for. */
export function isWhole(data: Buffer): boolean {
  return data.length >= HEADER_BYTES && HEADER_BYTES + data.readUInt32BE(4) <= data.length;
}

/** Each key once: a node registers it on every path. */
export function parseKeys(data: Buffer): readonly ReservationKey[] {
  const bytes = data.readUInt32BE(4);
  assert(bytes <= KEYS_MAX * KEY_BYTES, `${bytes} bytes of keys are more than the nodes of a cluster have`);
  const keys: ReservationKey[] = [];
  for (let at = HEADER_BYTES; at < HEADER_BYTES + bytes; at += KEY_BYTES) keys.push(keyAt(data, at));
  return [...new Set(keys)];
}

export function parseHolder(data: Buffer): ReservationKey | undefined {
  return data.readUInt32BE(4) === 0 ? undefined : keyAt(data, HEADER_BYTES);
}

function keyAt(data: Buffer, at: number): ReservationKey {
  return `0x${data.readBigUInt64BE(at).toString(16)}`;
}
