/**
 * Checks of single texts. Everything that may end in /etc/exports, nfs.conf, a unit name or an argument list passes one
 * of these, and each allows a set of characters rather than forbidding some: none of them lets white space, quotes,
 * brackets, backslashes, `#`, `$`, newlines or a leading hyphen through.
 */
import { networkEdge, networkOf, formatCidr, parseAddress, parseCidr, specialAddress } from "./address.ts";
import { isName, NAME_LENGTH_MAX } from "./names.ts";
import type { ProblemCode } from "./problem-codes.ts";

export interface LeafProblem {
  readonly code: ProblemCode;
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
}

export type LeafCheck = (text: string) => LeafProblem | undefined;

/** A maker of problems of one code. */
export function problemOf(code: ProblemCode): (what: string, why: string, remedy: string) => LeafProblem {
  return (what, why, remedy) => ({ code, what, why, remedy });
}

const QUOTED_LENGTH_MAX = 60;

/** The value as it is repeated in messages: quoted, cut to a bearable length. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}…` : text);
}

export function checkName(text: string): LeafProblem | undefined {
  if (isName(text)) return undefined;
  const tooLong = text.length > NAME_LENGTH_MAX;
  return {
    code: "bad-name",
    what: tooLong
      ? `${quoted(text)} has ${text.length} characters, more than ${NAME_LENGTH_MAX}`
      : `${quoted(text)} is not a name`,
    why: "names become parts of paths, units and links (RFC 1123 labels)",
    remedy: "write lower-case letters, digits and hyphens, with no hyphen at either end, e.g. home",
  };
}

/** UTS node names hold 64 characters (uname(2), __NEW_UTS_LEN), and the fileserver's is this name. */
const HOSTNAME_LENGTH_MAX = 64;
const HOSTNAME_WHY = "clients know the server by this name: it is the NSM name, and the NFSv4 server owner and scope";
const LABELS = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

function badHostname(what: string, remedy: string): LeafProblem {
  return { code: "bad-hostname", what, why: HOSTNAME_WHY, remedy };
}

export function checkHostname(text: string): LeafProblem | undefined {
  if (text.length > HOSTNAME_LENGTH_MAX) {
    return badHostname(
      `${quoted(text)} has ${text.length} characters, more than ${HOSTNAME_LENGTH_MAX}`,
      "choose a shorter one",
    );
  }
  if (text !== text.toLowerCase() && LABELS.test(text.toLowerCase())) {
    return badHostname(
      `${quoted(text)} has capitals`,
      `write ${text.toLowerCase()}: statd compares names letter by letter`,
    );
  }
  if (!LABELS.test(text) || parseAddress(text) !== undefined) {
    return badHostname(`${quoted(text)} is not a host name`, "write a fully qualified name, e.g. home.example.com");
  }
  if (!text.includes(".")) {
    return badHostname(
      `${quoted(text)} has no domain`,
      `write it in full, e.g. ${text}.example.com, as clients' name service knows it`,
    );
  }
  return undefined;
}

export function isHostName(text: string): boolean {
  return text.length <= 253 && LABELS.test(text.toLowerCase()) && !/^[0-9.]+$/.test(text);
}

/** A host by address or name, e.g. the witness. */
export function checkHost(text: string): LeafProblem | undefined {
  if (parseAddress(text) !== undefined || isHostName(text)) return undefined;
  return {
    code: "bad-host",
    what: `${quoted(text)} is neither an address nor a host name`,
    why: "the nodes connect to it",
    remedy: "write e.g. 10.77.0.9 or witness.example.com",
  };
}

/** A machine's own address without prefix length. */
export function checkAddress(text: string): LeafProblem | undefined {
  const address = parseAddress(text);
  if (address === undefined) {
    const withPrefix = parseCidr(text) !== undefined;
    return {
      code: "bad-address",
      what: `${quoted(text)} is not an IP address`,
      why: "one machine's address is wanted here",
      remedy: withPrefix
        ? `leave the prefix length out: ${text.split("/", 1)[0]}`
        : "write e.g. 10.77.0.11 or fd77::11",
    };
  }
  const special = specialAddress(address);
  if (special === undefined) return undefined;
  return {
    code: "bad-address",
    what: `${text} is ${special}`,
    why: "no other machine can reach a machine by it",
    remedy: "write an address of the machine's own",
  };
}

export function checkCidr(text: string): LeafProblem | undefined {
  const bad = problemOf("bad-cidr");
  const cidr = parseCidr(text);
  if (cidr === undefined) {
    const alone = parseAddress(text) !== undefined;
    if (alone) {
      const example = text.includes(":") ? `${text}/64` : `${text}/24`;
      return bad(`${text} has no prefix length`, "the fileserver must know its network", `add it, e.g. ${example}`);
    }
    return bad(
      `${quoted(text)} is not an address with its prefix length`,
      "the fileserver carries this address with it from node to node",
      "write e.g. 10.77.0.50/24 or fd77::50/64",
    );
  }
  const special = specialAddress(cidr.address);
  if (special !== undefined) {
    return bad(
      `${text} is ${special}`,
      "no client can reach a server by it",
      "write an address of the clients' network",
    );
  }
  if (cidr.prefixLength === 0) {
    return bad(
      `${text} makes the whole Internet one link`,
      "the fileserver could reach nobody beyond a router",
      "write the network's own prefix length, e.g. /24",
    );
  }
  const edge = networkEdge(cidr.address, cidr.prefixLength);
  if (edge !== undefined) {
    const network = formatCidr(networkOf(cidr.address, cidr.prefixLength));
    return bad(`${text} is ${edge}`, "no machine can have it", `write a free address inside ${network}`);
  }
  return undefined;
}

