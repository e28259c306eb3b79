/**
 * Branded names. Only the validator makes them (by `as…Name` below, after its checks), so a value of these types is
 * known to be an RFC 1123 label of at most `NAME_LENGTH_MAX` characters: safe in paths, unit names and link aliases.
 */
declare const brand: unique symbol;

export type NodeName = string & { readonly [brand]: "node" };
export type FileserverName = string & { readonly [brand]: "fileserver" };
export type VolumeName = string & { readonly [brand]: "volume" };

/** Shorter than RFC 1123's 63: names become parts of unit names, socket paths (108 bytes) and namespace names. */
export const NAME_LENGTH_MAX = 32;

const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/** RFC 1123 label, lower case, at most `NAME_LENGTH_MAX` characters. */
export function isName(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && LABEL.test(text);
}

/** Undefined where the text is not a name. For names that come from the command line or the API. */
export function parseNodeName(text: string): NodeName | undefined {
  return isName(text) ? (text as NodeName) : undefined;
}

export function parseFileserverName(text: string): FileserverName | undefined {
  return isName(text) ? (text as FileserverName) : undefined;
}

export function parseVolumeName(text: string): VolumeName | undefined {
  return isName(text) ? (text as VolumeName) : undefined;
}
