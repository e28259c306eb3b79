/** The rules that hold between keys. Each finding has its own code; docs/spec.md says the same in tables. */
import { networksOverlap, networkOfCidrAddress } from "./address.ts";
import { directorAddressEntries, directorFindings } from "./director-rules.ts";
import { addressPath, ownerOf, repeated, type Draft, type DraftFileserver, type Entry } from "./draft.ts";
import { clusterFindings } from "./cluster-rules.ts";
import { fileserverFindings } from "./fileserver-rules.ts";
import type { Finding } from "./problem.ts";
import { deviceName } from "./device.ts";

export function ruleFindings(draft: Draft): readonly Finding[] {
  return [
    ...nameFindings(draft),
    ...hostnameFindings(draft),
    ...addressFindings(draft),
    ...overlapFindings(draft),
    ...linkFindings(draft),
    ...deviceFindings(draft),
    ...fsidFindings(draft),
    ...lockdPortFindings(draft),
    ...clusterFindings(draft),
    ...directorFindings(draft),
    ...draft.fileservers.flatMap((fileserver) => fileserverFindings(fileserver, draft.cluster)),
  ];
}

function nameFindings(draft: Draft): readonly Finding[] {
  const nodes = (draft.cluster?.nodes ?? []).map((node, index) => ({
    key: node.name,
    path: ["cluster", "nodes", index, "name"],
    owner: `node ${node.name}`,
  }));
  const fileservers = draft.fileservers.map((fileserver) => ({
    key: fileserver.spec.name,
    path: [...fileserver.path, "name"],
    owner: ownerOf(fileserver),
  }));
  const directors = draft.directors.map((director) => ({
    key: director.input.name,
    path: [...director.path, "name"],
    owner: `director ${director.input.name}`,
  }));
  return [nodes, fileservers, directors].flatMap((entries) =>
    repeated(entries).map(({ entry, first }) => ({
      code: "name-taken" as const,
      path: entry.path,
      other: first.path,
      what: `there are two of the name ${entry.owner}`,
      why: "commands and state on the nodes are found by it",
      remedy: "give one of them another name",
    })),
  );
}

function hostnameFindings(draft: Draft): readonly Finding[] {
  const entries = draft.fileservers.map((fileserver) => ({
    key: fileserver.spec.hostname,
    path: [...fileserver.path, "hostname"],
    owner: ownerOf(fileserver),
  }));
  return repeated(entries).map(({ entry, first }) => ({
    code: "hostname-taken",
    path: entry.path,
    other: first.path,
    what: `${entry.key} is also the host name of ${first.owner}`,
    // fs/nfs/nfs4client.c, nfs41_walk_client_list: equal server owners are taken for one server (session trunking).
    why: "it is the NFSv4 server owner: clients take two fileservers of one name for one server and mix their state",
    remedy: "give each fileserver its own name in the name service",
  }));
}

/** Every address of the spec with its owner, in canonical text. */
function addressEntries(draft: Draft): readonly Entry[] {
  const entries: Entry[] = [];
  for (const [index, node] of (draft.cluster?.nodes ?? []).entries()) {
    for (const [link, address] of node.addresses.entries()) {
      const path = ["cluster", "nodes", index, "addresses", link];
      entries.push({ key: address, path, owner: `node ${node.name}` });
    }
  }
  for (const fileserver of draft.fileservers) {
    for (const [index, cidr] of fileserver.spec.addresses.entries()) {
      entries.push({ key: cidr.address, path: addressPath(fileserver, index), owner: ownerOf(fileserver) });
    }
  }
  entries.push(...directorAddressEntries(draft));
  return entries;
}

function addressFindings(draft: Draft): readonly Finding[] {
  const entries = addressEntries(draft);
  const twice = repeated(entries).map(({ entry, first }) => ({
    code: "address-taken" as const,
    path: entry.path,
    other: first.path,
    what: `${entry.key} is also an address of ${first.owner}`,
    why: "two machines that answer for one address cut each other's clients off",
    remedy: "give each its own address",
  }));
  const owners = new Map(entries.map((entry) => [entry.key, entry]));
  const gateways = draft.fileservers.flatMap((fileserver) =>
    fileserver.spec.gateways.flatMap((gateway, index) => {
      const owner = owners.get(gateway);
      if (owner === undefined) return [];
      return [
        {
          code: "address-taken" as const,
          path: [...fileserver.path, "gateway", index],
          other: owner.path,
          what: `${gateway} is an address of ${owner.owner}`,
          why: "a gateway is a router of the network, and a fileserver cannot route through itself",
          remedy: "write the router's address, or leave gateway out if all clients are on the same network",
        },
      ];
    }),
  );
  return [...twice, ...gateways];
}

/** Networks on one interface are the same or disjoint; anything else leaves some clients reachable from one side only. */
function overlapFindings(draft: Draft): readonly Finding[] {
  const seen: {
    fileserver: DraftFileserver;
    index: number;
    network: NonNullable<ReturnType<typeof networkOfCidrAddress>>;
  }[] = [];
  const findings: Finding[] = [];
  for (const fileserver of draft.fileservers) {
    for (const [index, cidr] of fileserver.spec.addresses.entries()) {
      const network = networkOfCidrAddress(cidr);
      if (network === undefined) continue;
      const clash = seen.find(
        (other) =>
          other.fileserver.spec.interface === fileserver.spec.interface &&
          other.network.prefixLength !== network.prefixLength &&
          networksOverlap(other.network, network),
      );
      seen.push({ fileserver, index, network });
      if (clash === undefined) continue;
      const length = clash.network.prefixLength;
      findings.push({
        code: "networks-overlap",
        path: addressPath(fileserver, index),
        other: addressPath(clash.fileserver, clash.index),
        what: `${cidr.address}/${cidr.prefixLength} lies in one network with ${ownerOf(clash.fileserver)}, which calls it a /${length}`,
        why: `on one interface (${fileserver.spec.interface}) one of them would look for clients on the wrong side of a router`,
        remedy: "write the network's real prefix length in both",
      });
    }
  }
  return findings;
}