/** IFNAMSIZ is 16 with the final NUL (linux/if.h); dev_valid_name forbids / : and white space. */
const INTERFACE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;

export function checkInterface(text: string): LeafProblem | undefined {
  if (INTERFACE.test(text) && text !== "lo" && text !== "all" && text !== "default") return undefined;
  const loopback = text === "lo";
  return {
    code: "bad-interface",
    what: loopback ? "lo is the loopback interface" : `${quoted(text)} is not the name of a network interface`,
    why: loopback
      ? "clients are not on it"
      : "the kernel's names have at most 15 characters, and Holdfast passes letters, digits, dot, hyphen and underscore on",
    remedy: "write the name of the nodes' interface to the clients as `ip link` shows it (before any @), e.g. eth1",
  };
}

const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;

export function checkMac(text: string): LeafProblem | undefined {
  const bad = problemOf("bad-mac");
  const lower = text.toLowerCase();
  if (!MAC.test(lower)) {
    return bad(
      `${quoted(text)} is not a MAC address`,
      "the fileserver keeps one on every node",
      "write six pairs of hexadecimal digits, e.g. 02:48:46:00:00:01, or leave mac out",
    );
  }
  const first = Number.parseInt(lower.slice(0, 2), 16);
  if ((first & 1) === 1) {
    return bad(
      `${text} is a multicast address`,
      "no station can send from it",
      "make the first pair 02, or leave mac out",
    );
  }
  if ((first & 2) === 0) {
    return bad(
      `${text} belongs to a maker of network cards`,
      "some card may have it, and two stations with one address cut each other off",
      "make the first pair 02 (locally administered), or leave mac out",
    );
  }
  return undefined;
}

/** lvm(8), "Valid names": these characters, no leading hyphen, 127 characters at most, not . or .. */
const LVM_NAME = /^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}$/;
/** lvm(8): names that LVM keeps for its own hidden volumes. */
const LVM_RESERVED =
  /^(?:snapshot|pvmove)|_(?:cdata|cmeta|corig|iorig|mimage|mlog|pmspare|rimage|rmeta|tdata|tmeta|vdata|vorigin)/;
const DISK_PATH = /^\/dev\/disk\/by-id\/[A-Za-z0-9][A-Za-z0-9._:+=@-]{0,200}$/;

export function parseLvName(text: string): { readonly vg: string; readonly lv: string } | undefined {
  const [vg = "", lv = "", ...rest] = text.split("/");
  const good = rest.length === 0 && [vg, lv].every((name) => LVM_NAME.test(name) && name !== "." && name !== "..");
  return good && !LVM_RESERVED.test(lv) ? { vg, lv } : undefined;
}

export function isDiskPath(text: string): boolean {
  return DISK_PATH.test(text);
}

