/** The ledger's file in the state folder: written whole and durably, read with suspicion. */
import { open, rename, rm } from "node:fs/promises";
import { z } from "zod";
import { messageOf } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import type { Ledger } from "../failover/ledger.ts";
import { readOptional } from "./inside.ts";
import type { StateFolder } from "./state-folder.ts";

const NAME = "ledger.json";

const ledgerSchema = z.object({
  node: z.string(),
  writtenAtMs: z.number(),
  final: z.boolean(),
  connections: z.array(
    z.object({
      localAddress: z.string(),
      localPort: z.number().int(),
      remoteAddress: z.string(),
      remotePort: z.number().int(),
    }),
  ),
  v3Clients: z.array(z.object({ name: z.string(), addresses: z.array(z.string()), sinceMs: z.number() })),
  v4Clients: z.array(
    z.object({
      owner: z.string(),
      address: z.string(),
      minorVersion: z.number().int(),
      courtesy: z.boolean(),
      sinceMs: z.number(),
    }),
  ),
  v3Locks: z.array(z.object({ key: z.string(), steady: z.boolean() })),
  late: z.array(z.object({ name: z.string(), addresses: z.array(z.string()), deferred: z.boolean() })).optional(),
});

/** Undefined where the volume was never served; unknown where the file cannot be understood. */
export async function readLedger(folder: StateFolder): Promise<Observed<Ledger | undefined>> {
  try {
    const text = await readOptional(`${folder.path}/${NAME}`);
    return known(text === undefined ? undefined : ledgerSchema.parse(JSON.parse(text)));
  } catch (error) {
    return unknown(messageOf(error));
  }
}

/** Resolves when the entry is on stable storage: the file's content, then its name. */
export async function writeLedger(folder: StateFolder, ledger: Ledger): Promise<void> {
  await writeText(folder, ledger);
  await syncFolder(folder);
}

/** The same for the last entry of a release: the unmount that follows makes it durable, at no cost of its own. */
export async function writeLastEntry(folder: StateFolder, ledger: Ledger): Promise<void> {
  await writeText(folder, ledger, "unsynced");
}

/** An entry that nobody can understand must not be found again after a crash. */
export async function forgetLedger(folder: StateFolder): Promise<void> {
  await rm(`${folder.path}/${NAME}`, { force: true });
  await syncFolder(folder);
}

async function writeText(folder: StateFolder, ledger: Ledger, how: "synced" | "unsynced" = "synced"): Promise<void> {
  const temporary = `${folder.path}/${NAME}.new`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(JSON.stringify(ledger));
    if (how === "synced") await file.datasync();
  } finally {
    await file.close();
  }
  await rename(temporary, `${folder.path}/${NAME}`);
}

async function syncFolder(folder: StateFolder): Promise<void> {
  const opened = await open(folder.path, "r");
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}
