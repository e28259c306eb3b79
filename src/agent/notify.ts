/** Tells NFSv3 clients that the fileserver has restarted, so that they reclaim their locks: sm-notify(8). */
import type { FileserverSpec } from "../model/spec.ts";
import { toolPath } from "../system/tools.ts";
import { runInside, type HolderClient } from "./holder-client.ts";
import { scopeProcesses } from "./inside.ts";
import { readList } from "./look-at-service.ts";
import { NOTIFY_PATH, stateFolder } from "./state-folder.ts";

/**
 * Starts it; it goes on by itself until every retired client has answered.
 *
 * @param how "again": with the state number of the time before (-n). A client that has heard of it already, and whose
 *   answer was lost, does nothing then (nlm_host_rebooted, fs/lockd/host.c); else it would reclaim what it has taken since.
 */
export async function notifyRetired(
  fileserver: FileserverSpec,
  holder: HolderClient,
  boundMs: number,
  how: "anew" | "again" = "anew",
): Promise<void> {
  const sameState = how === "again" ? ["-n"] : [];
  const command = [toolPath("sm-notify"), "-f", ...sameState, "-P", NOTIFY_PATH, "-v", notifierName(fileserver)];
  await runInside(holder, [command], boundMs);
}

/**
 * For an agent that comes new to a serving fileserver while lockd's grace lasts: the one before it may have died
 * between opening the address and telling clients, and nobody else would. Resolves with how many it has told.
 */
export async function notifyForgotten(
  fileserver: FileserverSpec,
  insidePid: number,
  holder: HolderClient,
  boundMs: number,
): Promise<number> {
  const processes = await scopeProcesses(fileserver.name);
  if (processes.some(({ name }) => name === "sm-notify")) return 0;
  const retired = await readList(stateFolder(insidePid, fileserver), "retired", []);
  if (retired.length > 0) await notifyRetired(fileserver, holder, boundMs);
  return retired.length;
}

/**
 * sm-notify binds one socket to the address of the name it is given, and reaches clients of that family only: a name
 * with both families gets the IPv6 one. The IPv4 address, which the namespace's hosts file resolves back to the host
 * name, reaches those who are resolved by either (seen in the lab: "Network is unreachable").
 */
function notifierName(fileserver: FileserverSpec): string {
  return fileserver.addresses.find(({ family }) => family === 4)?.address ?? fileserver.hostname;
}
