/** The filter on a fileserver's parent that hears a hush first (linux/parent-mute-filter.ts), loaded in the node's own namespaces. */
import { writeFile } from "node:fs/promises";
import { messageOf } from "../base/fault.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { parentMuteFilterText, removeParentMuteFilter } from "../linux/parent-mute-filter.ts";
import { runChecked } from "../system/commands.ts";
import type { Node } from "./context.ts";
import { holderFolder } from "./places.ts";

const NFT_TIMEOUT_MS = 2_000;

/** What the text is made from. */
export type HushedNode = Pick<Node, "directors" | "engine" | "reservationKey" | "timeScale">;

/** Undefined where nobody hushes it: behind a director, and with engine standalone, where nobody is fenced. */
export function parentMuteText(
  { directors, engine, reservationKey, timeScale }: HushedNode,
  fileserver: FileserverSpec,
): string | undefined {
  if (engine !== "pacemaker" || directors?.side(fileserver.name) !== undefined) return undefined;
  return parentMuteFilterText(fileserver, reservationKey, timeScale);
}

/**
 * Resolves with why there is none now, where there should be one: the filter inside hears the same, only later.
 *
 * @param folder of a test.
 */
export async function installParentMute(
  node: HushedNode & Pick<Node, "commands">,
  fileserver: FileserverSpec,
  folder = holderFolder(fileserver.name),
): Promise<string | undefined> {
  const text = parentMuteText(node, fileserver);
  if (text === undefined) return undefined;
  const path = `${folder}/parent-mute.nft`;
  try {
    await writeFile(path, text, { mode: 0o600 });
    await runChecked(node.commands, { tool: "nft", args: ["--file", path], timeoutMs: NFT_TIMEOUT_MS });
    return undefined;
  } catch (error) {
    return `${fileserver.interface} hears no hush: ${messageOf(error)}`;
  }
}

/** Nothing happens where there is none. Rejects where that could not be done. */
export async function removeParentMute({ commands }: Pick<Node, "commands">, fileserver: string): Promise<void> {
  const args = [removeParentMuteFilter(fileserver)];
  await runChecked(commands, { tool: "nft", args, timeoutMs: NFT_TIMEOUT_MS });
}
