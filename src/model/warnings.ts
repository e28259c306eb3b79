/** What is valid and still worth a word. */
import { contains, networkOfCidrAddress, type Network } from "./address.ts";
import { directorWarnings } from "./director-warnings.ts";
import { addressPath, isWithin, ownerOf, type Draft, type DraftFileserver } from "./draft.ts";
import { parseClientMatch } from "./export-clients.ts";
import type { WarningCode } from "./problem-codes.ts";
import type { Finding, SpecPath } from "./problem.ts";
import type { ExportSpec } from "./spec.ts";

type Warning = Finding<WarningCode>;

export function warningFindings(draft: Draft): readonly Warning[] {
  return [
    ...clusterWarnings(draft),
    ...graceWarnings(draft),
    ...draft.directors.flatMap(directorWarnings),
    ...draft.fileservers.flatMap((fileserver) => [
      ...linkWarnings(fileserver),
      ...leaseWarnings(fileserver),
      ...v40Warnings(fileserver),
      ...nestedWarnings(fileserver),
      ...placementWarnings(fileserver, draft),
      ...diskWarnings(fileserver),
      ...fileserver.spec.exports.flatMap((item, index) =>
        clientWarnings(fileserver, item, [...fileserver.path, "exports", index, "clients"]),
      ),
    ]),
  ];
}

function clusterWarnings(draft: Draft): readonly Warning[] {
  const cluster = draft.cluster;
  if (cluster === undefined) return [];
  const warnings: Warning[] = [];
  if (cluster.engine === "pacemaker") {
    if (cluster.nodes.length > 2 && cluster.nodes.length % 2 === 0 && cluster.witness === undefined) {
      warnings.push({
        code: "even-nodes",
        path: ["cluster", "nodes"],
        what: `the cluster has ${cluster.nodes.length} nodes and no witness`,
        why: "where half of them lose sight of the other half, neither half has a majority and nothing is served",
        remedy: "add witness: with a third host that runs corosync-qnetd",
      });
    }
  } else {
    for (const key of ["witness", "fencing", "watchdog"] as const) {
      const given = key === "fencing" ? cluster.fencing.length > 0 : cluster[key] !== undefined;
      if (!given) continue;
      warnings.push({
        code: "no-effect",
        path: ["cluster", key],
        what: `${key} does nothing with engine: standalone`,
        why: "without Pacemaker nobody decides that a node is lost",
        remedy: "leave it out, or keep it for later",
      });
    }
  }
  if (cluster.nodes.length === 1) {
    warnings.push({
      code: "one-node",
      path: ["cluster", "nodes"],
      what: "the cluster has one node",
      why: "no fileserver can move anywhere",
      remedy: "add a second node when there is one",
    });
  }
  return warnings;
}

function graceWarnings(draft: Draft): readonly Warning[] {
  const withV3 = draft.fileservers.filter((fileserver) => fileserver.spec.protocols.includes("v3"));
  const first = withV3[0];
  if (first === undefined) return [];
  return withV3
    .filter((fileserver) => fileserver.spec.nfs.graceS !== first.spec.nfs.graceS)
    .map((fileserver) => ({
      code: "grace-differs",
      path: [...fileserver.path, "nfs", "grace"],
      other: [...first.path, "nfs", "grace"],
      what: `the grace period is ${fileserver.spec.nfs.graceS} s here and ${first.spec.nfs.graceS} s for ${ownerOf(first)}`,
      // rpc.nfsd -G also writes the global nlm_grace_period (nfs-utils, nfssvc_set_time).
      why: "lockd takes its grace period from one setting of the whole node, so that the last start decides for v3 locks",
      remedy: "write the same grace period for every fileserver with v3",
    }));
}

function linkWarnings(fileserver: DraftFileserver): readonly Warning[] {
  if (fileserver.spec.link !== "ipvlan" || !fileserver.given.mac) return [];
  return [
    {
      code: "no-effect",
      path: [...fileserver.path, "mac"],
      what: "mac does nothing with link: ipvlan",
      why: "an ipvlan link has the MAC address of the node's interface",
      remedy: "leave mac out",
    },
  ];
}

function v40Warnings(fileserver: DraftFileserver): readonly Warning[] {
  if (!fileserver.spec.nfs.allowV40) return [];
  return [
    {
      code: "v4.0-grace",
      path: [...fileserver.path, "nfs", "allowV40"],
      what: "NFSv4.0 is served",
      why: `its clients never say that they have reclaimed everything (RFC 7530 has no RECLAIM_COMPLETE), so that with one of them every takeover makes all clients wait ${fileserver.spec.nfs.graceS} s for new opens and locks`,
      remedy: "leave allowV40 out when no client needs it",
    },
  ];
}

function leaseWarnings(fileserver: DraftFileserver): readonly Warning[] {
  const { leaseS } = fileserver.spec.nfs;
  if (leaseS >= 15) return [];
  return [
    {
      code: "short-lease",
      path: [...fileserver.path, "nfs", "lease"],
      what: `a lease of ${leaseS} s is short`,
      why: "a client that the network keeps away for longer loses its locks to whoever asks for them",
      remedy: "write lease: 15s or more",
    },
  ];
}

