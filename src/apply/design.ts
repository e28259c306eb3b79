/** What the spec comes to on its nodes: names, texts, and the change of Pacemaker's configuration. No I/O. */
import { known, unknown, type Observed } from "../base/observed.ts";
import type { Spec } from "../model/spec.ts";
import { STOCK_UNITS } from "../nfs/stock-units.ts";
import { changeCib } from "../pacemaker/change.ts";
import { parseCib } from "../pacemaker/cib.ts";
import { corosyncConf, readCorosyncConf } from "../pacemaker/corosync-conf.ts";
import { devicesWithSecrets, wantedCib, type WantedCib } from "../pacemaker/wanted.ts";
import { messageOf } from "../base/fault.ts";
import type { CibPlan, Design, DesignedFile, PacemakerDesign } from "../plan/design.ts";
import { designDirectors, secretOf } from "./design-directors.ts";
import { AGENT_ENV_PATH, SPEC_PATH, type Look, type Questions } from "./look.ts";
import type { PackagedTexts } from "./packaging.ts";

export interface DesignChoice {
  readonly version: string;
  readonly packaged: PackagedTexts;
  /** Undefined: as the nodes have it already. */
  readonly timeScale?: number;
  readonly consents: readonly string[];
}

export const COROSYNC_CONF_PATH = "/etc/corosync/corosync.conf";
export const UNIT_PATH = "/etc/systemd/system/holdfast-agent.service";
export const RESOURCE_AGENT_PATH = "/usr/lib/ocf/resource.d/holdfast/fileserver";
export const PACEMAKER_ORDER_PATH = "/etc/systemd/system/pacemaker.service.d/holdfast.conf";
export const FENCE_AGENT_PATH = "/usr/sbin/fence_holdfast";

/** Debian's names, the same in 12 and 13. packaging/README.md says what each is for. */
const PACKAGES: readonly string[] = [
  "nfs-kernel-server",
  "nfs-common",
  "rpcbind",
  "nftables",
  "iputils-arping",
  "iproute2",
  "kmod",
  "resource-agents",
  "lvm2",
  "xfsprogs",
  "e2fsprogs",
  "sg3-utils",
  // Of Node.js, in the program itself; Debian 12 does not bring it along.
  "libatomic1",
];
const PACEMAKER_PACKAGES: readonly string[] = ["corosync", "pacemaker", "pacemaker-cli-utils", "curl"];

const WATCHED_UNITS: readonly string[] = [
  "holdfast-agent.service",
  "corosync.service",
  "pacemaker.service",
  "corosync-qdevice.service",
];

export function packagesFor(spec: Spec): readonly string[] {
  if (spec.cluster.engine === "standalone") return PACKAGES;
  const fencing = spec.cluster.fencing.some((way) => way.agent !== "scsi") ? ["fence-agents"] : [];
  const witness = spec.cluster.witness === undefined ? [] : ["corosync-qdevice"];
  return [...PACKAGES, ...PACEMAKER_PACKAGES, ...fencing, ...witness];
}

/** What has to be known of a node before anything can be planned. */
export function questionsFor(spec: Spec): Questions {
  const volumes = spec.fileservers.flatMap((fileserver) => fileserver.volumes);
  const groups = volumes.flatMap(({ device }) => (device.kind === "lv" ? [device.vg] : []));
  const devices = volumes.flatMap(({ device, disks = [] }) => [
    device.kind === "lv" ? `${device.vg}/${device.lv}` : device.path,
    ...disks,
  ]);
  return {
    packages: packagesFor(spec),
    files: [
      SPEC_PATH,
      COROSYNC_CONF_PATH,
      UNIT_PATH,
      RESOURCE_AGENT_PATH,
      FENCE_AGENT_PATH,
      PACEMAKER_ORDER_PATH,
      AGENT_ENV_PATH,
    ],
    units: [...STOCK_UNITS, ...WATCHED_UNITS],
    volumeGroups: [...new Set(groups)],
    devices: [...new Set(devices)],
    secrets: secretQuestions(spec),
    hostNames: spec.fileservers.map((fileserver) => fileserver.hostname),
    sharedSecrets: [...new Set(spec.directors.flatMap((director) => secretOf(director) ?? []))],
  };
}

function secretQuestions(spec: Spec): Questions["secrets"] {
  const devices = devicesWithSecrets(spec.cluster);
  return [...new Set(devices.map(({ file }) => file))].map((file) => ({
    file,
    devices: devices.filter((device) => device.file === file).map(({ id, nodes }) => ({ id, nodes })),
  }));
}

/** The scale that was asked for, else the largest that a node's agent runs with. */
export function timeScaleOf(looks: ReadonlyMap<string, Look>, asked: number | undefined): number {
  return asked ?? Math.max(1, ...[...looks.values()].map((look) => look.system.timeScale));
}

