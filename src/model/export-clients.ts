/** Clients and options of an export, as exports(5) of nfs-utils 2.6 to 2.8 takes them, less what cannot be safe here. */
import { formatCidr, networkOf, parseAddress, parseCidr } from "./address.ts";
import { isHostName, problemOf, quoted, type LeafProblem } from "./leaf.ts";
import { nearest } from "./nearest.ts";
import type { ProblemCode } from "./problem-codes.ts";

export type ClientMatch =
  | { readonly kind: "address" | "network"; readonly cidr: NonNullable<ReturnType<typeof parseCidr>> }
  | { readonly kind: "host" | "domain" | "netgroup"; readonly name: string }
  | { readonly kind: "anyone" };

const NETGROUP = /^@[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Undefined for what `checkClientMatch` refuses. */
export function parseClientMatch(text: string): ClientMatch | undefined {
  if (text === "*") return { kind: "anyone" };
  if (text.startsWith("@")) return NETGROUP.test(text) ? { kind: "netgroup", name: text.slice(1) } : undefined;
  if (text.startsWith("*.")) return isHostName(text.slice(2)) ? { kind: "domain", name: text.slice(2) } : undefined;
  const address = parseAddress(text);
  if (address !== undefined) {
    return { kind: "address", cidr: { address, prefixLength: address.family === 4 ? 32 : 128 } };
  }
  const cidr = parseCidr(text);
  if (cidr !== undefined) return { kind: "network", cidr };
  return isHostName(text) ? { kind: "host", name: text } : undefined;
}

export function checkClientMatch(text: string): LeafProblem | undefined {
  const bad = problemOf("bad-client");
  const match = parseClientMatch(text);
  if (match === undefined) {
    const netmask = /^([0-9.]+)\/([0-9]+\.[0-9.]+)$/.exec(text);
    if (netmask !== null) {
      return bad(
        `${quoted(text)} uses a netmask`,
        "one network must have one spelling",
        "write the prefix length, e.g. 10.77.0.0/24",
      );
    }
    return bad(
      `${quoted(text)} is not a client`,
      "it decides who may mount, and goes into /etc/exports as it stands",
      "write an address, a network (10.77.0.0/24, fd77::/64), a host name, *.example.com, @netgroup, or * for everybody",
    );
  }
  if (match.kind !== "network") return undefined;
  const network = formatCidr(networkOf(match.cidr.address, match.cidr.prefixLength));
  const given = formatCidr(match.cidr);
  if (match.cidr.prefixLength === 0) {
    return bad(`${text} is every address there is`, "what is meant for everybody should say so", 'write match: "*"');
  }
  if (network === given) return undefined;
  const alone = given.split("/", 1)[0] ?? given;
  return bad(
    `${text} has bits set beyond its prefix`,
    "it is not clear whether one machine or the network is meant",
    `write ${network} for the network or ${alone} for the machine`,
  );
}

type OptionRule =
  | { readonly allowed: true; readonly group?: string }
  | { readonly allowed: false; readonly code: ProblemCode; readonly why: string; readonly remedy: string };

const yes = (group?: string): OptionRule => (group === undefined ? { allowed: true } : { allowed: true, group });
const no = (code: ProblemCode, why: string, remedy: string): OptionRule => ({ allowed: false, code, why, remedy });

const LEAVE_OUT = "leave it out";
const OWN_FSID = "Holdfast gives every export a stable fsid of its own";
const NO_CROSSING = "each volume of a fileserver is exported by its own path, with its own fsid";
const GSS =
  "it needs a daemon in the fileserver's namespace that this release does not start, so that no client could mount";

/** exports(5), "General Options" and "User ID Mapping". Options of one group exclude each other. */
const OPTIONS: Readonly<Record<string, OptionRule>> = {
  ro: yes("access"),
  rw: yes("access"),
  sync: yes("sync"),
  async: no(
    "option-unsafe",
    "the server would acknowledge writes before they are on disk, and a failover would lose them",
    "write sync or leave it out",
  ),
  root_squash: yes("root"),
  no_root_squash: yes("root"),
  all_squash: yes("all"),
  no_all_squash: yes("all"),
  secure: yes("port"),
  insecure: yes("port"),
  wdelay: yes("delay"),
  no_wdelay: yes("delay"),
  no_subtree_check: yes(),
  subtree_check: no(
    "option-unsafe",
    "a file renamed into another folder would become stale for clients that hold it open",
    LEAVE_OUT,
  ),
  security_label: yes(),
  no_acl: yes(),
  auth_nlm: yes("nlm"),
  secure_locks: yes("nlm"),
  no_auth_nlm: yes("nlm"),
  insecure_locks: yes("nlm"),
  hide: no("option-taken", NO_CROSSING, LEAVE_OUT),
  nohide: no("option-taken", NO_CROSSING, "export the other path by itself"),
  crossmnt: no("option-taken", NO_CROSSING, "export the other path by itself"),
  mountpoint: no("option-taken", "Holdfast exports nothing before the volume is mounted", LEAVE_OUT),
  mp: no("option-taken", "Holdfast exports nothing before the volume is mounted", LEAVE_OUT),
  fsid: no("option-taken", OWN_FSID, "set `fsid:` of the export if clients already know one"),
  refer: no("option-taken", "clients would leave the fileserver for another server", LEAVE_OUT),
  replicas: no("option-taken", "clients would leave the fileserver for another server", LEAVE_OUT),
  pnfs: no("option-unsafe", "layouts let clients write to the disk past the fence", LEAVE_OUT),
  no_pnfs: yes(),
  xprtsec: no("option-not-yet", GSS, LEAVE_OUT),
};

const ID_OPTION = /^(anonuid|anongid)=(0|[1-9][0-9]{0,9})$/;
const ID_MAX = 2 ** 32 - 2;

/** One option by itself; contradictions between options are `optionConflicts`. */
export function checkExportOption(text: string): LeafProblem | undefined {
  const name = text.split("=", 1)[0] ?? "";
  const rule = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
  if (rule?.allowed === false)
    return { code: rule.code, what: `the option ${name} is refused`, why: rule.why, remedy: rule.remedy };
  if (rule?.allowed === true && name === text) return undefined;
  const id = ID_OPTION.exec(text);
  if (id !== null && Number(id[2]) <= ID_MAX) return undefined;
  if (name === "sec") return checkSec(text);
  const known = [
    ...Object.keys(OPTIONS).filter((option) => OPTIONS[option]?.allowed === true),
    "anonuid=",
    "anongid=",
    "sec=",
  ];
  const meant = nearest(text, known);
  return {
    code: "bad-option",
    what: `${quoted(text)} is not an export option`,
    why: "exportfs would refuse the whole line, or read it as something else",
    remedy:
      meant === undefined
        ? "see exports(5); write one option per list item, e.g. [rw, no_root_squash]"
        : `did you mean ${meant}?`,
  };
}

function checkSec(text: string): LeafProblem | undefined {
  if (text === "sec=sys") return undefined;
  const flavours = text.slice("sec=".length).split(":");
  if (flavours.every((flavour) => ["sys", "krb5", "krb5i", "krb5p"].includes(flavour))) {
    return {
      code: "option-not-yet",
      what: `the option ${text} is refused`,
      why: GSS,
      remedy: "write sec=sys or leave it out",
    };
  }
  return {
    code: "bad-option",
    what: `${quoted(text)} is not a security flavour`,
    why: "clients and server must agree on one",
    remedy: "write sec=sys",
  };
}

/** Pairs of options that exclude each other or repeat: indices into the list, the later one first. */
export function optionConflicts(
  options: readonly string[],
): readonly { readonly index: number; readonly with: number; readonly repeated: boolean }[] {
  const conflicts: { index: number; with: number; repeated: boolean }[] = [];
  const firstOf = new Map<string, number>();
  for (const [index, option] of options.entries()) {
    const name = option.split("=", 1)[0] ?? option;
    const rule = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
    const group = rule?.allowed === true && rule.group !== undefined ? rule.group : name;
    const first = firstOf.get(group);
    if (first === undefined) firstOf.set(group, index);
    else conflicts.push({ index, with: first, repeated: options[first] === option });
  }
  // all_squash includes root (exports(5), "User ID Mapping"), so the two say opposite things about it.
  const [all, root] = [options.indexOf("all_squash"), options.indexOf("no_root_squash")];
  if (all >= 0 && root >= 0) conflicts.push({ index: Math.max(all, root), with: Math.min(all, root), repeated: false });
  return conflicts;
}

/**
 * The complete list for one client, in a fixed order: ro unless rw is asked for, sync, root_squash, no_subtree_check,
 * sec=sys. Stated even where exportfs has the same default, so that a changed default changes nothing here.
 */
export function completeOptions(options: readonly string[]): readonly string[] {
  const has = (option: string): boolean => options.includes(option);
  const lead = [has("rw") ? "rw" : "ro", "sync", has("no_root_squash") ? "no_root_squash" : "root_squash"];
  const tail = ["no_subtree_check", "sec=sys"];
  const rest = options.filter((option) => ![...lead, ...tail, "ro"].includes(option)).toSorted();
  return [...lead, ...rest, ...tail];
}
