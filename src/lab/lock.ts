/** One change of a lab at a time. The kernel gives the lock back when its holder ends, however it ends. */
import { createServer } from "node:net";
import { Fault } from "../base/fault.ts";
import type { LabPaths } from "./paths.ts";

/** An abstract unix socket (unix(7)) named after the lab: nothing is left on disk. */
export async function withLabLock<T>(paths: Pick<LabPaths, "sockets">, deed: () => Promise<T>): Promise<T> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.on("error", () =>
      reject(
        new Fault({
          kind: "refused",
          code: "lab-busy",
          what: "another command is starting, stopping or changing this lab",
          remedy: "wait until it is done",
        }),
      ),
    );
    server.listen(`\0holdfast-lab${paths.sockets}`, resolve);
  });
  try {
    return await deed();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
