/** Where the agent keeps things on a node. Everything under /run can be made again; what must survive is on the volumes. */
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";

export const PLACES = {
  run: "/run/holdfast",
  socket: "/run/holdfast/agent.sock",
  holderScript: "/run/holdfast/holder.sh",
  spec: "/etc/holdfast/holdfast.yaml",
  cgroups: "/sys/fs/cgroup/holdfast.slice",
  /** Names a step id: the agent kills itself when that step begins. For drills of crash points; root only, removed when read. */
  crashPoint: "/run/holdfast/crash-at",
  /** The LUNs on which this node has registered since it was booted. */
  registered: "/run/holdfast/registered",
} as const;

/** The node's own holder; no fileserver can have this name (RFC 1123 labels have no underscore). */
export const HOST_HOLDER = "_host";

/** The holder's folder, in the node's own mount namespace. */
export function holderFolder(fileserver: string): string {
  return `${PLACES.run}/fs/${fileserver}`;
}

export function scopeUnit(fileserver: string): string {
  return `holdfast-${fileserver}.scope`;
}

export function scopeFolder(fileserver: string): string {
  return `${PLACES.cgroups}/${scopeUnit(fileserver)}`;
}

/* Inside the fileserver's mount namespace, where /run is a tmpfs of its own. */

export function volumePath(volume: VolumeSpec): string {
  return `/run/holdfast/volumes/${volume.name}`;
}

/** Of the fileserver's link, in the sysfs mounted inside: it shows the fileserver's own links. */
export const LINK_FOLDER = "/run/holdfast/sys/class/net/eth0";

/** There where the filter that makes hushes of announcements is loaded (linux/hush-filter.ts). */
export const HUSH_READY = "/run/holdfast/hush-ready";

/** State that must survive a move: on the first volume, above its exports, root only. */
export function statePath(fileserver: FileserverSpec): string {
  return `${volumePath(fileserver.volumes[0] as VolumeSpec)}/.holdfast`;
}

/** The part of a volume that clients may see. */
export function exportedPath(volume: VolumeSpec): string {
  return `${volumePath(volume)}/export`;
}

/** A path inside the fileserver's mount namespace, as the agent reaches it through one of its processes. */
export function insidePath(pid: number, path: string): string {
  return `/proc/${pid}/root${path}`;
}
