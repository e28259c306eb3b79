/**
 * Reads a director's configuration in the style of HAProxy's ALOHA (LB Layer 4), as sites write it by hand:
 *
 *   director NAME [ADDRESS[:PORT] [TCP|UDP]]
 *     balance …, mode …, check …, option …, server NAME ADDRESS[:PORT] [weight N] [check] [sorry]
 *   flow NAME director NAME
 *     match iface NAME dst ADDRESS
 *
 * Words are separated by white space, `#` begins a comment, what belongs to a section may stand on its line or below it.
 */

export interface OldDirector {
  readonly line: number;
  readonly name: string;
  /** Written beside the name, where there is no flow. */
  readonly address?: string;
  readonly balance: readonly string[];
  readonly mode?: string;
  readonly check: OldCheck;
  /** Whole `option` lines, e.g. ["tcpcheck"]. */
  readonly options: readonly (readonly string[])[];
  readonly servers: readonly OldServer[];
}

export interface OldCheck {
  readonly intervalS?: number;
  readonly timeoutS?: number;
  readonly port?: number;
}

export interface OldServer {
  readonly line: number;
  readonly name: string;
  readonly address: string;
  readonly port?: number;
  readonly weight?: number;
  readonly checked: boolean;
  readonly sorry: boolean;
}

export interface OldFlow {
  readonly line: number;
  readonly name: string;
  readonly director: string;
  readonly interface?: string;
  /** As written, with a prefix length where it has one. */
  readonly addresses: readonly string[];
  /** Words of the match that are none of the two. */
  readonly rest: readonly string[];
}

export interface OldConfiguration {
  readonly directors: readonly OldDirector[];
  readonly flows: readonly OldFlow[];
  /** Lines that were not understood. */
  readonly unread: readonly { readonly line: number; readonly text: string }[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };
type Section = { readonly director: Mutable<OldDirector> } | { readonly flow: Mutable<OldFlow> } | undefined;

/** Never throws: what is not understood is in `unread`. */
export function readOldConfiguration(text: string): OldConfiguration {
  const directors: Mutable<OldDirector>[] = [];
  const flows: Mutable<OldFlow>[] = [];
  const unread: { line: number; text: string }[] = [];
  let section: Section;
  for (const [index, raw] of text.split("\n").entries()) {
    const words = raw
      .replace(/#.*/, "")
      .replace(/;\s*$/, "")
      .trim()
      .split(/\s+/)
      .filter((word) => word !== "" && !/^[{}]$/.test(word));
    const [first, ...rest] = words;
    const line = index + 1;
    if (first === undefined) continue;
    if (first === "director" && rest.length > 0) {
      const director = newDirector(line, rest);
      directors.push(director);
      section = { director };
    } else if (first === "flow" && rest.length > 0) {
      const flow: Mutable<OldFlow> = { line, name: rest[0] ?? "", director: "", addresses: [], rest: [] };
      flows.push(flow);
      section = { flow };
      if (!readFlow(flow, rest.slice(1))) unread.push({ line, text: raw.trim() });
    } else if (section === undefined || !readLine(section, line, first, rest)) {
      unread.push({ line, text: raw.trim() });
    }
  }
  return { directors, flows, unread };
}

function newDirector(line: number, [name = "", address]: readonly string[]): Mutable<OldDirector> {
  const plain = address === undefined ? undefined : endpoint(address).address;
  return {
    line,
    name,
    ...(plain === undefined ? {} : { address: plain }),
    balance: [],
    check: {},
    options: [],
    servers: [],
  };
}

function readLine(section: NonNullable<Section>, line: number, first: string, rest: readonly string[]): boolean {
  if ("flow" in section) return readFlow(section.flow, [first, ...rest]);
  const { director } = section;
  switch (first) {
    case "balance":
      director.balance = [...rest];
      return true;
    case "mode":
      if (rest[0] !== undefined) director.mode = rest[0];
      return rest.length === 1;
    case "check":
      director.check = { ...director.check, ...checkOf(rest) };
      return true;
    case "option":
      director.options.push([...rest]);
      director.check = { ...checkOf(rest), ...director.check };
      return rest.length > 0;
    case "server":
      return readServer(director, line, rest);
    default:
      return false;
  }
}

/** "interval 10 timeout 3s port 2049", in any order. */
function checkOf(words: readonly string[]): OldCheck {
  const number = (word: string): number | undefined => {
    const at = words.indexOf(word);
    const match = /^(\d+)s?$/.exec(at < 0 ? "" : (words[at + 1] ?? ""));
    return match === null ? undefined : Number(match[1]);
  };
  const [intervalS, timeoutS, port] = [number("interval"), number("timeout"), number("port")];
  return {
    ...(intervalS === undefined ? {} : { intervalS }),
    ...(timeoutS === undefined ? {} : { timeoutS }),
    ...(port === undefined ? {} : { port }),
  };
}

function readServer(director: Mutable<OldDirector>, line: number, [name, where, ...rest]: readonly string[]): boolean {
  if (name === undefined || where === undefined) return false;
  const at = rest.indexOf("weight");
  const weight = at < 0 ? undefined : Number(rest[at + 1]);
  director.servers.push({
    line,
    name,
    ...endpoint(where),
    ...(weight === undefined || !Number.isInteger(weight) ? {} : { weight }),
    checked: rest.includes("check"),
    sorry: rest.includes("sorry"),
  });
  return rest.every((word, index) => ["weight", "check", "sorry"].includes(word) || rest[index - 1] === "weight");
}

function endpoint(text: string): { readonly address: string; readonly port?: number } {
  const match = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? /^([^:]+):(\d+)$/.exec(text);
  if (match === null) return { address: text };
  return { address: match[1] ?? "", ...(match[2] === undefined ? {} : { port: Number(match[2]) }) };
}

function readFlow(flow: Mutable<OldFlow>, words: readonly string[]): boolean {
  for (let at = 0; at < words.length; at += 1) {
    const [word = "", next] = [words[at], words[at + 1]];
    if (word === "match") continue;
    if (next === undefined) return false;
    at += 1;
    if (word === "director") flow.director = next;
    else if (word === "iface") flow.interface = next;
    else if (word === "dst") flow.addresses.push(next);
    else flow.rest.push(word, next);
  }
  return true;
}
