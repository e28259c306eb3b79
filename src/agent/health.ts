/**
 * A close look at a serving fileserver, as often as the engine asks: does its server answer through its address, can
 * its volume be written. One small program is started, by the holder: a socket can be opened in a namespace only by
 * who is inside.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { messageOf } from "../base/fault.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { NFS_PORT } from "../nfs/configuration.ts";
import { NFS_PROGRAM } from "../nfs/rpc.ts";
import { callNull } from "./call-null.ts";
import type { Node } from "./context.ts";
import type { HolderClient } from "./holder-client.ts";
import { stateFolder } from "./state-folder.ts";

export interface Health {
  /** What is wanting, a line each. Never rejects. */
  look(holder: HolderClient, insidePid: number, boundMs: number): Promise<readonly string[]>;
}

/** Always the same few bytes in place: a full volume has room for them. */
const NAME = "health";
const RECORD_BYTES = 32;

export function openHealth(node: Node, fileserver: FileserverSpec): Health {
  const version = fileserver.protocols.includes("v3") ? 3 : 4;
  const nfsd = { what: "its NFS server", port: NFS_PORT, program: NFS_PROGRAM, version };
  let writing: Promise<string | undefined> | undefined;

  function write(path: string): Promise<string | undefined> {
    // A write that hangs is not joined by others: each would hold a thread of its own.
    writing ??= writeRecord(path, node.clock.wallMs()).finally(() => {
      writing = undefined;
    });
    return writing;
  }

  return {
    async look(holder, insidePid, boundMs) {
      const late = node.clock.sleep(boundMs).then(() => `a write to its volume did not end within ${boundMs} ms`);
      const problems = await Promise.all([
        Promise.race([write(`${stateFolder(insidePid, fileserver).path}/${NAME}`), late]),
        callNull(holder, fileserver, nfsd, boundMs),
      ]);
      return problems.filter((problem) => problem !== undefined);
    },
  };
}

async function writeRecord(path: string, wallMs: number): Promise<string | undefined> {
  try {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      await file.write(String(wallMs).padEnd(RECORD_BYTES), 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    return undefined;
  } catch (error) {
    // Clients may fill a volume: that is no failure of the service.
    if (error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT"))
      return undefined;
    return `its volume cannot be written: ${messageOf(error)}`;
  }
}
