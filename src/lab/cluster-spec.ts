/** The spec of the lab's cluster, and the preparation of its volumes, as text. Pure. */
import { addressOf, fileserversOf, type LabFileserver, type MachinePlan } from "./plan.ts";
import type { LabEngine } from "./state.ts";

const LAN_PREFIX_IPV6 = "fd77::";

/** Fileservers with one volume each, on a LUN of its own. */
export function holdfastSpec(
  labName: string,
  nodes: readonly MachinePlan[],
  sshConfigPath: string,
  engine: LabEngine,
  fileservers: readonly LabFileserver[] = fileserversOf(nodes.length),
  directors: readonly MachinePlan[] = [],
): string {
  const nodeLines = nodes.map(
    ({ name, number }) =>
      `    - { name: ${name}, addresses: [${addressOf("lan", number)}, ${addressOf("ring", number)}] }`,
  );
  const lines = [
    "# Written by `holdfast lab up --cluster holdfast`.",
    "apiVersion: holdfast/v1",
    "cluster:",
    `  name: ${labName}`,
    `  engine: ${engine}`,
    "  nodes:",
    ...nodeLines,
    ...(engine === "pacemaker" ? ["  fencing:", "    - { agent: scsi }"] : []),
    "  ssh:",
    `    config: ${JSON.stringify(sshConfigPath)}`,
    "fileservers:",
    ...fileservers.flatMap(({ name, number }, index) => fileserverLines(name, number, preferredNode(nodes, index))),
    ...directorLines(directors, fileservers[0]),
  ];
  return `${lines.join("\n")}\n`;
}

/** Before the first fileserver only: the others are there to compare with, in the same cluster. */
function directorLines(directors: readonly MachinePlan[], fileserver: LabFileserver | undefined): readonly string[] {
  if (directors.length === 0 || fileserver === undefined) return [];
  return [
    "directors:",
    "  - name: lb",
    "    machines:",
    ...directors.map(({ name, number }) => `      - { name: ${name}, address: ${addressOf("lan", number)} }`),
    "    services:",
    `      - fileserver: ${fileserver.name}`,
  ];
}

/** Two nodes: all on the first, so that the second is idle as most are; more: spread. */
function preferredNode(nodes: readonly MachinePlan[], index: number): string {
  return nodes[nodes.length > 2 ? index % nodes.length : 0]?.name ?? "n1";
}

function fileserverLines(name: string, number: number, prefer: string): readonly string[] {
  return [
    `  - name: ${name}`,
    `    hostname: ${name}.lab.example`,
    `    address: [${addressOf("lan", number)}/24, "${LAN_PREFIX_IPV6}${number}/64"]`,
    "    interface: eth1",
    "    link: macvlan",
    "    protocols: [v3, v4]",
    "    volumes:",
    `      - { name: data, device: ${name}/data, filesystem: xfs }`,
    "    exports:",
    "      - path: /export/data",
    "        volume: data",
    '        clients: [{ match: 10.77.0.0/24, options: [rw] }, { match: "fd77::/64", options: [rw] }]',
    `    placement: { prefer: ${prefer}, failback: manual }`,
  ];
}

/**
 * Makes each fileserver's volume where it is not there yet: volume group on its LUN, one volume, a file system with the
 * hidden state folder and the exported one. Runs on the first node, which then owns the groups (system ID); a group that
 * another node owns is left alone. The exported folder is open to all, because root is squashed for clients.
 */
export function prepareVolumesScript(nodes: number): string {
  const volumes = fileserversOf(nodes).map(({ name }, index) => `prepare ${name} ${index}`);
  return `set -eu
PATH=/usr/sbin:/usr/bin
prepare() {
  group=$1
  device=$(ls /dev/disk/by-id/wwn-0x6001405$2* | grep -v part | head -1)
  [ -z "$(vgs --foreign --noheadings -o vg_name "$group" 2>/dev/null)" ] || return 0
  echo "volume $group/data: making"
  wipefs -q -a "$device"
  pvcreate -q -y "$device" >/dev/null
  vgcreate -q --setautoactivation n "$group" "$device" >/dev/null
  lvcreate -q -y -W n -l 100%FREE -n data "$group" >/dev/null
  mkfs.xfs -q -f -K -L "$group" "/dev/$group/data"
  mkdir -p /run/lab/volume
  mount "/dev/$group/data" /run/lab/volume
  install -d -m 0700 /run/lab/volume/.holdfast
  install -d -m 1777 /run/lab/volume/export
  umount /run/lab/volume
  vgchange -q -a n "$group" >/dev/null
}
${volumes.join("\n")}
`;
}
