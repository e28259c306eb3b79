/** Reads the classic pcap format, as `holdfast lab capture` and tcpdump write it (pcap-savefile(5)). Pure. */
import { Fault } from "../../base/fault.ts";

export interface CapturedFrame {
  /** Wall clock of the machine that captured, milliseconds since 1970-01-01 UTC, with a fraction. */
  readonly atMs: number;
  /** From the Ethernet header on; a view into the file. */
  readonly bytes: Uint8Array;
}

export interface PcapFile {
  readonly frames: readonly CapturedFrame[];
  /** The file ends inside a record: whoever wrote it was interrupted, and frames may be missing. */
  readonly cutShort: boolean;
}

const HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const LINK_TYPE_OFFSET = 20;
const LINK_TYPE_ETHERNET = 1;
/** Magic number as it reads in little-endian order, to the units of a second's fraction in one millisecond. */
const FORMATS: ReadonlyMap<number, { readonly littleEndian: boolean; readonly perMs: number }> = new Map([
  [0xa1b2c3d4, { littleEndian: true, perMs: 1e3 }],
  [0xd4c3b2a1, { littleEndian: false, perMs: 1e3 }],
  [0xa1b23c4d, { littleEndian: true, perMs: 1e6 }],
  [0x4d3cb2a1, { littleEndian: false, perMs: 1e6 }],
]);

/** Throws a Fault "capture-unreadable" for what is no pcap of Ethernet frames. */
export function readPcap(file: Uint8Array): PcapFile {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < HEADER_BYTES) throw unreadable(`it has ${file.length} bytes`);
  const magic = view.getUint32(0, true);
  const format = FORMATS.get(magic);
  if (format === undefined) throw unreadable(`it begins with ${magic.toString(16).padStart(8, "0")}`);
  const { littleEndian, perMs } = format;
  const linkType = view.getUint32(LINK_TYPE_OFFSET, littleEndian) & 0xffff;
  if (linkType !== LINK_TYPE_ETHERNET) throw unreadable(`its link type is ${linkType}, not Ethernet`);
  const frames: CapturedFrame[] = [];
  let at = HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= file.length) {
    const seconds = view.getUint32(at, littleEndian);
    const fraction = view.getUint32(at + 4, littleEndian);
    const start = at + RECORD_HEADER_BYTES;
    const end = start + view.getUint32(at + 8, littleEndian);
    if (end > file.length) break;
    frames.push({ atMs: seconds * 1000 + fraction / perMs, bytes: file.subarray(start, end) });
    at = end;
  }
  return { frames, cutShort: at !== file.length };
}

function unreadable(why: string): Fault {
  return new Fault({ code: "capture-unreadable", what: `this is no capture of Ethernet frames: ${why}` });
}