function nestedWarnings(fileserver: DraftFileserver): readonly Warning[] {
  const { exports } = fileserver.spec;
  return exports.flatMap((item, index) => {
    const outerIndex = exports.findIndex((other) => other.path !== item.path && isWithin(item.path, other.path));
    const outer = exports[outerIndex];
    if (outer === undefined) return [];
    return [
      {
        code: "export-nested" as const,
        path: [...fileserver.path, "exports", index, "path"],
        other: [...fileserver.path, "exports", outerIndex, "path"],
        what: `${item.path} lies inside the export ${outer.path}`,
        why: "clients of the outer one reach it under the outer one's options",
        remedy: "check that the outer export's clients may do so",
      },
    ];
  });
}

function placementWarnings(fileserver: DraftFileserver, draft: Draft): readonly Warning[] {
  const { failback } = fileserver.spec.placement;
  if (typeof failback === "string" || draft.cluster?.engine !== "standalone") return [];
  return [
    {
      code: "no-effect",
      path: [...fileserver.path, "placement", "failback"],
      what: "failback by itself does nothing with engine: standalone",
      why: "without Pacemaker fileservers move only when told to",
      remedy: "write failback: manual, or keep it for later",
    },
  ];
}

function diskWarnings(fileserver: DraftFileserver): readonly Warning[] {
  return fileserver.spec.volumes.flatMap((volume, index) =>
    volume.disks === undefined || volume.device.kind === "lv"
      ? []
      : [
          {
            code: "no-effect" as const,
            path: [...fileserver.path, "volumes", index, "disks"],
            what: "disks does nothing where the device is a disk",
            why: "a volume group is made only for VG/LV",
            remedy: "leave disks out",
          },
        ],
  );
}

function clientWarnings(fileserver: DraftFileserver, item: ExportSpec, path: SpecPath): readonly Warning[] {
  const networks = fileserver.spec.addresses.flatMap((cidr) => networkOfCidrAddress(cidr) ?? []);
  return item.clients.flatMap((client, index) => [
    ...matchWarnings(fileserver, client.match, networks, [...path, index, "match"]),
    ...optionWarnings(client.options, [...path, index, "options"]),
  ]);
}

function matchWarnings(
  fileserver: DraftFileserver,
  text: string,
  networks: readonly Network[],
  path: SpecPath,
): readonly Warning[] {
  const match = parseClientMatch(text);
  if (match === undefined) return [];
  if (match.kind === "anyone") {
    return [
      {
        code: "client-anyone",
        path,
        what: "* lets every machine mount that reaches the address",
        why: "with sec=sys a machine can claim to be any user but root",
        remedy: "name the clients' networks unless everybody is meant",
      },
    ];
  }
  if (!("cidr" in match)) {
    return [
      {
        code: "client-by-name",
        path,
        what: `${text} is looked up in the name service`,
        // One lockd thread serves all namespaces and waits for statd (fs/lockd/svc.c, docs/kernel-nfs.md, section 1).
        why: "a slow or wrong answer delays mounts and locks of all fileservers on the node",
        remedy: "name addresses or networks where they are stable",
      },
    ];
  }
  const { family } = match.cidr.address;
  const routed = fileserver.spec.gateways.some((gateway) => gateway.includes(":") === (family === 6));
  const sameFamily = networks.filter((network) => network.address.family === family);
  if (
    routed ||
    sameFamily.some((network) => contains(network, match.cidr.address) || contains({ ...match.cidr }, network.address))
  ) {
    return [];
  }
  return [
    {
      code: "client-unreachable",
      path,
      other: addressPath(fileserver, 0),
      what: `${text} is outside the networks of ${ownerOf(fileserver)}, which has no IPv${family} gateway`,
      why: "answers to these clients find no way",
      remedy:
        sameFamily.length === 0
          ? `add an IPv${family} address`
          : "add gateway: with the address of the network's router",
    },
  ];
}

function optionWarnings(options: readonly string[], path: SpecPath): readonly Warning[] {
  const warnings: Warning[] = [];
  if (options.includes("no_root_squash") && !options.includes("all_squash")) {
    warnings.push({
      code: "no-root-squash",
      path,
      what: "no_root_squash makes root on a client root on the volume",
      // exports(5), "Subdirectory Exports": file handles can be guessed without subtree_check.
      why: "such a client can read and change every file of the file system, by guessed file handles even Holdfast's own state",
      remedy: "leave it out unless the clients are as trusted as the nodes",
    });
  }
  if (options.includes("insecure")) {
    warnings.push({
      code: "insecure-port",
      path,
      what: "insecure accepts requests from ports above 1023",
      why: "any program on a client can then claim to be any user",
      remedy: "leave it out unless clients behind address translation need it",
    });
  }
  return warnings;
}
