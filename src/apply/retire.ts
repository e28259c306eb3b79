/**
 * A node that leaves: its services end in good order, its key comes off the LUNs, its files go. Data is on the volumes,
 * which are not touched; packages and masked units stay, since others may count on them by now.
 */
import { messageOf } from "../base/fault.ts";
import { PARENT_TABLE_PREFIX } from "../linux/parent-mute-filter.ts";
import { reservationKey } from "../model/derive.ts";
import type { Spec } from "../model/spec.ts";
import { quoteForShell } from "../ssh/remote-commands.ts";
import {
  COROSYNC_CONF_PATH,
  FENCE_AGENT_PATH,
  PACEMAKER_ORDER_PATH,
  RESOURCE_AGENT_PATH,
  UNIT_PATH,
} from "./design.ts";
import { AUTHKEY_PATH } from "./look.ts";
import type { NodeShell } from "./node-shell.ts";

/** What a node has of ours besides its packages. */
const OUR_PATHS: readonly string[] = [
  "/etc/holdfast",
  UNIT_PATH,
  RESOURCE_AGENT_PATH,
  FENCE_AGENT_PATH,
  PACEMAKER_ORDER_PATH,
  COROSYNC_CONF_PATH,
  AUTHKEY_PATH,
  "/etc/corosync/qdevice",
  "/var/lib/pacemaker/cib",
  "/var/lib/pacemaker/lrm/secrets",
  "/var/lib/corosync",
];

const STOP_TIMEOUT_MS = 300_000;
const KEYS_TIMEOUT_MS = 60_000;

const words = (list: readonly string[]): string => [...new Set(list)].map(quoteForShell).join(" ");

/** Services first, so that nothing of it runs when its files go; Pacemaker's own folders stay, empty. */
export function retireScript(): string {
  return `set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8; export PATH LC_ALL
for unit in pacemaker.service corosync-qdevice.service corosync.service holdfast-agent.service; do
  systemctl disable --now --quiet "$unit" 2>/dev/null || true
  if systemctl is-active --quiet "$unit"; then echo "$unit does not stop" >&2; exit 1; fi
done
systemctl stop holdfast.slice 2>/dev/null || true
for table in $(nft list tables netdev 2>/dev/null | sed -n 's/^table netdev \\(${PARENT_TABLE_PREFIX}[^ ]*\\)$/\\1/p'); do
  nft delete table netdev "$table" || true
done
for path in ${words(OUR_PATHS)}; do
  case $path in /var/lib/*) [ ! -d "$path" ] || find "$path" -mindepth 1 -delete ;; *) rm -rf "$path" ;; esac
done
systemctl daemon-reload
`;
}

/**
 * The key off every LUN, then what the agent keeps for the boot: with the marker left behind, an agent that comes back
 * would take the missing key for a fence, and restart the machine.
 */
export function dropKeysScript(spec: Spec, key: string): string {
  const volumes = spec.fileservers.flatMap((fileserver) => fileserver.volumes);
  const groups = volumes.flatMap(({ device }) => (device.kind === "lv" ? [device.vg] : []));
  const disks = volumes.flatMap(({ device }) => (device.kind === "disk" ? [device.path] : []));
  return `PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH
for disk in ${words(disks)} $(for group in ${words(groups)}; do vgs --foreign --nohints --noheadings -o pv_name "$group" 2>/dev/null; done); do
  sg_persist --no-inquiry --in --read-keys "$disk" 2>/dev/null | grep -qi "0x0*${key.replace(/^0+/, "")}$" || continue
  sg_persist --no-inquiry --out --register --param-rk=0x${key} --param-sark=0 "$disk" >/dev/null 2>&1 || echo "$disk"
done
rm -rf /run/holdfast 2>/dev/null || rm -f /run/holdfast/registered* /run/holdfast/agent.sock
exit 0
`;
}

/** Resolves with the disks that still have its key: told, because it does no harm to data. */
export async function retireNode(shell: NodeShell, spec: Spec, timeScale: number): Promise<readonly string[]> {
  await shell.must(retireScript(), STOP_TIMEOUT_MS * timeScale, "taking Holdfast off it");
  const key = reservationKey(spec.cluster.name, shell.node);
  try {
    const result = await shell.run(dropKeysScript(spec, key), KEYS_TIMEOUT_MS * timeScale);
    return result.stdout.split("\n").filter((line) => line !== "");
  } catch (error) {
    return [`its disks (${messageOf(error)})`];
  }
}

export function keyLeft(spec: Spec, node: string, disk: string): string {
  const key = reservationKey(spec.cluster.name, node);
  return `${node}: its key is still on ${disk}; to take it off: sg_persist --out --register --param-rk=0x${key} --param-sark=0 ${disk}`;
}
