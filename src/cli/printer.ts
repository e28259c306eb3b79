/** Where the command line prints: a stream whose reader may go away. */

export interface Printer {
  print(text: string): void;
  /** True once the reader has gone (`| head`): nothing is printed any more. */
  closed(): boolean;
  /** Waits for what was printed. Resolves with what went wrong with it (a full disk), undefined where nothing did. */
  flush(): Promise<Error | undefined>;
}

export type OutputStream = Pick<NodeJS.WriteStream, "write" | "on">;

/**
 * A reader that goes away ends the printing, never the work: a move that stopped half way because nobody reads on would
 * leave clients without service. Without a listener for its errors the stream's first EPIPE would end the process.
 */
export function printerTo(stream: OutputStream): Printer {
  let gone = false;
  let failure: Error | undefined;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED") gone = true;
    else failure ??= error;
  });
  const usable = (): boolean => !gone && failure === undefined;
  return {
    print: (text) => void (usable() && stream.write(text)),
    closed: () => gone,
    flush: () =>
      new Promise((resolve) => {
        if (!usable()) resolve(failure);
        // The callback comes before the stream's "error" event: that one is told first.
        else stream.write("", () => setImmediate(() => resolve(failure)));
      }),
  };
}
