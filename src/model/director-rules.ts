/** The rules of `directors:`. docs/spec.md says the same in tables. */
import { contains, networkOfCidrAddress, parseAddress } from "./address.ts";
import { serviceName } from "./director-build.ts";
import type { DirectorServiceInput } from "./director-schema.ts";
import type { DirectorServerSpec, DirectorServiceSpec } from "./director-spec.ts";
import { repeated, type Draft, type DraftDirector, type Entry } from "./draft.ts";
import { nearest } from "./nearest.ts";
import type { Finding, SpecPath } from "./problem.ts";

interface ServiceDraft {
  readonly director: DraftDirector;
  readonly path: SpecPath;
  readonly input: DirectorServiceInput;
  /** Undefined where the service could not be put together; then a finding says why. */
  readonly spec: DirectorServiceSpec | undefined;
}

export function directorFindings(draft: Draft): readonly Finding[] {
  const services = draft.directors.flatMap(servicesOf);
  return [
    ...twiceFindings(draft, services),
    ...services.flatMap((service) => [
      ...formFindings(service),
      ...referenceFindings(service, draft),
      ...serverFindings(service),
      ...checkFindings(service),
    ]),
    ...draft.directors.flatMap(machineFindings),
  ];
}

/** Addresses that nobody else may have; servers of their own may stand in several services, so they are not among them. */
export function directorAddressEntries(draft: Draft): readonly Entry[] {
  const services = draft.directors.flatMap(servicesOf);
  return [
    ...draft.directors.flatMap(machineEntries),
    ...services.flatMap((service, index) => {
      // A second service of one name or fileserver is told as such; its derived addresses are the same ones.
      const earlier = services.slice(0, index);
      const again = earlier.some(({ spec }) => spec !== undefined && isSameService(spec, service.spec));
      return again ? [] : serviceEntries(service);
    }),
  ];
}

function isSameService(a: DirectorServiceSpec, b: DirectorServiceSpec | undefined): boolean {
  return a.name === b?.name || (a.fileserver !== undefined && a.fileserver === b?.fileserver);
}

function machineEntries(director: DraftDirector): readonly Entry[] {
  return (director.spec?.machines ?? []).map((machine, index) => ({
    key: machine.address,
    path: [...director.path, "machines", index, "address"],
    owner: `machine ${machine.name} of director ${director.input.name}`,
  }));
}

function serviceEntries({ director, spec, path, input }: ServiceDraft): readonly Entry[] {
  if (spec === undefined) return [];
  const owner = `service ${spec.name} of director ${director.input.name}`;
  if (spec.decidedBy === "director") {
    return spec.flow.addresses.map((cidr, index) => ({
      key: cidr.address,
      path: [...path, "flow", "address", index],
      owner,
    }));
  }
  return spec.servers.flatMap((server) => {
    const at = (input.servers ?? []).findIndex((each) => each.name === server.name);
    const place = at < 0 ? [...path, "fileserver"] : [...path, "servers", at, "address"];
    return server.addresses.map((key) => ({ key, path: place, owner: `server ${server.name} of ${owner}` }));
  });
}

function servicesOf(director: DraftDirector): readonly ServiceDraft[] {
  return director.input.services.map((input, index) => ({
    director,
    path: [...director.path, "services", index],
    input,
    spec: director.spec?.services.find((each) => each.name === serviceName(input)),
  }));
}

function twiceFindings(draft: Draft, services: readonly ServiceDraft[]): readonly Finding[] {
  const machines = draft.directors.flatMap((director) =>
    director.input.machines.map((machine, index) => ({
      key: machine.name,
      path: [...director.path, "machines", index, "name"],
      owner: `machine ${machine.name}`,
    })),
  );
  const names = services.flatMap(({ input, path }) => {
    const key = serviceName(input);
    return key === undefined
      ? []
      : [{ key, path: [...path, input.name === undefined ? "fileserver" : "name"], owner: `service ${key}` }];
  });
  const taken = [machines, names].flatMap((entries) =>
    repeated(entries).map(({ entry, first }) => ({
      code: "name-taken" as const,
      path: entry.path,
      other: first.path,
      what: `there are two of the name ${entry.owner}`,
      why: "status, logs and marks go by it, and one address cannot be behind two services",
      remedy: "give one of them another name, or leave it out",
    })),
  );
  const behind = services.flatMap(({ input, path }) =>
    input.fileserver === undefined ? [] : [{ key: input.fileserver, path: [...path, "fileserver"], owner: "" }],
  );
  const twice = repeated(behind)
    .filter(({ entry }) => !taken.some(({ path }) => path.join() === entry.path.join()))
    .map(({ entry, first }) => ({
      code: "fileserver-twice" as const,
      path: entry.path,
      other: first.path,
      what: `the fileserver ${entry.key} is behind another service already`,
      why: "its address can be on one director only",
      remedy: "keep one of the two",
    }));
  return [...taken, ...twice, ...derivedFindings(draft, services)];
}

