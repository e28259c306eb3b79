/** The shape of `directors:` as it is written. What concerns two keys at once is in `director-rules.ts`. */
import { z } from "zod";
import { DIRECTOR_CHECKS, DIRECTOR_SCHEDULERS } from "./director-spec.ts";
import { checkAddress, checkCidr, checkDuration, checkFile, checkInterface, quoted, type LeafCheck } from "./leaf.ts";
import { name, oneOrMore, text, whole } from "./schema-parts.ts";

const MACHINES_MAX = 4;
const SERVICES_MAX = 64;
const SERVERS_MAX = 32;
/** IP_VS weights are 16 bits in ipvsadm (0..65535); 0 would take nothing, and is no server. */
const WEIGHT_MAX = 65_535;
const TRIES_MAX = 5;

const MILLISECONDS = /^([1-9][0-9]{0,7})(ms|s|m)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** Undefined where the text is not such a time. */
export function parseMilliseconds(value: string): number | undefined {
  const match = MILLISECONDS.exec(value);
  const unitMs = UNIT_MS[match?.[2] ?? ""];
  return match === null || unitMs === undefined ? undefined : Number(match[1]) * unitMs;
}

function checkMilliseconds(minMs: number, maxMs: number, why: string): LeafCheck {
  return (value) => {
    const durationMs = parseMilliseconds(value);
    if (durationMs === undefined) {
      return {
        code: "bad-duration",
        what: `${quoted(value)} is not a length of time`,
        why,
        remedy: "write a number and ms or s, e.g. 400ms or 1s",
      };
    }
    if (durationMs >= minMs && durationMs <= maxMs) return undefined;
    return {
      code: "out-of-range",
      what: `${value} is not between ${minMs} ms and ${maxMs / 1000} s`,
      why,
      remedy: `write a time from ${minMs}ms to ${maxMs / 1000}s`,
    };
  };
}

const BUSY = "a server is asked each time, and clients of a dead one wait for it";

const check = z
  .strictObject({
    how: z
      .enum(DIRECTOR_CHECKS)
      .optional()
      .meta({
        description:
          "role (the agent's word, and an RPC NULL to NFS; default behind a cluster), rpc (RPC NULL alone; default for other servers) or tcp (only whether the port opens)",
        examples: ["rpc"],
      }),
    interval: text(checkMilliseconds(100, 60_000, BUSY), {
      description: "how long a server that fails may go unnoticed; default 1s",
      examples: ["1s"],
    }).optional(),
    timeout: text(checkMilliseconds(20, 30_000, BUSY), {
      description: "how long one try waits for its answer; default 250ms",
      examples: ["250ms"],
    }).optional(),
    tries: whole(1, TRIES_MAX, "tries of one check before the server is given up; default 2", 2).optional(),
    port: whole(1, 65_535, "the port that is asked; default 2049", 2049).optional(),
  })
  .meta({ description: "how a director finds out whether a server serves" });

const serverKeys = {
  name: name("the server's name; of a fileserver's service, the node's", "n1"),
  address: oneOrMore(
    text(checkAddress, { description: "an address of the server", examples: ["10.77.0.61"] }),
    2,
    "where the director sends its frames: an address on the network of the flow, one per family; of a fileserver's service derived unless given",
    ["10.77.0.61"],
  ).optional(),
};

const server = z
  .strictObject({
    ...serverKeys,
    weight: whole(
      1,
      WEIGHT_MAX,
      "the heaviest server that is up serves, or gets the most; default 100",
      100,
    ).optional(),
  })
  .meta({ description: "a server behind the director" });

const lastResort = z
  .strictObject({ name: serverKeys.name, address: serverKeys.address })
  .meta({ description: "serves while no other server can" });

const flow = z
  .strictObject({
    interface: text(checkInterface, { description: "the director's interface to the clients", examples: ["eth1"] }),
    address: oneOrMore(
      text(checkCidr, { description: "an address with its prefix length", examples: ["10.77.0.60/24"] }),
      2,
      "the address that clients know, with its prefix length: one, or one IPv4 and one IPv6; every protocol and port of it",
      ["10.77.0.60/24"],
    ),
  })
  .meta({ description: "which packets the service takes" });

