/** The texts of packaging/ that go onto nodes: read from there in a source tree, built into what is shipped. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Path below packaging/ of each. */
export const PACKAGED = {
  "resource-agent": "ocf/fileserver",
  "fence-agent": "fence/fence_holdfast",
  "agent-unit": "holdfast-agent.service",
  "pacemaker-order": "pacemaker-holdfast.conf",
  "director-unit": "holdfast-director.service",
} as const;

export type PackagedName = keyof typeof PACKAGED;
export type PackagedTexts = Readonly<Record<PackagedName, string>>;

/** scripts/build.ts puts the texts here (esbuild's "define"); from source nobody does. */
declare const HOLDFAST_PACKAGING: PackagedTexts | undefined;

export async function packagedTexts(): Promise<PackagedTexts> {
  if (typeof HOLDFAST_PACKAGING !== "undefined") return HOLDFAST_PACKAGING;
  const read = async (name: PackagedName): Promise<readonly [PackagedName, string]> => [
    name,
    await readFile(join(import.meta.dirname, "../../packaging", PACKAGED[name]), "utf8"),
  ];
  const names = Object.keys(PACKAGED) as PackagedName[];
  return Object.fromEntries(await Promise.all(names.map(read))) as PackagedTexts;
}
