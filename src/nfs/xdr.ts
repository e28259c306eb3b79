/** XDR (RFC 4506) as far as RPC, MOUNT, NFSv3, NLM and NSM need it: big-endian words, everything padded to four bytes. Pure. */

const WORD_BYTES = 4;

export type Xdr = Uint8Array;

export function join(...parts: readonly Xdr[]): Xdr {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Unsigned integers, enums and, by their two's complement, signed integers. */
export function word(...values: readonly number[]): Xdr {
  const bytes = new Uint8Array(values.length * WORD_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of values.entries()) view.setUint32(at * WORD_BYTES, value >>> 0);
  return bytes;
}

export function long(value: bigint): Xdr {
  const bytes = new Uint8Array(2 * WORD_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

export function flag(value: boolean): Xdr {
  return word(value ? 1 : 0);
}

/** Variable length: the count, the bytes, the padding. */
export function opaque(bytes: Uint8Array): Xdr {
  return join(word(bytes.length), bytes, new Uint8Array(padding(bytes.length)));
}

export function text(value: string): Xdr {
  return opaque(new TextEncoder().encode(value));
}

function padding(bytes: number): number {
  return (WORD_BYTES - (bytes % WORD_BYTES)) % WORD_BYTES;
}

/** Reads from the front. Every call throws a RangeError where the message ends before what it asks for. */
export interface XdrReader {
  word(): number;
  long(): bigint;
  flag(): boolean;
  opaque(bytesMax: number): Uint8Array;
  text(bytesMax: number): string;
  skip(bytes: number): void;
  /** What has not been read. */
  rest(): Uint8Array;
}

export function readerOf(bytes: Uint8Array): XdrReader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (count: number): number => {
    if (at + count > bytes.length) throw new RangeError(`message ends at ${bytes.length}, wanted ${at + count}`);
    const from = at;
    at += count;
    return from;
  };
  const readWord = (): number => view.getUint32(take(WORD_BYTES));
  const readOpaque = (bytesMax: number): Uint8Array => {
    const count = readWord();
    if (count > bytesMax) throw new RangeError(`${count} bytes where at most ${bytesMax} may be`);
    const from = take(count + padding(count));
    return bytes.slice(from, from + count);
  };
  return {
    word: readWord,
    long: () => view.getBigUint64(take(2 * WORD_BYTES)),
    flag: () => readWord() !== 0,
    opaque: readOpaque,
    text: (bytesMax) => new TextDecoder().decode(readOpaque(bytesMax)),
    skip: (count) => void take(count),
    rest: () => bytes.slice(at),
  };
}