const service = z
  .strictObject({
    fileserver: name("a fileserver of this spec; everything else follows from it", "home").optional(),
    name: name("the service's name; default the fileserver's", "replicas").optional(),
    flow: flow.optional(),
    method: z
      .enum(["gateway"])
      .optional()
      .meta({ description: "gateway: servers answer clients directly", examples: ["gateway"], default: "gateway" }),
    scheduler: z
      .enum(DIRECTOR_SCHEDULERS)
      .optional()
      .meta({
        description:
          "failover (one server at a time; default), or a scheduler of the kernel's that spreads clients: rr, wrr, lc, wlc, sh, mh",
        examples: ["failover"],
        default: "failover",
      }),
    failback: z
      .enum(["manual", "preferred"])
      .optional()
      .meta({
        description:
          "manual (the server in place stays until it fails; default), or preferred (the heaviest takes over as soon as it is up)",
        examples: ["manual"],
        default: "manual",
      }),
    servers: z
      .array(server)
      .min(1)
      .max(SERVERS_MAX)
      .optional()
      .meta({
        description: "the servers; of a fileserver's service all nodes, unless their addresses are to be others",
        examples: [[{ name: "a", address: "10.77.0.61", weight: 100 }]],
      }),
    lastResort: lastResort.optional(),
    check: check.optional(),
  })
  .meta({ description: "one address with its servers" });

const seconds = (description: string, example: string) =>
  text(checkDuration(1, 31 * 86_400, "the kernel's timeout"), { description, examples: [example] }).optional();
const flag = (description: string, example: boolean) =>
  z
    .boolean()
    .optional()
    .meta({ description, examples: [example] });
const port = (description: string, example: number) => whole(1, 65_535, description, example).optional();

export const directorSchema = z
  .strictObject({
    name: name("the director's name", "lb"),
    machines: z
      .array(
        z
          .strictObject({
            name: name("the machine's name, as `hostname -s` prints it there", "d1"),
            address: text(checkAddress, {
              description: "its address on the network of the flows",
              examples: ["10.77.0.31"],
            }),
          })
          .meta({ description: "a machine of the director" }),
      )
      .min(1)
      .max(MACHINES_MAX)
      .meta({
        description: "the machines, the preferred one first; two or more stand in for each other",
        examples: [[{ name: "d1", address: "10.77.0.31" }]],
      }),
    interface: text(checkInterface, {
      description: "the machines' interface to clients and servers; default that of the first service",
      examples: ["eth1"],
    }).optional(),
    vrrpId: whole(1, 255, "VRRP's virtual router on that network; derived unless given", 51).optional(),
    secret: text(checkFile, {
      description: "a file on directors and nodes with their shared secret; default /etc/holdfast/director.secret",
      examples: ["/etc/holdfast/director.secret"],
    }).optional(),
    ports: z
      .strictObject({
        notices: port("TCP on the directors, for the agents' notices; default 7408", 7408),
        roles: port("TCP on the nodes, for the directors' questions; default 7409", 7409),
      })
      .optional()
      .meta({ description: "ports between agents and directors", examples: [{ notices: 7408 }] }),
    kernel: z
      .strictObject({
        expireNodestConn: flag("forget connections of a server that was taken out; default true", true),
        expireQuiescentTemplate: flag("and its clients' stickiness; default true", true),
        tcpTimeout: seconds("how long an idle connection is remembered; default 15m", "15m"),
        tcpFinTimeout: seconds("and a closed one; default 30s", "30s"),
        udpTimeout: seconds("and UDP; default 60s", "60s"),
      })
      .optional()
      .meta({ description: "settings of the kernel's IPVS", examples: [{ tcpTimeout: "15m" }] }),
    resets: flag(
      "reset the connections of a server that was taken out, so that clients reconnect at once; default true",
      true,
    ),
    services: z
      .array(service)
      .min(1)
      .max(SERVICES_MAX)
      .meta({ description: "what the director serves", examples: [[{ fileserver: "home" }]] }),
  })
  .meta({ description: "a layer-4 balancer in front of fileservers, with direct return" });

export type DirectorInput = z.output<typeof directorSchema>;
export type DirectorServiceInput = z.output<typeof service>;
