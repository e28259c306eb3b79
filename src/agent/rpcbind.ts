/** Tells a fileserver's own rpcbind of its NFS server, over the socket in its private /run. */
import { connect } from "node:net";
import { Fault, messageOf } from "../base/fault.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { openRecordReader } from "../nfs/rpc.ts";
import { encodeSets, registrationsOf, whyNotSet } from "../nfs/rpcbind.ts";
import { insidePath } from "./places.ts";

/** rpcbind(8); the furniture of the namespaces has a /run for each. */
const SOCKET = "/run/rpcbind.sock";

/** Resolves when every program is registered. Rejects with what rpcbind said, or that it said nothing within the bound. */
export async function registerNfsd(fileserver: FileserverSpec, insidePid: number, boundMs: number): Promise<void> {
  const registrations = registrationsOf(fileserver);
  try {
    const answers = await exchange(
      insidePath(insidePid, SOCKET),
      encodeSets(registrations),
      registrations.length,
      boundMs,
    );
    const refused = answers.map(whyNotSet).find((why) => why !== undefined);
    if (refused !== undefined) throw new Error(refused);
  } catch (error) {
    throw new Fault({
      code: "rpcbind-refused",
      what: `rpcbind of ${fileserver.name} did not register its NFS server: ${messageOf(error)}`,
      why: "NFSv3 clients ask it for the port before they mount",
      cause: error,
    });
  }
}

function exchange(path: string, calls: Uint8Array, count: number, boundMs: number): Promise<readonly Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const answers: Uint8Array[] = [];
    const reader = openRecordReader();
    const socket = connect(path);
    socket.setTimeout(boundMs, () => socket.destroy(new Error(`no answer within ${boundMs} ms`)));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`${answers.length} of ${count} answers`)));
    socket.on("data", (chunk: Buffer) => {
      try {
        answers.push(...reader.push(chunk));
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(messageOf(error)));
      }
      if (answers.length < count) return;
      resolve(answers);
      socket.destroy();
    });
    // Not ended: rpcbind takes an end for good-bye, and answers no more.
    socket.write(calls);
  });
}
