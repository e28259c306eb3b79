/** nfsd's own view of its NFSv4 clients: /proc/fs/nfsd/clients, and what may be done to one there. */
import { open, readdir, writeFile } from "node:fs/promises";
import { parseClientInfo, type ClientInfo } from "../nfs/client-info.ts";
import { isAbsent, readOptional } from "./inside.ts";
import { insidePath } from "./places.ts";

export interface V4ClientSeen {
  /** Its folder under /proc/fs/nfsd/clients, as the agent reaches it. */
  readonly folder: string;
  readonly info: ClientInfo;
}

/** What nfsd says of its NFSv4 clients (client_info_show, fs/nfsd/nfs4state.c); those that are only beginning are left out. */
export async function lookAtV4Clients(insidePid: number, problems: string[]): Promise<readonly V4ClientSeen[]> {
  const clients = v4ClientsFolder(insidePid);
  const numbers = await readdir(clients).catch(ignoreAbsent);
  const seen = await Promise.all(
    numbers.map(async (number) => {
      const folder = `${clients}/${number}`;
      const text = await readOptional(`${folder}/info`).catch(goneMeanwhile);
      const info = text === undefined ? undefined : parseClientInfo(text);
      if (info !== undefined && !info.known) problems.push(`nfsd's client ${number}: ${info.why}`);
      return info?.known === true ? { folder, info: info.value } : undefined;
    }),
  );
  return seen.filter((one) => one !== undefined).filter(({ info }) => info.status !== "unconfirmed");
}

/** nfsd refuses to show a client that it is just taking away (get_nfsdfs_clp, fs/nfsd/nfs4state.c: ENXIO). */
function goneMeanwhile(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === "ENXIO") return undefined;
  throw error;
}

/** False for a client that would reclaim nothing: nfsd lists every state of one, of whatever type (states_show, fs/nfsd/nfs4state.c). */
export async function hasState(client: V4ClientSeen): Promise<boolean> {
  const file = await open(`${client.folder}/states`, "r");
  try {
    // A client may have tens of thousands: whether there is one is all that is asked.
    const { bytesRead } = await file.read(Buffer.alloc(1), 0, 1, 0);
    return bytesRead > 0;
  } finally {
    await file.close();
  }
}

/** Makes nfsd forget clients that hold nothing, live ones too: there is nothing that they could reclaim. Names them. */
export async function forgetIdleClients(insidePid: number): Promise<readonly string[]> {
  const names: string[] = [];
  for (const client of await lookAtV4Clients(insidePid, [])) {
    if (await hasState(client)) continue;
    await forgetClient(client);
    names.push(client.info.owner);
  }
  return names;
}

/** Also takes its record out of nfsdcld's database (client_ctl_write and expire_client, fs/nfsd/nfs4state.c). */
export async function forgetClient(client: V4ClientSeen): Promise<void> {
  await writeFile(`${client.folder}/ctl`, "expire\n").catch((error: unknown) => {
    // It has ended by itself meanwhile.
    if (!isAbsent(error) && (error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
  });
}

export function v4ClientsFolder(insidePid: number): string {
  return insidePath(insidePid, "/proc/fs/nfsd/clients");
}

function ignoreAbsent(error: unknown): readonly string[] {
  if (isAbsent(error)) return [];
  throw error;
}
