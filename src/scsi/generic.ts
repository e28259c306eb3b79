/**
 * Persistent reservations without starting a program: SCSI commands written to /dev/sgN, answers read from it.
 *
 * The sg driver takes a command as plain bytes in its oldest form: struct sg_header, the command, the data to send
 * (include/scsi/sg.h; sg_write and sg_read, drivers/scsi/sg.c, in every kernel from 2.4 to 6.12). Node cannot call ioctl,
 * and one start of sg_persist(8) costs more than the whole question: this is asked several times a second.
 *
 * Every open is without waiting, and answers are polled for: a LUN that hangs must not hold one of libuv's few threads.
 */
import { closeSync, constants, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { endianness } from "node:os";
import { Fault, messageOf } from "../base/fault.ts";
import type { Clock } from "../system/clock.ts";

/** What the LUN said to one command. */
export interface ScsiAnswer {
  /** SAM-5, 5.3.1: 0x00 good, 0x02 check condition, 0x18 reservation conflict. */
  readonly status: number;
  /** Sense key of a check condition (SPC-4, 4.5.6): 0x06 is a unit attention. */
  readonly senseKey: number;
  readonly additionalSense: string;
  /** The transport's own word (SG_ERR_DID_*): 0 where the command reached the LUN. */
  readonly hostStatus: number;
  readonly data: Buffer;
}

export interface ScsiCommand {
  /** Ten bytes: the driver knows a command's length from its first byte. */
  readonly command: Buffer;
  readonly send?: Buffer;
  readonly receiveBytes?: number;
}

/** sizeof(struct sg_header) with its 16 sense bytes. */
const HEADER_BYTES = 36;
const REPLY_LENGTH_AT = 4;
const RESULT_AT = 12;
const STATUS_AT = 16;
const SENSE_AT = 20;
const SENSE_BYTES = 16;
/** Every poll that comes too early costs an error of Node's: the longer an answer takes, the fewer are made. */
const POLL_FROM_MS = 2;
const POLL_UP_TO_MS = 16;
/** Of the time waited so far: no answer is taken later by more than this. */
const POLL_SHARE = 1 / 4;

export function encodeRequest({ command, send, receiveBytes }: ScsiCommand): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  // The driver takes the direction from the lengths: with data to send, a reply longer than its header would mean both.
  header.writeInt32LE(HEADER_BYTES + (receiveBytes ?? 0), REPLY_LENGTH_AT);
  return Buffer.concat([header, command, send ?? Buffer.alloc(0)]);
}

export function parseReply(reply: Buffer): ScsiAnswer {
  const bits = reply.readUInt32LE(STATUS_AT);
  const sense = reply.subarray(SENSE_AT, SENSE_AT + SENSE_BYTES);
  // Bit 0 is twelve_byte; then 5 bits of status shifted right by one as SCSI-1 did, 8 of host, 8 of driver.
  const status = ((bits >>> 1) & 0x1f) << 1;
  return {
    status,
    senseKey: status === STATUS.checkCondition ? senseKeyOf(sense) : 0,
    additionalSense: status === STATUS.checkCondition ? additionalSenseOf(sense) : "",
    hostStatus: (bits >>> 6) & 0xff,
    data: reply.subarray(HEADER_BYTES),
  };
}

export const STATUS = { good: 0x00, checkCondition: 0x02, reservationConflict: 0x18 } as const;
export const UNIT_ATTENTION = 0x06;

/** Fixed format (0x70) has the key in byte 2, descriptor format (0x72) in byte 1: SPC-4, 4.5.2 and 4.5.3. */
function senseKeyOf(sense: Buffer): number {
  const format = (sense[0] ?? 0) & 0x7f;
  return ((format >= 0x72 ? sense[1] : sense[2]) ?? 0) & 0x0f;
}

function additionalSenseOf(sense: Buffer): string {
  const at = ((sense[0] ?? 0) & 0x7f) >= 0x72 ? 2 : 12;
  return sense.subarray(at, at + 2).toString("hex");
}

/** The files of sg devices, as a test has them too. */
export interface GenericFiles {
  open(generic: string): number;
  write(descriptor: number, request: Buffer): void;
  /** Undefined while there is no answer; otherwise the bytes of it. */
  read(descriptor: number, into: Buffer): number | undefined;
  /** A command that has not ended is orphaned, not aborted: sg_release, drivers/scsi/sg.c. */
  close(descriptor: number): void;
}

