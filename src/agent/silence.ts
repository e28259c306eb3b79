/** A fileserver that serves, and must not answer for a while: its link is down, everything else stays as it is. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Fault, messageOf } from "../base/fault.ts";
import { HOLDER_FILES } from "../linux/holder.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { openLink, takeLinkDown } from "./address.ts";
import { scaled, type Node } from "./context.ts";
import type { HolderClient } from "./holder-client.ts";
import { linkIsUp } from "./inside.ts";
import { holderFolder, scopeFolder } from "./places.ts";

export interface Silence {
  /** Why, while it lasts: the file is there for an agent that is started anew. */
  because(): string | undefined;
  /**
   * Waits for nothing, and starts nothing. Nothing happens where the link is down already, or where there is none.
   *
   * @param forGood a release is under way: nobody will open the address again.
   */
  begin(because: string, forGood: boolean): void;
  /** Opens the address again. Rejects where that did not work: it stays silent then. */
  end(holder: HolderClient, insidePid: number): Promise<void>;
  /** The link belongs to a run now. */
  forget(): void;
}

const OPEN_BOUND_MS = 2_000;

export function openSilence(node: Node, fileserver: FileserverSpec, folder = holderFolder(fileserver.name)): Silence {
  const file = `${folder}/silenced`;
  return {
    because: () => (existsSync(file) ? readFileSync(file, "utf8").trim() : undefined),

    begin(because, forGood) {
      if (!insidePids(fileserver, folder).some(takenDown)) return;
      node.log(`${fileserver.name}: its address is silent: ${because}`);
      if (!forGood) writeFileSync(file, `${because}\n`, { mode: 0o600 });
    },

    async end(holder, insidePid) {
      try {
        const routes = node.directors?.side(fileserver.name)?.routes;
        await openLink(fileserver, holder, insidePid, scaled(node, OPEN_BOUND_MS), routes);
        if (!(await linkIsUp(insidePid))) throw new Error("the link is still down");
      } catch (error) {
        throw new Fault({
          code: "address-not-opened",
          what: `the address of ${fileserver.name} could not be opened again: ${messageOf(error)}`,
          cause: error,
        });
      }
      rmSync(file, { force: true });
    },

    forget: () => rmSync(file, { force: true }),
  };
}

/** Processes that are or were inside, the holder before the daemons; read at once, without libuv's threads. */
function insidePids(fileserver: FileserverSpec, folder: string): readonly number[] {
  const texts = [`${folder}/${HOLDER_FILES.pid}`, `${scopeFolder(fileserver.name)}/cgroup.procs`].map((path) =>
    existsSync(path) ? readFileSync(path, "utf8") : "",
  );
  return texts
    .join("\n")
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
}

/** A process that has gone, or is not inside, has no such link: the next one is asked. */
function takenDown(pid: number): boolean {
  try {
    return takeLinkDown(pid);
  } catch {
    return false;
  }
}
