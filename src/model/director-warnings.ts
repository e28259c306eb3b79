/** What is valid in `directors:` and still worth a word. */
import type { DirectorServiceSpec, DirectorSpec } from "./director-spec.ts";
import type { DraftDirector } from "./draft.ts";
import type { WarningCode } from "./problem-codes.ts";
import type { Finding, SpecPath } from "./problem.ts";

type Warning = Finding<WarningCode>;

export function directorWarnings(director: DraftDirector): readonly Warning[] {
  const { spec, path, input } = director;
  if (spec === undefined) return [];
  return [
    ...aloneWarnings(spec, path),
    ...hangWarnings(spec, path),
    ...input.services.flatMap((given, index) => {
      const service = spec.services.find((each) => each.name === (given.name ?? given.fileserver));
      return service === undefined ? [] : serviceWarnings(service, [...path, "services", index]);
    }),
  ];
}

function aloneWarnings(spec: DirectorSpec, path: SpecPath): readonly Warning[] {
  if (spec.machines.length > 1) return [];
  return [
    {
      code: "director-alone",
      path: [...path, "machines"],
      what: `director ${spec.name} has one machine`,
      why: "when it fails, everything behind it is away, however well the nodes stand in for each other",
      remedy: "add a second machine",
    },
  ];
}

function hangWarnings(spec: DirectorSpec, path: SpecPath): readonly Warning[] {
  const off = [
    ...(spec.resets ? [] : [{ at: [...path, "resets"], what: "resets: false" }]),
    ...(spec.kernel.expireNodestConn
      ? []
      : [{ at: [...path, "kernel", "expireNodestConn"], what: "expireNodestConn: false" }]),
  ];
  return off.map(({ at, what }) => ({
    code: "clients-hang",
    path: at,
    what: `with ${what} clients of a lost server are not told`,
    // net.ipv4.vs.expire_nodest_conn=0: packets of such connections are dropped (kernel, networking/ipvs-sysctl.rst).
    why: `they wait for their own timers, in the worst case for the ${spec.kernel.tcpTimeoutS} s that the director remembers the connection`,
    remedy: "leave it out, unless the difference is to be measured",
  }));
}

function serviceWarnings(service: DirectorServiceSpec, path: SpecPath): readonly Warning[] {
  const warnings: Warning[] = [];
  if (service.decidedBy === "director") warnings.push(independent(service, path));
  if (service.scheduler !== "failover") {
    warnings.push({
      code: "clients-spread",
      path: [...path, "scheduler"],
      what: `${service.scheduler} spreads clients over several servers`,
      why: "two NFS servers know nothing of each other's locks, opens and file handles: only read-only copies that are equal to the byte can be served so",
      remedy: "leave scheduler out for anything that is written to",
    });
  }
  if (service.lastResort !== undefined) {
    warnings.push({
      code: "last-resort",
      path: [...path, "lastResort"],
      what: `${service.lastResort.name} serves when no other can`,
      why: "it has none of the clients' state, and unless its file system is the same one to the byte, open files become stale",
      remedy: "leave it out unless clients are better off with old data than with none",
    });
  }
  if (service.check.how === "tcp" || (service.check.how === "rpc" && service.decidedBy === "cluster")) {
    warnings.push({
      code: "check-too-little",
      path: [...path, "check", "how"],
      what:
        service.check.how === "tcp"
          ? "a TCP check sees only that the kernel opens the port"
          : "the agents are not asked for their roles",
      why:
        service.check.how === "tcp"
          ? "the kernel does that for a server in the wrong role, and for one whose threads all hang"
          : "a server that answers in the wrong role counts as good",
      remedy: "leave how out, unless the difference is to be measured",
    });
  }
  return warnings;
}

function independent(service: DirectorServiceSpec, path: SpecPath): Warning {
  return {
    code: "independent-servers",
    path,
    what: `the servers of ${service.name} are independent: the director alone decides which one serves`,
    why: INDEPENDENT_SERVERS_WHY,
    remedy: "keep it for data that is not written to, or let a cluster carry the fileserver and write fileserver: NAME",
  };
}

/** The plain statement of what cannot be guaranteed; `plan` and docs/director.md say the same. */
export const INDEPENDENT_SERVERS_WHY =
  "nothing fences the server that was given up, so that two may write to one volume at a time; locks, NFSv4 opens and the reply cache do not move; and a director that merely cannot reach a good server takes it out";
