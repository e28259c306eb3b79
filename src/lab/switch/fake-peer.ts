/** A machine's QEMU as the switch sees it: connects to a port, sends and receives framed bytes. For tests and measurements. */
import { createConnection, type Socket } from "node:net";
import { deframe, makeDeframer } from "./deframer.ts";
import { withPrefix } from "./frame.ts";

const WAIT_MS_MAX = 5_000;

export interface FakePeer {
  readonly socket: Socket;
  /** Every frame received so far, in hexadecimal. */
  readonly frames: readonly string[];
  readonly send: (frameHex: string) => void;
  /** Resolves when so many frames have come; rejects after a bound. */
  readonly received: (count: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function connectPeer(path: string): Promise<FakePeer> {
  const socket = createConnection({ path });
  const frames: string[] = [];
  const deframer = makeDeframer();
  let wake: (() => void) | undefined;
  socket.on("data", (chunk) => {
    deframe(deframer, chunk as Buffer, (wire, start, end) => frames.push(wire.toString("hex", start + 4, end)));
    wake?.();
  });
  socket.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return {
    socket,
    frames,
    send: (frameHex) => void socket.write(withPrefix(Buffer.from(frameHex, "hex"))),
    received: (count) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${frames.length} of ${count} frames came within ${WAIT_MS_MAX} ms`)),
          WAIT_MS_MAX,
        );
        wake = () => {
          if (frames.length < count) return;
          clearTimeout(timer);
          resolve();
        };
        wake();
      }),
    close: () =>
      new Promise((resolve) => {
        socket.once("close", () => resolve());
        socket.destroy();
      }),
  };
}