export function checkDevice(text: string): LeafProblem | undefined {
  if (parseLvName(text) !== undefined || isDiskPath(text)) return undefined;
  const bad = (why: string, remedy: string): LeafProblem => ({
    code: "bad-device",
    what: `${quoted(text)} is not a device that Holdfast takes`,
    why,
    remedy,
  });
  const lv = parseLvName(text.replace(/^\/dev\//, ""));
  if (text.startsWith("/dev/") && lv !== undefined && lv.vg !== "disk" && lv.vg !== "mapper") {
    return bad("the volume group is activated by its name", `write ${lv.vg}/${lv.lv}`);
  }
  if (text.startsWith("/dev/mapper/")) {
    return bad("the volume group is activated by its name", "write VG/LV as `lvs` shows them, e.g. home/data");
  }
  if (text.startsWith("/dev/")) {
    return bad(
      "such names change from boot to boot and from node to node",
      "write the path below /dev/disk/by-id/ that leads to it (`ls -l /dev/disk/by-id`), or VG/LV",
    );
  }
  return bad(
    "it must be found under one name on every node",
    "write VG/LV, e.g. home/data, or a path below /dev/disk/by-id/",
  );
}

/** A disk that a volume group may be made of. */
export function checkDiskPath(text: string): LeafProblem | undefined {
  if (isDiskPath(text)) return undefined;
  return {
    code: "bad-device",
    what: `${quoted(text)} is not a stable name of a disk`,
    why: "such names change from boot to boot and from node to node, and a volume group would be made on another disk",
    remedy: "write the path below /dev/disk/by-id/ that leads to it (`ls -l /dev/disk/by-id`)",
  };
}

/** MNTPATHLEN in RFC 1813 section 5.1.2 is 1024 with the end mark. */
const PATH_LENGTH_MAX = 1023;
const COMPONENT_LENGTH_MAX = 255;
const PATH_CHARACTERS = /^\/[A-Za-z0-9/._+@=-]*$/;

/** Mount paths and export paths. */
export function checkPath(text: string): LeafProblem | undefined {
  const bad = problemOf("bad-path");
  if (!text.startsWith("/")) {
    return bad(
      `${quoted(text)} is not an absolute path`,
      "clients name it when they mount",
      "begin it with /, e.g. /export/data",
    );
  }
  if (text.length > PATH_LENGTH_MAX || text.split("/").some((part) => part.length > COMPONENT_LENGTH_MAX)) {
    return bad(
      `${quoted(text)} is too long`,
      `a mount path has at most ${PATH_LENGTH_MAX} characters and ${COMPONENT_LENGTH_MAX} per folder`,
      "choose a shorter one",
    );
  }
  if (!PATH_CHARACTERS.test(text)) {
    return bad(
      `${quoted(text)} holds a character that is not allowed in an exported path`,
      "the path goes into /etc/exports, where blanks, quotes, brackets and # have a meaning of their own",
      "use letters, digits and . _ + @ = - in folder names",
    );
  }
  const parts = text.slice(1).split("/");
  if (text !== "/" && parts.some((part) => part === "" || part === "." || part === "..")) {
    const clean = normalisedPath(parts);
    return bad(`${quoted(text)} is not in its plain form`, "one folder must have one name", `write ${clean}`);
  }
  return undefined;
}

function normalisedPath(parts: readonly string[]): string {
  const kept: string[] = [];
  for (const part of parts) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `/${kept.join("/")}`;
}

// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** A file of the operator's own, passed on as one argument: any printable name. */
export function checkFile(text: string): LeafProblem | undefined {
  if (text !== "" && text.length <= 4095 && !text.startsWith("-") && !CONTROL.test(text)) return undefined;
  return {
    code: "bad-file",
    what: `${quoted(text)} is not the path of a file`,
    why: "it is passed on as an argument",
    remedy: "write a path without control characters that does not begin with a hyphen",
  };
}

/** The kernel's names for watchdogs (drivers/watchdog/watchdog_dev.c). */
const WATCHDOG = /^\/dev\/watchdog[0-9]{0,2}$/;

export function checkWatchdog(text: string): LeafProblem | undefined {
  if (WATCHDOG.test(text)) return undefined;
  return {
    code: "bad-file",
    what: `${quoted(text)} is not a watchdog device`,
    why: "the agent opens it and must go on writing to it, or the node restarts",
    remedy: "write /dev/watchdog or /dev/watchdog0",
  };
}

export function checkText(text: string): LeafProblem | undefined {
  if (text.length <= 1024 && !CONTROL.test(text)) return undefined;
  return {
    code: "bad-text",
    what: `${quoted(text)} is longer than 1024 characters or holds control characters`,
    why: "it is passed on as an argument",
    remedy: "write plain text on one line",
  };
}

const AGENT = /^[a-z][a-z0-9_-]{0,63}$/;

export function checkAgent(text: string): LeafProblem | undefined {
  if (AGENT.test(text)) return undefined;
  return {
    code: "bad-agent",
    what: `${quoted(text)} is not the name of a fence agent`,
    why: "it names a program, /usr/sbin/fence_NAME",
    remedy: "write e.g. scsi, ipmilan, virsh or sbd, without fence_",
  };
}

const DURATION = /^([1-9][0-9]{0,7})(s|m|h|d)$/;
const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds; undefined where the text is not a duration. */
export function parseDurationS(text: string): number | undefined {
  const match = DURATION.exec(text);
  const unitS = UNIT_S[match?.[2] ?? ""];
  return match === null || unitS === undefined ? undefined : Number(match[1]) * unitS;
}

/** A duration within bounds given in seconds. */
export function checkDuration(minS: number, maxS: number, why: string): LeafCheck {
  return (text) => {
    const durationS = parseDurationS(text);
    if (durationS === undefined) {
      return {
        code: "bad-duration",
        what: `${quoted(text)} is not a length of time`,
        why,
        remedy: "write a number and s, m, h or d, e.g. 15s or 10m",
      };
    }
    if (durationS >= minS && durationS <= maxS) return undefined;
    return {
      code: "out-of-range",
      what: `${text} is not between ${minS} and ${maxS} seconds`,
      why,
      remedy: `write a time from ${minS}s to ${maxS}s`,
    };
  };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function checkFsid(text: string): LeafProblem | undefined {
  const lower = text.toLowerCase();
  const good = UUID.test(lower) && !/^[0-]+$/.test(lower);
  if (good) return undefined;
  return {
    code: "bad-fsid",
    what: UUID.test(lower) ? "the UUID of zeros is nobody's" : `${quoted(text)} is not a UUID`,
    why: "file handles on clients carry the fsid, so it has to be unique and to stay for ever",
    remedy: "write a UUID (`uuidgen` makes one), or leave fsid out: Holdfast derives one that never changes",
  };
}
