/**
 * What the kernel says of one NFSv4 client: /proc/fs/nfsd/clients/N/info and …/states
 * (client_info_show, states_show and what they call, fs/nfsd/nfs4state.c; recorded on 6.1 and 6.12).
 */
import { known, unknown, type Observed } from "../base/observed.ts";

export interface ClientInfo {
  /** "0x1b2c…", without leading zeros, as the kernel writes it. */
  readonly clientId: string;
  readonly address: string;
  readonly port: number;
  /** courtesy: the lease has run out, its state is kept until somebody wants it. expirable: it is being dropped. */
  readonly status: "confirmed" | "unconfirmed" | "courtesy" | "expirable";
  /** Since its lease was last renewed. */
  readonly renewedBeforeS: number;
  /** The owner string that it chose itself: bytes outside of ASCII as Latin-1, one character each. Not to be trusted. */
  readonly owner: string;
  readonly minorVersion: number;
  /** What the client says it is, e.g. "Linux 6.12.107+deb13-amd64 …"; absent where it said nothing (v4.0). */
  readonly implementation?: string;
  /** UP, UNKNOWN, DOWN or FAULT: whether delegations can be recalled; absent where the kernel does not say. */
  readonly callbackState?: string;
  readonly callbackAddress?: string;
}

export interface ClientStates {
  readonly opens: number;
  /**
   * Locking states: one for each owner and file, however many ranges it holds there, and also when it holds none any
   * more (comment in nfs4_show_lock). Locks themselves are in /proc/locks, without their client. Neither shows what a
   * client locks under a write delegation, which 6.12 gives to whoever opens a file alone for writing: the client keeps
   * such locks to itself until the delegation is recalled.
   */
  readonly locks: number;
  readonly delegations: number;
}

/** What lacks a field that every kernel since 5.18 writes is unknown, with that field's name. */
export function parseClientInfo(text: string): Observed<ClientInfo> {
  const fields = new Map(
    text.split("\n").flatMap((line) => {
      const match = /^([^:]+): ?(.*)$/.exec(line);
      return match === null ? [] : [[match[1] ?? "", match[2] ?? ""] as const];
    }),
  );
  const clientId = fields.get("clientid");
  if (clientId === undefined) return unknown("no client id");
  const endpoint = parseEndpoint(fields.get("address"));
  if (endpoint === undefined) return unknown(`no address: ${fields.get("address") ?? "absent"}`);
  const status = STATUSES.find((one) => one === fields.get("status"));
  if (status === undefined) return unknown(`status not known: ${fields.get("status") ?? "absent"}`);
  const renewedBeforeS = wholeNumber(fields.get("seconds from last renew"));
  if (renewedBeforeS === undefined) return unknown("no time of the last renewal");
  const owner = unquote(fields.get("name"));
  if (owner === undefined) return unknown("no owner string");
  const minorVersion = wholeNumber(fields.get("minor version"));
  if (minorVersion === undefined) return unknown("no minor version");
  const implementation = unquote(fields.get("Implementation name"));
  const callbackState = fields.get("callback state");
  // In quotes on 6.12, bare on 6.1.
  const callbackAddress = unquote(fields.get("callback address")) ?? fields.get("callback address");
  return known({
    clientId,
    ...endpoint,
    status,
    renewedBeforeS,
    owner,
    minorVersion,
    ...(implementation === undefined ? {} : { implementation }),
    ...(callbackState === undefined ? {} : { callbackState }),
    ...(callbackAddress === undefined ? {} : { callbackAddress }),
  });
}

const STATUSES = ["confirmed", "unconfirmed", "courtesy", "expirable"] as const;

/** "10.77.0.21:812" or "[fd77::21]:812", in quotes (%pISpc). An IPv4 client of an IPv6 socket comes out as IPv4. */
function parseEndpoint(field: string | undefined): { readonly address: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-f:.]+)(?:%\w+)?\]|([0-9.]+)):(\d+)$/i.exec(unquote(field) ?? "");
  if (match === null) return undefined;
  const address = (match[1] ?? match[2] ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
  return { address, port: Number(match[3]) };
}

/** Text in double quotes, with quotes, backslashes and what is not printable ASCII as \xNN (seq_quote_mem). */
function unquote(field: string | undefined): string | undefined {
  const match = /^"(.*)"$/.exec(field ?? "");
  return match?.[1]?.replace(/\\x([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}

function wholeNumber(field: string | undefined): number | undefined {
  return /^-?\d+$/.test(field ?? "") ? Number(field) : undefined;
}

/**
 * Counts the lines "- 0x…: { type: open, … }". States that the server took away ("admin-revoked") are not counted.
 * File names come raw in these lines, so a client that puts a newline into one can make its own figures higher, no other's.
 */
export function parseClientStates(text: string): ClientStates {
  const types = text.split("\n").flatMap((line) => {
    const match = /^- 0x[0-9a-f]+: \{ type: (open|lock|deleg|layout)\b/.exec(line);
    return match === null || line.endsWith(", admin-revoked }") ? [] : [match[1]];
  });
  const count = (type: string): number => types.filter((one) => one === type).length;
  return { opens: count("open"), locks: count("lock"), delegations: count("deleg") };
}

/**
 * The client's own host name out of the owner string of a Linux client: "Linux NFSv4.2 c1", "Linux NFSv4.2 UNIQUIFIER/c1"
 * (nfs4_init_uniform_client_string, fs/nfs/nfs4proc.c), "Linux NFSv4.0 c1/10.77.0.21" (…nonuniform…).
 * Other clients choose other forms: "" for those, and where it is no printable ASCII.
 */
export function hostOfOwner(owner: string): string {
  const match = /^Linux NFSv4\.(\d+) ([!-~]+)$/.exec(owner);
  const parts = match?.[2]?.split("/") ?? [];
  return (match?.[1] === "0" ? parts[0] : parts.at(-1)) ?? "";
}