export const genericFiles: GenericFiles = {
  open: (generic) => openSync(generic, constants.O_RDWR | constants.O_NONBLOCK),
  write: (descriptor, request) => void writeSync(descriptor, request),
  read: tryRead,
  close: closeSync,
};

/**
 * Sends one command and waits for its answer.
 *
 * @param generic e.g. "/dev/sg0".
 * Rejects where the device cannot be opened, or gives no answer within `timeoutMs`: what became of the command is then
 * unknown.
 */
export async function sendCommand(
  clock: Clock,
  generic: string,
  command: ScsiCommand,
  timeoutMs: number,
): Promise<ScsiAnswer> {
  let descriptor: number | undefined;
  try {
    descriptor = genericFiles.open(generic);
    const reply = Buffer.alloc(replyBytes(command));
    return await exchange(clock, genericFiles, { generic, descriptor }, encodeRequest(command), reply, timeoutMs);
  } catch (error) {
    throw error instanceof Fault ? error : notSent(generic, messageOf(error));
  } finally {
    if (descriptor !== undefined) genericFiles.close(descriptor);
  }
}

/** Bytes for the answer to a command. */
export function replyBytes({ receiveBytes = 0 }: ScsiCommand): number {
  return HEADER_BYTES + receiveBytes;
}

/**
 * One command on an open device, which nobody else may use meanwhile: answers come in the order in which they are ready.
 * After a rejection an answer may still come, so the device has to be closed.
 *
 * @param request made by `encodeRequest`.
 * @param reply of `replyBytes`; the answer's data lie in it.
 */
export async function exchange(
  clock: Clock,
  files: GenericFiles,
  { generic, descriptor }: { readonly generic: string; readonly descriptor: number },
  request: Buffer,
  reply: Buffer,
  timeoutMs: number,
): Promise<ScsiAnswer> {
  if (endianness() !== "LE") throw unsupported("a big-endian machine");
  files.write(descriptor, request);
  const startMs = clock.monotonicMs();
  while (files.read(descriptor, reply) === undefined) {
    const waitedMs = clock.monotonicMs() - startMs;
    if (waitedMs >= timeoutMs) throw noAnswer(generic, timeoutMs);
    await clock.sleep(Math.min(POLL_UP_TO_MS, Math.max(POLL_FROM_MS, waitedMs * POLL_SHARE)));
  }
  const result = reply.readInt32LE(RESULT_AT);
  const answer = parseReply(reply);
  // `result` repeats the statuses below as an errno; alone it means that the command never left.
  if (result !== 0 && answer.status === STATUS.good && answer.hostStatus === 0)
    throw notSent(generic, `errno ${result}`);
  return answer;
}

/**
 * The sg devices of a disk: one of a plain SCSI disk, one per path of a multipath device.
 *
 * @param disk e.g. "/dev/sda", "/dev/disk/by-id/wwn-…", "/dev/mapper/mpatha".
 * Rejects where it is no SCSI disk or the sg module is not loaded.
 */
export async function genericsOf(disk: string, sysfs = "/sys/class/block"): Promise<readonly string[]> {
  const name = (await realpath(disk)).split("/").at(-1) ?? "";
  const paths = [name, ...list(`${sysfs}/${name}/slaves`)];
  const generics = paths.flatMap((path) =>
    list(`${sysfs}/${path}/device/scsi_generic`).map((found) => `/dev/${found}`),
  );
  if (generics.length > 0) return generics;
  throw unsupported(`${disk}, which has no /dev/sg device (is it a SCSI disk, is the sg module loaded?)`);
}

function tryRead(descriptor: number, into: Buffer): number | undefined {
  try {
    return readSync(descriptor, into);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return undefined;
    throw error;
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function unsupported(what: string): Fault {
  return new Fault({ code: "scsi-unsupported", what: `persistent reservations cannot be asked for on ${what}` });
}

function notSent(generic: string, why: string): Fault {
  return new Fault({ code: "scsi-not-sent", what: `a SCSI command to ${generic} failed: ${why}` });
}

function noAnswer(generic: string, timeoutMs: number): Fault {
  return new Fault({ code: "scsi-no-answer", what: `${generic} gave no answer within ${timeoutMs} ms` });
}