/** Marks and VRRP ids are derived from names; two may come out the same. */
function derivedFindings(draft: Draft, services: readonly ServiceDraft[]): readonly Finding[] {
  const marks = services.flatMap(({ spec, path }) =>
    spec === undefined ? [] : [{ key: String(spec.mark), path, owner: spec.name }],
  );
  const routers = draft.directors.flatMap(({ spec, path }) =>
    spec === undefined
      ? []
      : [{ key: `${spec.interface} ${spec.vrrpId}`, path: [...path, "vrrpId"], owner: spec.name }],
  );
  return [
    ...repeated(marks)
      .filter(({ entry, first }) => entry.owner !== first.owner)
      .map(({ entry, first }) => ({
        code: "mark-taken" as const,
        path: entry.path,
        other: first.path,
        what: `the packet mark of ${entry.owner} is also that of ${first.owner}`,
        why: "packets of one would go to servers of the other",
        remedy: "give one of them another name: the mark is derived from it",
      })),
    ...repeated(routers).map(({ entry, first }) => ({
      code: "vrrp-taken" as const,
      path: entry.path,
      other: first.path,
      what: `director ${entry.owner} has the VRRP id of ${first.owner} on the same network`,
      why: "the machines of the two would take each other's addresses",
      remedy: "write vrrpId with another number from 1 to 255",
    })),
  ];
}

function formFindings({ input, path }: ServiceDraft): readonly Finding[] {
  const bad = (at: SpecPath, what: string, remedy: string): Finding => ({
    code: "service-form",
    path: at,
    what,
    why: "a service is either that of a fileserver, from which everything follows, or one with a flow and servers of its own",
    remedy,
  });
  if (input.fileserver === undefined) {
    const missing = (["name", "flow", "servers"] as const).filter((key) => input[key] === undefined);
    if (missing.length === 0) return [];
    return [
      bad(
        path,
        `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing`,
        "write fileserver: NAME, or name, flow and servers",
      ),
    ];
  }
  return (["flow", "scheduler", "failback", "lastResort"] as const)
    .filter((key) => input[key] !== undefined)
    .map((key) => bad([...path, key], `${key} stands beside fileserver`, `leave ${key} out`));
}

function referenceFindings({ input, path }: ServiceDraft, draft: Draft): readonly Finding[] {
  const findings: Finding[] = [];
  const { fileserver } = input;
  if (fileserver === undefined) return findings;
  const names = draft.fileservers.map((each): string => each.spec.name);
  // A fileserver with problems of its own is not in the draft, and not unknown.
  if (!names.includes(fileserver) && !draft.incomplete) {
    const meant = nearest(fileserver, names);
    findings.push({
      code: "fileserver-unknown",
      path: [...path, "fileserver"],
      what: `there is no fileserver ${fileserver}`,
      why: "the service takes its address and its nodes from it",
      remedy: meant === undefined ? `the fileservers are: ${names.join(", ") || "none"}` : `did you mean ${meant}?`,
    });
  }
  const nodes = draft.cluster?.nodes.map((node): string => node.name);
  for (const [index, server] of (input.servers ?? []).entries()) {
    if (nodes === undefined || nodes.includes(server.name)) continue;
    findings.push({
      code: "node-unknown",
      path: [...path, "servers", index, "name"],
      what: `there is no node ${server.name}`,
      why: "the servers of a fileserver are the cluster's nodes",
      remedy: `the nodes are: ${nodes.join(", ")}`,
    });
  }
  return findings;
}

