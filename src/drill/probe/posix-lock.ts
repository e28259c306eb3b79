/**
 * fcntl(2) byte-range locks. Node has no call for them (fs has neither fcntl nor flock), and they are what NFS turns
 * into NLM and NFSv4 LOCK, so this file calls libc through Node 26's experimental `node:ffi`
 * (`--experimental-ffi`); nothing else in Holdfast does. Classic POSIX locks, not open-file-description locks: only
 * the classic ones are what applications on NFS use. x86-64 and glibc: `fcntl` is variadic, which changes nothing for
 * integer arguments in that calling convention; `struct flock` is 32 bytes there (bits/fcntl.h).
 */
import type * as ForeignFunctions from "node:ffi";
import { getSystemErrorName } from "node:util";

/** Undefined without `--experimental-ffi`. */
function foreignFunctions(): typeof ForeignFunctions | undefined {
  return process.getBuiltinModule("node:ffi") as typeof ForeignFunctions | undefined;
}

const F_GETLK = 5;
const F_SETLK = 6;
const F_SETLKW = 7;
const F_WRLCK = 1;
const F_UNLCK = 2;
const FLOCK_BYTES = 32;
const START_AT = 8;
const LENGTH_AT = 16;

/** Exclusive locks of one byte. All wait for as long as the server makes them wait, and throw like a call of `fs`. */
export interface ByteLocks {
  lock(descriptor: number, offset: number): void;
  /** False where another holds it: fcntl(2) leaves the choice between EAGAIN and EACCES open. */
  tryLock(descriptor: number, offset: number): boolean;
  unlock(descriptor: number, offset: number): void;
  /** True when another process holds it; what this one holds does not count. */
  isHeldByAnother(descriptor: number, offset: number): boolean;
}

export function openByteLocks(): ByteLocks {
  const foreign = foreignFunctions();
  if (foreign === undefined) throw new Error("node:ffi is missing: start the probe with --experimental-ffi");
  const { fcntl, __errno_location: errnoLocation } = foreign.dlopen("libc.so.6", {
    fcntl: { arguments: ["int32", "int32", "buffer"], return: "int32" },
    __errno_location: { arguments: [], return: "pointer" },
  }).functions;
  const flock = Buffer.alloc(FLOCK_BYTES);
  const call = (descriptor: number, command: number, type: number, offset: number): string | undefined => {
    const code = callOnce(descriptor, command, type, offset);
    // Between the call and the look at errno the engine may have parsed a number; fcntl itself never says ERANGE.
    return code === "ERANGE" ? callOnce(descriptor, command, type, offset) : code;
  };
  const callOnce = (descriptor: number, command: number, type: number, offset: number): string | undefined => {
    flock.writeInt16LE(type, 0);
    flock.writeBigInt64LE(BigInt(offset), START_AT);
    // The kernel writes the lock that is in the way over it (F_GETLK).
    flock.writeBigInt64LE(1n, LENGTH_AT);
    return fcntl(descriptor, command, flock) === 0 ? undefined : getSystemErrorName(-foreign.getInt32(errnoLocation()));
  };
  const throwFor = (code: string | undefined, name: string, offset: number): void => {
    if (code === undefined) return;
    throw Object.assign(new Error(`${code}: ${name} of byte ${offset}`), { code, syscall: name });
  };
  return {
    lock: (descriptor, offset) => throwFor(call(descriptor, F_SETLKW, F_WRLCK, offset), "lock", offset),
    tryLock: (descriptor, offset) => {
      const code = call(descriptor, F_SETLK, F_WRLCK, offset);
      if (code === "EAGAIN" || code === "EACCES") return false;
      throwFor(code, "lock", offset);
      return true;
    },
    unlock: (descriptor, offset) => throwFor(call(descriptor, F_SETLKW, F_UNLCK, offset), "unlock", offset),
    isHeldByAnother: (descriptor, offset) => {
      throwFor(call(descriptor, F_GETLK, F_WRLCK, offset), "getlk", offset);
      return flock.readInt16LE(0) !== F_UNLCK;
    },
  };
}

/** A buffer that starts at a multiple of `alignment`, as O_DIRECT wants on local file systems (NFS does not mind). */
export function alignedBuffer(sizeBytes: number, alignment: number): Buffer {
  const backing = new ArrayBuffer(sizeBytes + alignment);
  const address = foreignFunctions()?.getRawPointer(backing) ?? 0n;
  const skip = (alignment - Number(address % BigInt(alignment))) % alignment;
  return Buffer.from(backing, skip, sizeBytes);
}
