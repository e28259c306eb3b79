/** What of a spec could be read, with the places: the ground on which the rules work. Broken parts are left out. */
import type { SpecPath } from "./problem.ts";
import type { ClusterSpec, FileserverSpec } from "./spec.ts";
import type { DirectorInput } from "./director-schema.ts";
import type { DirectorSpec } from "./director-spec.ts";

export interface Draft {
  /** Undefined while the `cluster` part has problems of its own. */
  readonly cluster: ClusterSpec | undefined;
  readonly fileservers: readonly DraftFileserver[];
  readonly directors: readonly DraftDirector[];
  /** True where a fileserver has problems of its own and is left out. */
  readonly incomplete?: boolean;
}

export interface DraftFileserver {
  readonly path: SpecPath;
  readonly spec: FileserverSpec;
  /** Keys that the operator wrote, where it matters whether a value is given or derived. */
  readonly given: { readonly mac: boolean };
}

export interface DraftDirector {
  readonly path: SpecPath;
  readonly input: DirectorInput;
  /** Undefined while the `cluster` part has problems of its own. */
  readonly spec: DirectorSpec | undefined;
}

export interface Entry {
  readonly key: string;
  readonly path: SpecPath;
  /** How the owner is called in messages, e.g. "fileserver home". */
  readonly owner: string;
}

/** Every entry whose key an earlier entry has, with that earlier entry. */
export function repeated(entries: readonly Entry[]): readonly { readonly entry: Entry; readonly first: Entry }[] {
  const firstOf = new Map<string, Entry>();
  const found: { entry: Entry; first: Entry }[] = [];
  for (const entry of entries) {
    const first = firstOf.get(entry.key);
    if (first === undefined) firstOf.set(entry.key, entry);
    else found.push({ entry, first });
  }
  return found;
}

export function addressPath(fileserver: DraftFileserver, index: number): SpecPath {
  return [...fileserver.path, "address", index];
}

/** True for the path itself and everything below it; both are absolute and normalised. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === "/" || path.startsWith(`${folder}/`);
}

export function ownerOf(fileserver: DraftFileserver): string {
  return `fileserver ${fileserver.spec.name}`;
}