function linkFindings(draft: Draft): readonly Finding[] {
  const findings: Finding[] = [];
  const firstOn = new Map<string, DraftFileserver>();
  for (const fileserver of draft.fileservers) {
    const first = firstOn.get(fileserver.spec.interface);
    if (first === undefined) firstOn.set(fileserver.spec.interface, fileserver);
    else if (first.spec.link !== fileserver.spec.link) {
      findings.push({
        code: "link-mixed",
        path: [...fileserver.path, "link"],
        other: [...first.path, "link"],
        what: `${fileserver.spec.link} on ${fileserver.spec.interface}, where ${ownerOf(first)} has ${first.spec.link}`,
        why: "the kernel lets one interface carry only one of the two kinds (each takes its receive handler)",
        remedy: `write link: ${first.spec.link}, or use another interface`,
      });
    }
  }
  const macs = draft.fileservers
    .filter((fileserver) => fileserver.spec.link === "macvlan")
    .map((fileserver) => ({ key: fileserver.spec.mac, path: [...fileserver.path, "mac"], owner: ownerOf(fileserver) }));
  for (const { entry, first } of repeated(macs)) {
    // Two fileservers of one name derive one address; "name-taken" has said so already.
    if (entry.owner === first.owner) continue;
    findings.push({
      code: "mac-taken",
      path: entry.path,
      other: first.path,
      what: `${entry.key} is also the MAC address of ${first.owner}`,
      why: "a switch sends frames to one place only, so one of the two would be cut off",
      remedy: "leave mac out: Holdfast derives one for each",
    });
  }
  return findings;
}

function deviceFindings(draft: Draft): readonly Finding[] {
  const entries = draft.fileservers.flatMap((fileserver) =>
    fileserver.spec.volumes.map((volume, index) => ({
      key: deviceName(volume.device),
      path: [...fileserver.path, "volumes", index, "device"],
      owner: `volume ${volume.name} of ${ownerOf(fileserver)}`,
      fileserver,
      group: volume.device.kind === "lv" ? volume.device.vg : undefined,
    })),
  );
  const findings: Finding[] = repeated(entries).map(({ entry, first }) => ({
    code: "device-taken",
    path: entry.path,
    other: first.path,
    what: `${entry.key} is also ${first.owner}`,
    why: "a file system that is mounted twice is destroyed",
    remedy: "give each volume its own device",
  }));
  const groups = new Map<string, (typeof entries)[number]>();
  const devices = new Set<string>();
  for (const entry of entries) {
    const taken = devices.has(entry.key);
    devices.add(entry.key);
    if (entry.group === undefined) continue;
    const first = groups.get(entry.group);
    if (first === undefined) groups.set(entry.group, entry);
    else if (first.fileserver !== entry.fileserver && !taken) {
      findings.push({
        code: "group-shared",
        path: entry.path,
        other: first.path,
        what: `the volume group ${entry.group} also carries ${first.owner}`,
        // lvmsystemid(7); SPC-4: a persistent reservation holds for the whole logical unit.
        why: "a group is active on one node, and a reservation guards whole LUNs, so that the two could not move apart",
        remedy: "put each fileserver on its own LUNs and volume group, or make both one fileserver",
      });
    }
  }
  return findings;
}

function fsidFindings(draft: Draft): readonly Finding[] {
  const entries = draft.fileservers.flatMap((fileserver) =>
    fileserver.spec.exports.map((item, index) => ({
      // One path written twice derives one fsid twice; "export-taken" has said so already.
      key: item.fsid,
      path: [...fileserver.path, "exports", index, "fsid"],
      owner: `${item.path} of ${ownerOf(fileserver)}`,
    })),
  );
  return repeated(entries)
    .filter(({ entry, first }) => entry.owner !== first.owner)
    .map(({ entry, first }) => ({
      code: "fsid-taken",
      path: entry.path,
      other: first.path,
      what: `${entry.key} is also the fsid of ${first.owner}`,
      why: "file handles of one export would open files of the other",
      remedy: "leave fsid out of one of them: Holdfast derives one that never changes",
    }));
}

function lockdPortFindings(draft: Draft): readonly Finding[] {
  const withV3 = draft.fileservers.filter((fileserver) => fileserver.spec.protocols.includes("v3"));
  const first = withV3[0];
  if (first === undefined) return [];
  const port = first.spec.nfs.ports.lockd;
  return withV3
    .filter((fileserver) => fileserver.spec.nfs.ports.lockd !== port)
    .map((fileserver) => ({
      code: "lockd-port-differs",
      path: [...fileserver.path, "nfs", "ports", "lockd"],
      other: [...first.path, "nfs", "ports", "lockd"],
      what: `the lockd port is ${fileserver.spec.nfs.ports.lockd} here and ${port} for ${ownerOf(first)}`,
      // fs/lockd/svc.c: nlm_tcpport and nlm_udpport are plain globals, sampled when lockd starts in a namespace.
      why: "the kernel has one lockd port for the whole node",
      remedy: "write the same port for every fileserver, or leave it out",
    }));
}
