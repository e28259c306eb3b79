/** What the watch of a service (service-watch.ts) sees of it and does to it: everything of it that touches the world. */
import type { Ledger, MonitoredClient } from "../failover/ledger.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { toolPath } from "../system/tools.ts";
import { isLinkOpen } from "./address.ts";
import { scaled, type Node } from "./context.ts";
import { runInside, type HolderClient } from "./holder-client.ts";
import { endProcess, readOptional, scopeProcesses } from "./inside.ts";
import { writeLedger } from "./ledger-file.ts";
import { openServiceEye, type ServiceEye } from "./look-at-service.ts";
import { notifyRetired } from "./notify.ts";
import { insidePath } from "./places.ts";
import { forgetRetired, retire, stateFolder } from "./state-folder.ts";
import { forgetClient, hasState, lookAtV4Clients } from "./v4-clients.ts";

export interface Served {
  readonly node: Node;
  readonly fileserver: FileserverSpec;
  readonly holder: HolderClient;
  readonly insidePid: number;
}

export interface ServiceDeeds {
  openEye(): Promise<ServiceEye>;
  /** The address is open: clients can ask. */
  isReachable(): boolean;
  doesV4GraceLast(): Promise<boolean>;
  /** Resolves when it is on stable storage. */
  writeLedger(ledger: Ledger): Promise<void>;
  endV3Grace(): Promise<void>;
  /** Nobody is notified any more; who has not been yet is forgotten. */
  stopNotifying(): Promise<void>;
  /** These have still to be notified, too. */
  listToNotify(clients: readonly MonitoredClient[]): Promise<void>;
  /** Everybody who has still to be notified is notified now; rejects where that could not be begun. */
  notifyAtOnce(how: "anew" | "again"): Promise<void>;
  forgetDeadClients(say: (line: string) => void): Promise<void>;
}

const END_BOUND_MS = 2_000;
/** sm-notify goes into the background at once. */
const NOTIFY_BOUND_MS = 5_000;
const LOCKD_END_GRACE = "/proc/fs/lockd/nlm_end_grace";

export function serviceDeeds({ node, fileserver, holder, insidePid }: Served): ServiceDeeds {
  const folder = stateFolder(insidePid, fileserver);
  return {
    openEye: () => openServiceEye(fileserver, insidePid),
    isReachable: () => isLinkOpen(insidePid),
    doesV4GraceLast: () => doesV4GraceLast(fileserver, insidePid),
    writeLedger: (ledger) => writeLedger(folder, ledger),

    async endV3Grace() {
      await runInside(holder, [["write_file", LOCKD_END_GRACE, "Y"]], scaled(node, END_BOUND_MS));
    },

    async stopNotifying() {
      for (const pid of await notifiers(fileserver)) endProcess(pid);
      await forgetRetired(folder);
    },

    listToNotify: (clients) => retire(folder, clients),

    async notifyAtOnce(how) {
      const waiting = await notifiers(fileserver);
      // It begins with everybody; the one before it would have gone on to wait.
      await notifyRetired(fileserver, holder, scaled(node, NOTIFY_BOUND_MS), how);
      for (const pid of waiting) endProcess(pid);
    },

    forgetDeadClients: (say) => forgetDeadClients(fileserver, insidePid, say),
  };
}

/** As lockd says; where NFSv3 is off there is none. */
export async function doesV3GraceLast({ node, fileserver, holder }: Served): Promise<boolean> {
  if (!fileserver.protocols.includes("v3")) return false;
  const ended = await runInside(holder, [[toolPath("cat"), LOCKD_END_GRACE]], scaled(node, END_BOUND_MS));
  // A NUL follows the line (nlm_end_grace_read, fs/lockd/procfs.c).
  return !ended.startsWith("Y");
}

/** nfsd tells by itself: Y once it has ended (write_v4_end_grace, fs/nfsd/nfsctl.c). */
async function doesV4GraceLast(fileserver: FileserverSpec, insidePid: number): Promise<boolean> {
  if (!fileserver.protocols.includes("v4")) return false;
  const text = await readOptional(insidePath(insidePid, "/proc/fs/nfsd/v4_end_grace"));
  return text !== undefined && text.trim() === "N";
}

async function notifiers(fileserver: FileserverSpec): Promise<readonly number[]> {
  const processes = await scopeProcesses(fileserver.name);
  return processes.filter(({ name }) => name === "sm-notify").map(({ pid }) => pid);
}

/**
 * Makes nfsd forget clients whose lease has expired and that cannot be missed: each of them would cost everybody a full
 * grace at the next takeover. Those that hold something are given the spec's time to come back, as nfsd's courtesy
 * gives them a day (NFSD_COURTESY_CLIENT_TIMEOUT, fs/nfsd/nfs4state.c).
 */
async function forgetDeadClients(
  fileserver: FileserverSpec,
  insidePid: number,
  say: (line: string) => void,
): Promise<void> {
  for (const client of await lookAtV4Clients(insidePid, [])) {
    const { info } = client;
    if (info.status !== "courtesy") continue;
    const tooLong = info.renewedBeforeS > fileserver.nfs.courtesyS;
    if (!tooLong && (await hasState(client))) continue;
    await forgetClient(client);
    say(
      `${info.owner} (${info.address}) is forgotten: silent for ${info.renewedBeforeS} s${tooLong ? "" : ", and it held nothing"}`,
    );
  }
}
