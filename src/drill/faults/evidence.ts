/** What is kept of a drill that failed: what every machine's logs and the cluster say, while it is still so. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../base/fault.ts";
import type { Machines } from "../ports.ts";

export interface EvidenceSettings {
  readonly machines: Machines;
  /** Of this machine. */
  readonly folder: string;
  readonly nodes: readonly string[];
  readonly clients: readonly string[];
}

const COLLECT_TIMEOUT_MS = 60_000;

const NODE_SCRIPT = `exec 2>&1
echo "== time"; date --iso-8601=ns; uptime
echo "== cluster"; command -v crm_mon >/dev/null && crm_mon -1 -r -f -m 2
echo "== mounts"; grep -h -E ' (xfs|ext4) ' /proc/[0-9]*/mountinfo | sort | uniq -c
echo "== addresses"; ip -br address
echo "== kernel"; dmesg | tail -n 300
echo "== journal"; journalctl -b --no-pager -o short-precise -n 3000
`;

const CLIENT_SCRIPT = `exec 2>&1
date --iso-8601=ns; uptime; grep nfs /proc/mounts
echo "== kernel"; dmesg | tail -n 300
`;

/** Resolves with the folder. What cannot be had (a machine that is off) says so in its file. */
export async function collectEvidence(settings: EvidenceSettings): Promise<string> {
  const { machines, folder, nodes, clients } = settings;
  await mkdir(folder, { recursive: true });
  const asked = [
    ...nodes.map((machine) => ({ machine, script: NODE_SCRIPT })),
    ...clients.map((machine) => ({ machine, script: CLIENT_SCRIPT })),
  ];
  await Promise.all(
    asked.map(async ({ machine, script }) => {
      const options = { input: script, timeoutMs: COLLECT_TIMEOUT_MS };
      const text = await machines.exec(machine, ["sh", "-s"], options).then(({ stdout }) => stdout, messageOf);
      await writeFile(join(folder, `${machine}.txt`), `${text}\n`);
    }),
  );
  return folder;
}

export async function keepDocument(folder: string, name: string, value: unknown): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
}
