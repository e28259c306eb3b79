/**
 * Cuts a byte stream into frames. A frame that lies whole in one chunk is handed on where it lies, without a copy;
 * only one that straddles chunks is put together in a buffer of its own.
 */
import { FRAME_BYTES_MAX, LENGTH_PREFIX_BYTES } from "./frame.ts";

export interface Deframer {
  /** The length prefix of a frame that straddles chunks, as far as it has come. */
  readonly prefix: Buffer;
  prefixBytes: number;
  /** Prefix and frame of a straddling frame, once its length is known. */
  wire: Buffer | undefined;
  wireBytes: number;
}

/** Gets a wire range: `start` at the length prefix, `end` behind the frame. The bytes may be kept; they do not change. */
export type FrameSink = (wire: Buffer, start: number, end: number) => void;

export function makeDeframer(): Deframer {
  return { prefix: Buffer.alloc(LENGTH_PREFIX_BYTES), prefixBytes: 0, wire: undefined, wireBytes: 0 };
}

/**
 * Returns false when the stream announces a frame above FRAME_BYTES_MAX: the two sides no longer agree where frames
 * begin, and the connection has to be ended. Frames before that point have been handed on.
 */
export function deframe(deframer: Deframer, chunk: Buffer, sink: FrameSink): boolean {
  let at = 0;
  if (deframer.prefixBytes > 0) {
    at = chunk.copy(deframer.prefix, deframer.prefixBytes, 0);
    deframer.prefixBytes += at;
    if (deframer.prefixBytes < LENGTH_PREFIX_BYTES) return true;
    const frameBytes = deframer.prefix.readUInt32BE(0);
    if (frameBytes > FRAME_BYTES_MAX) return false;
    beginStraddling(deframer, deframer.prefix, 0, frameBytes);
    deframer.prefixBytes = 0;
  }
  if (deframer.wire !== undefined) {
    const wire = deframer.wire;
    const copiedBytes = chunk.copy(wire, deframer.wireBytes, at);
    at += copiedBytes;
    deframer.wireBytes += copiedBytes;
    if (deframer.wireBytes < wire.length) return true;
    deframer.wire = undefined;
    sink(wire, 0, wire.length);
  }
  while (chunk.length - at >= LENGTH_PREFIX_BYTES) {
    const frameBytes = chunk.readUInt32BE(at);
    if (frameBytes > FRAME_BYTES_MAX) return false;
    const end = at + LENGTH_PREFIX_BYTES + frameBytes;
    if (end > chunk.length) {
      beginStraddling(deframer, chunk, at, frameBytes);
      return true;
    }
    sink(chunk, at, end);
    at = end;
  }
  deframer.prefixBytes = chunk.copy(deframer.prefix, 0, at);
  return true;
}

function beginStraddling(deframer: Deframer, from: Buffer, at: number, frameBytes: number): void {
  deframer.wire = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + frameBytes);
  deframer.wireBytes = from.copy(deframer.wire, 0, at);
}
