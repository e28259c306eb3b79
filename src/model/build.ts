/** From the spec as written to the spec as meant: every default filled in, every text in its canonical form. */
import { assert, defined } from "../base/assert.ts";
import { formatAddress, parseAddress, parseCidr } from "./address.ts";
import { exportFsid, fileserverMac } from "./derive.ts";
import { completeOptions } from "./export-clients.ts";
import { isDiskPath, parseDurationS, parseLvName } from "./leaf.ts";
import { parseFileserverName, parseNodeName, parseVolumeName, type FileserverName } from "./names.ts";
import type { ClusterInput, FileserverInput } from "./schema.ts";
import type {
  CidrAddress,
  ClusterSpec,
  ExportSpec,
  Failback,
  FileserverSpec,
  NfsSpec,
  VolumeDevice,
  VolumeSpec,
} from "./spec.ts";

/** nfs-utils and Debian's firewalls know mountd by 20048 (IANA); the rest are the ports that NFS guides settle on. */
const DEFAULT_PORTS = { mountd: 20_048, statd: 662, lockd: 4001 };
const DEFAULT_THREADS = 16;
/** A client that slept through a lunch break gets its locks back; one that is gone for good is forgotten before the next move. */
const DEFAULT_COURTESY_S = 3600;
/** Short, so that a client which missed the move retries soon: its reconnect backoff is at most half a lease. */
const DEFAULT_LEASE_S = 15;
const DEFAULT_GRACE_S = 20;

export function buildCluster(input: ClusterInput): ClusterSpec {
  return {
    name: input.name,
    engine: input.engine,
    nodes: input.nodes.map((node) => ({
      name: defined(parseNodeName(node.name), "a checked name"),
      addresses: node.addresses.map(canonicalAddress),
    })),
    ...(input.witness === undefined ? {} : { witness: input.witness }),
    // What a spec with the engine pacemaker leaves out is the way that every cluster of shared LUNs has.
    fencing: (input.fencing ?? (input.engine === "pacemaker" ? [{ agent: "scsi" }] : [])).map((way) => ({
      agent: way.agent,
      options: way.options ?? {},
      ...(way.nodes === undefined ? {} : { nodes: way.nodes }),
      ...(way.secrets === undefined ? {} : { secrets: way.secrets }),
    })),
    detection: input.detection ?? "balanced",
    ...(input.watchdog === undefined ? {} : { watchdog: input.watchdog }),
    ssh: input.ssh?.config === undefined ? {} : { config: input.ssh.config },
  };
}

/** `clusterName` goes into the derived fsids and MAC address. */
export function buildFileserver(input: FileserverInput, clusterName: string): FileserverSpec {
  const prefer = input.placement?.prefer;
  return {
    name: defined(parseFileserverName(input.name), "a checked name"),
    hostname: input.hostname,
    addresses: asList(input.address).map(canonicalCidr),
    gateways: asList(input.gateway).map(canonicalAddress),
    interface: input.interface,
    link: input.link ?? "macvlan",
    mac: (input.mac ?? fileserverMac(clusterName, input.name)).toLowerCase(),
    protocols: input.protocols ?? ["v3", "v4"],
    volumes: input.volumes.map(buildVolume),
    exports: input.exports.map((item) => buildExport(item, clusterName, input.name)),
    placement: {
      ...(prefer === undefined ? {} : { prefer: defined(parseNodeName(prefer), "a checked name") }),
      failback: buildFailback(input.placement?.failback),
      ...(input.placement?.apart === undefined ? {} : { apart: checkedNames(input.placement.apart) }),
      ...(input.placement?.together === undefined ? {} : { together: checkedNames(input.placement.together) }),
    },
    nfs: buildNfs(input.nfs),
  };
}

function checkedNames(names: readonly string[]): readonly FileserverName[] {
  return names.map((name) => defined(parseFileserverName(name), "a checked name"));
}

function buildVolume(input: FileserverInput["volumes"][number]): VolumeSpec {
  return {
    name: defined(parseVolumeName(input.name), "a checked name"),
    device: buildDevice(input.device),
    filesystem: input.filesystem,
    ...(input.disks === undefined ? {} : { disks: asList(input.disks) }),
    mountPath: input.mount ?? `/export/${input.name}`,
  };
}

function buildDevice(text: string): VolumeDevice {
  if (isDiskPath(text)) return { kind: "disk", path: text };
  return { kind: "lv", ...defined(parseLvName(text), "a checked device") };
}

function buildExport(input: FileserverInput["exports"][number], cluster: string, fileserver: string): ExportSpec {
  return {
    path: input.path,
    volume: defined(parseVolumeName(input.volume), "a checked name"),
    fsid: (input.fsid ?? exportFsid(cluster, fileserver, input.path)).toLowerCase(),
    clients: input.clients.map((client) => ({ match: client.match, options: completeOptions(client.options ?? []) })),
  };
}

function buildFailback(input: NonNullable<FileserverInput["placement"]>["failback"]): Failback {
  if (input === undefined || typeof input === "string") return input ?? "manual";
  return { afterHealthyForS: defined(parseDurationS(input.afterHealthyFor), "a checked duration") };
}

function buildNfs(input: FileserverInput["nfs"]): NfsSpec {
  const leaseS = secondsOf(input?.lease, DEFAULT_LEASE_S);
  return {
    threads: input?.threads ?? DEFAULT_THREADS,
    leaseS,
    graceS: secondsOf(input?.grace, Math.max(DEFAULT_GRACE_S, leaseS)),
    courtesyS: secondsOf(input?.courtesy, DEFAULT_COURTESY_S),
    allowV40: input?.allowV40 ?? false,
    ports: {
      mountd: input?.ports?.mountd ?? DEFAULT_PORTS.mountd,
      statd: input?.ports?.statd ?? DEFAULT_PORTS.statd,
      lockd: input?.ports?.lockd ?? DEFAULT_PORTS.lockd,
    },
  };
}

function secondsOf(input: string | number | undefined, defaultS: number): number {
  if (typeof input === "string") return defined(parseDurationS(input), "a checked duration");
  return input ?? defaultS;
}

function asList(input: string | readonly string[] | undefined): readonly string[] {
  if (input === undefined) return [];
  return typeof input === "string" ? [input] : input;
}

function canonicalAddress(text: string): string {
  return formatAddress(defined(parseAddress(text), "a checked address"));
}

function canonicalCidr(text: string): CidrAddress {
  const cidr = parseCidr(text);
  assert(cidr !== undefined, "a checked address");
  return { family: cidr.address.family, address: formatAddress(cidr.address), prefixLength: cidr.prefixLength };
}