function serverFindings({ input, path, spec }: ServiceDraft): readonly Finding[] {
  const findings: Finding[] = repeated(
    (input.servers ?? []).map((server, index) => ({
      key: server.name,
      path: [...path, "servers", index, "name"],
      owner: "",
    })),
  ).map(({ entry, first }) => ({
    code: "name-taken",
    path: entry.path,
    other: first.path,
    what: `the service has two servers named ${entry.key}`,
    why: "status and logs go by it",
    remedy: "give one of them another name",
  }));
  if (spec === undefined) return findings;
  for (const [index, given] of (input.servers ?? []).entries()) {
    const server = spec.servers.find((each) => each.name === given.name);
    if (server === undefined || (given.address === undefined && spec.decidedBy === "cluster")) continue;
    findings.push(...reachFindings(spec, server, [...path, "servers", index]));
  }
  if (spec.lastResort !== undefined) findings.push(...reachFindings(spec, spec.lastResort, [...path, "lastResort"]));
  return findings;
}

/** Direct return: the frame goes to the server itself, so that it is on the flow's own network, in the flow's own family. */
function reachFindings(service: DirectorServiceSpec, server: DirectorServerSpec, path: SpecPath): readonly Finding[] {
  const findings: Finding[] = [];
  const at = [...path, "address"];
  for (const cidr of service.flow.addresses) {
    const own = server.addresses.filter((address) => parseAddress(address)?.family === cidr.family);
    if (own.length !== 1) {
      findings.push({
        code: "server-family",
        path: own.length === 0 && server.addresses.length === 0 ? path : at,
        what: `server ${server.name} has ${own.length} IPv${cidr.family} addresses, and the flow has one`,
        // net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_new_dest: families are mixed for tunnels only.
        why: "the kernel sends an IPv4 packet to an IPv4 server and an IPv6 packet to an IPv6 server",
        remedy: "write one address of each family that the flow has",
      });
      continue;
    }
    const address = parseAddress(own[0] ?? "");
    const network = networkOfCidrAddress(cidr);
    if (address === undefined || network === undefined) continue;
    if (own[0] === cidr.address) {
      findings.push({
        code: "address-taken",
        path: at,
        what: `${cidr.address} is the address of the flow itself`,
        why: "the director would send the packet to itself",
        remedy: "write the server's own address, which clients do not use",
      });
    } else if (!contains(network, address)) {
      findings.push({
        code: "server-outside",
        path: at,
        what: `${own[0]} is outside the network of ${cidr.address}/${cidr.prefixLength}`,
        why: "with direct return the director hands the frame to the server itself, not to a router",
        remedy: "write the server's address on the network of the flow",
      });
    }
  }
  return findings;
}

function checkFindings({ input, path, spec }: ServiceDraft): readonly Finding[] {
  if (spec === undefined) return [];
  const { intervalMs, timeoutMs, tries, how } = spec.check;
  const findings: Finding[] = [];
  if (2 * tries * timeoutMs > intervalMs) {
    findings.push({
      code: "check-too-slow",
      path: [...path, "check"],
      what: `${tries} tries of ${timeoutMs} ms take more than half of the interval of ${intervalMs} ms`,
      why: "a server that fails is to be taken out within one interval: the next check has to begin in it, and its tries to end",
      remedy: "write a longer interval, a shorter timeout or fewer tries",
    });
  }
  if (how === "role" && input.fileserver === undefined) {
    findings.push({
      code: "check-without-agent",
      path: [...path, "check", "how"],
      what: "servers of their own have no agent that could be asked for its role",
      why: "the check would never succeed",
      remedy: "write how: rpc",
    });
  }
  return findings;
}

/** The machines answer for the flow's address, and hand frames on: both only on its own network. */
function machineFindings(director: DraftDirector): readonly Finding[] {
  const flows = director.spec?.services.flatMap(({ flow }) => flow.addresses) ?? [];
  return (director.spec?.machines ?? []).flatMap((machine, index) => {
    const address = parseAddress(machine.address);
    const same = flows.filter((cidr) => cidr.family === address?.family);
    const outside = same.find((cidr) => {
      const network = networkOfCidrAddress(cidr);
      return address !== undefined && network !== undefined && !contains(network, address);
    });
    if (outside === undefined) return [];
    return [
      {
        code: "machine-outside" as const,
        path: [...director.path, "machines", index, "address"],
        what: `${machine.address} is outside the network of ${outside.address}/${outside.prefixLength}`,
        why: "the machine answers for that address and hands its frames on, both on the address's own network",
        remedy: "write the machine's address on that network",
      },
    ];
  });
}