export function wantedFor(spec: Spec, looks: ReadonlyMap<string, Look>, asked: number | undefined): WantedCib {
  return wantedCib(spec, { timeScale: timeScaleOf(looks, asked), secretNames: secretNames(looks) });
}

/** Every name that any node has: the nodes' files are to be the same, and one that lacks one is told about. */
function secretNames(looks: ReadonlyMap<string, Look>): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  for (const look of looks.values()) {
    for (const [file, found] of look.system.secrets) {
      names.set(file, [...new Set([...(names.get(file) ?? []), ...found.names])]);
    }
  }
  return names;
}

export function makeDesign(spec: Spec, looks: ReadonlyMap<string, Look>, choice: DesignChoice): Design {
  const timeScale = timeScaleOf(looks, choice.timeScale);
  const { packaged } = choice;
  const pacemaker = spec.cluster.engine === "pacemaker";
  const env: readonly DesignedFile[] =
    choice.timeScale === undefined
      ? []
      : [{ name: "agent-env", path: AGENT_ENV_PATH, mode: 0o600, text: `HOLDFAST_TIME_SCALE=${choice.timeScale}\n` }];
  const cluster: readonly DesignedFile[] = pacemaker
    ? [
        { name: "resource-agent", path: RESOURCE_AGENT_PATH, mode: 0o755, text: packaged["resource-agent"] },
        { name: "fence-agent", path: FENCE_AGENT_PATH, mode: 0o755, text: packaged["fence-agent"] },
        { name: "pacemaker-order", path: PACEMAKER_ORDER_PATH, mode: 0o644, text: packaged["pacemaker-order"] },
        {
          name: "corosync-conf",
          path: COROSYNC_CONF_PATH,
          mode: 0o644,
          text: corosyncConf(spec.cluster, { timeScale, nodeIds: knownNodeIds(spec, looks) }),
        },
      ]
    : [];
  return {
    version: choice.version,
    packages: packagesFor(spec),
    maskedUnits: STOCK_UNITS,
    files: [{ name: "agent-unit", path: UNIT_PATH, mode: 0o644, text: packaged["agent-unit"] }, ...env, ...cluster],
    pacemaker: pacemaker ? pacemakerDesign(spec, looks, choice) : undefined,
    directors: designDirectors(spec, packaged["director-unit"], timeScale, choice.timeScale),
    consents: choice.consents,
  };
}

function foundConfs(looks: ReadonlyMap<string, Look>) {
  return [...looks].flatMap(([node, look]) => {
    const text = look.system.files.get(COROSYNC_CONF_PATH);
    return text === undefined ? [] : [{ node, conf: readCorosyncConf(text) }];
  });
}

function knownNodeIds(spec: Spec, looks: ReadonlyMap<string, Look>): ReadonlyMap<string, number> {
  const own = foundConfs(looks).filter(({ conf }) => conf.clusterName === spec.cluster.name);
  return new Map(own.flatMap(({ conf }) => [...conf.nodeIds]));
}

function pacemakerDesign(spec: Spec, looks: ReadonlyMap<string, Look>, choice: DesignChoice): PacemakerDesign {
  const confs = foundConfs(looks);
  const devices = devicesWithSecrets(spec.cluster);
  const files = [...new Set(devices.map(({ file }) => file))];
  return {
    foundClusters: new Map(
      confs.flatMap(({ node, conf }) =>
        conf.stock || conf.clusterName === undefined ? [] : [[node, conf.clusterName]],
      ),
    ),
    stockNodes: new Set(confs.flatMap(({ node, conf }) => (conf.stock ? [node] : []))),
    cib: cibPlan(spec, looks, choice),
    secrets: files.map((file) => ({
      file,
      devices: devices.filter((device) => device.file === file).map(({ id }) => id),
    })),
    witness: spec.cluster.witness,
  };
}

function cibPlan(spec: Spec, looks: ReadonlyMap<string, Look>, choice: DesignChoice): Observed<CibPlan> {
  const stock = new Set(foundConfs(looks).flatMap(({ node, conf }) => (conf.stock ? [node] : [])));
  const running = [...looks].filter(
    ([node, { system }]) => system.units.get("pacemaker.service")?.active === true && !stock.has(node),
  );
  if (running.length === 0) return unknown("the cluster does not run");
  const text = running.map(([, look]) => look.cib).find((cib) => cib !== undefined);
  if (text === undefined) return unknown("Pacemaker runs and did not say in time");
  try {
    const change = changeCib(parseCib(text).root, wantedFor(spec, looks, choice.timeScale));
    return known(change);
  } catch (error) {
    return unknown(messageOf(error));
  }
}
