/**
 * Reads the keys of the same few LUNs again and again, for a watch: a device of each stays open, and request and answer
 * keep their memory. A look is one write and one or a few reads.
 *
 * Whatever is out of the ordinary (no answer, a path that is gone, more keys than there is room for) is asked again the
 * long way, which knows every path of a LUN and says what is wrong.
 */
import type { Clock } from "../system/clock.ts";
import {
  encodeRequest,
  exchange,
  genericFiles,
  genericsOf,
  replyBytes,
  STATUS,
  UNIT_ATTENTION,
  type GenericFiles,
} from "./generic.ts";
import { isWhole, parseKeys, readKeysCommand, type ReservationKey } from "./persistent-reserve.ts";
import type { Reservations } from "./reservation.ts";

export interface KeyEye {
  /** Rejects as `Reservations.readKeys` does. */
  readKeys(disk: string): Promise<readonly ReservationKey[]>;
  close(): void;
}

export interface KeyEyeParts {
  readonly clock: Clock;
  readonly timeScale: number;
  /** The long way. */
  readonly reservations: Pick<Reservations, "readKeys">;
  readonly generics?: (disk: string) => Promise<readonly string[]>;
  readonly files?: GenericFiles;
}

interface OpenLun {
  readonly generic: string;
  readonly descriptor: number;
  readonly reply: Buffer;
  busy: boolean;
}

/** Two paths of each of 32 nodes. */
const KEYS_MAX = 64;
const TIMEOUT_MS = 1_000;
/** A unit attention is reported once and clears itself (SAM-5, 5.14). */
const ATTEMPTS_MAX = 4;

export function openKeyEye(parts: KeyEyeParts): KeyEye {
  const { clock, reservations, generics = genericsOf, files = genericFiles } = parts;
  const command = readKeysCommand(KEYS_MAX);
  const request = encodeRequest(command);
  const opened = new Map<string, OpenLun>();
  let closed = false;

  async function open(disk: string): Promise<OpenLun | undefined> {
    const before = opened.get(disk);
    if (before !== undefined) return before;
    const [generic] = await generics(disk);
    // Somebody else may have opened it meanwhile.
    if (generic === undefined || closed || opened.has(disk)) return undefined;
    const lun = { generic, descriptor: files.open(generic), reply: Buffer.alloc(replyBytes(command)), busy: false };
    opened.set(disk, lun);
    return lun;
  }

  /** Undefined: to be asked the long way. */
  async function ask(lun: OpenLun): Promise<readonly ReservationKey[] | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const timeoutMs = TIMEOUT_MS * parts.timeScale;
      const { status, hostStatus, senseKey, data } = await exchange(clock, files, lun, request, lun.reply, timeoutMs);
      if (status === STATUS.good && hostStatus === 0) return isWhole(data) ? parseKeys(data) : undefined;
      if (senseKey !== UNIT_ATTENTION) return undefined;
    }
    return undefined;
  }

  function forget(disk: string): void {
    const lun = opened.get(disk);
    opened.delete(disk);
    if (lun !== undefined) files.close(lun.descriptor);
  }

  async function shortWay(disk: string): Promise<readonly ReservationKey[] | undefined> {
    let lun: OpenLun | undefined;
    try {
      lun = await open(disk);
      if (lun === undefined || lun.busy) return undefined;
      lun.busy = true;
      const keys = await ask(lun);
      lun.busy = false;
      if (closed || keys === undefined) forget(disk);
      return keys;
    } catch {
      // What went wrong is found out, and told, the long way.
      if (lun !== undefined) forget(disk);
      return undefined;
    }
  }

  return {
    readKeys: async (disk) => (await shortWay(disk)) ?? reservations.readKeys(disk),
    close() {
      closed = true;
      for (const [disk, { busy }] of opened) if (!busy) forget(disk);
    },
  };
}
