/** What is done to one node's system. Each deed looks first where it could be repeated; a script's status is its word. */
import { randomBytes } from "node:crypto";
import { quoteForShell } from "../ssh/remote-commands.ts";
import type { SystemAction, VolumeAction } from "../plan/plan.ts";
import { GENERATION_PATH, LRM_SECRETS, SPEC_PATH, UNFORMATTED_TAG } from "./look.ts";
import { REFUSED_STATUS, type NodeShell } from "./node-shell.ts";

const SYSTEMCTL_TIMEOUT_MS = 60_000;
const INSTALL_TIMEOUT_MS = 900_000;
const LVM_TIMEOUT_MS = 60_000;
const FORMAT_TIMEOUT_MS = 600_000;

const words = (list: readonly string[]): string => list.map(quoteForShell).join(" ");
const PREAMBLE = "set -eu\nPATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8; export PATH LC_ALL\n";

export async function maskUnits(shell: NodeShell, units: readonly string[], timeScale: number): Promise<void> {
  const script = `${PREAMBLE}systemctl mask --now --quiet ${words(units)} 2>&1 | grep -v 'does not exist' || true
for unit in ${words(units)}; do [ "$(readlink "/etc/systemd/system/$unit")" = /dev/null ] || { echo "$unit is not masked" >&2; exit 1; }; done
`;
  await shell.must(script, SYSTEMCTL_TIMEOUT_MS * timeScale, "masking units");
}

/**
 * apt, without questions and without recommended packages. Nothing that is installed may start by itself: invoke-rc.d
 * asks /usr/sbin/policy-rc.d, and 101 means "no" (deb-systemd-invoke(1p), invoke-rc.d(8)). A policy that is there
 * already stays.
 */
export function installScript(packages: readonly string[]): string {
  return `${PREAMBLE}DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\\n# holdfast apply: nothing starts by being installed\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
options="-q -y --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300"
apt-get $options install ${words(packages)} >/tmp/holdfast-apt.$$ 2>&1 || {
  apt-get -q update >/tmp/holdfast-apt.$$ 2>&1 || true
  apt-get $options install ${words(packages)} >/tmp/holdfast-apt.$$ 2>&1 || { tail -n 20 /tmp/holdfast-apt.$$ >&2; rm -f /tmp/holdfast-apt.$$; exit 1; }
}
rm -f /tmp/holdfast-apt.$$
# Where Debian 12 has it, under the name that Debian 13 gave it.
[ -e /usr/libexec/heartbeat/tickle_tcp ] || {
  for place in /usr/lib/heartbeat/tickle_tcp /usr/lib/resource-agents/heartbeat/tickle_tcp; do
    [ ! -e $place ] || { mkdir -p /usr/libexec/heartbeat; ln -sf $place /usr/libexec/heartbeat/tickle_tcp; }
  done
}
`;
}

/** Our lines at the end of lvmlocal.conf: what stands there counts before lvm.conf (lvm.conf(5)). */
export function systemIdScript(systemId: string): string {
  return `${PREAMBLE}conf=/etc/lvm/lvmlocal.conf
[ -z "$(lvm systemid 2>/dev/null | sed -n 's/.*system ID: *//p')" ] || exit 0
[ ! -e $conf ] || cp -p $conf $conf.before-holdfast
cat >> $conf <<'END'

# Written by holdfast apply: which machine owns a volume group must be known.
global {
	system_id_source = "lvmlocal"
}
local {
	system_id = "${systemId}"
}
END
[ "$(lvm systemid | sed -n 's/.*system ID: *//p')" = ${quoteForShell(systemId)} ] || { echo "LVM does not take the system ID from $conf" >&2; exit 1; }
`;
}

/**
 * The spec, if it is newer than what lies there: an older plan, made before another apply and carried out after it, is
 * refused by the node itself.
 */
export async function writeSpec(shell: NodeShell, text: string, generation: string, number: number): Promise<void> {
  const fresh = `${SPEC_PATH}.holdfast-new`;
  await shell.put(fresh, text, 0o600);
  const script = `${PREAMBLE}have=$(cut -d ' ' -f 1 ${GENERATION_PATH} 2>/dev/null || echo 0)
if [ "\${have:-0}" -ge ${number} ]; then
  rm -f ${fresh}
  echo "another apply (number $have) was here since this one (number ${number}) was planned" >&2
  exit ${REFUSED_STATUS}
fi
mv -f ${fresh} ${SPEC_PATH}
printf '%s\\n' '${number} ${generation}' > ${GENERATION_PATH}.new
mv -f ${GENERATION_PATH}.new ${GENERATION_PATH}
`;
  await shell.must(script, SYSTEMCTL_TIMEOUT_MS, "writing the spec");
}

/** Twice a second; under emulation its start alone takes some seconds. */
const ANSWER_TRIES_MAX = 120;

/** Started, or started again; returns when it answers. Fileservers go on meanwhile. */
export async function startAgent(shell: NodeShell, timeScale: number): Promise<void> {
  const tries = Math.round(ANSWER_TRIES_MAX * Math.max(1, timeScale / 2));
  const script = `${PREAMBLE}systemctl daemon-reload
systemctl enable --quiet holdfast-agent.service
systemctl restart holdfast-agent.service
tries=0
until curl --silent --fail --max-time 5 --unix-socket /run/holdfast/agent.sock http://agent/v1/status >/dev/null 2>&1; do
  command -v curl >/dev/null || { [ ! -S /run/holdfast/agent.sock ] || break; }
  tries=$((tries + 1))
  [ $tries -lt ${tries} ] || { systemctl --no-pager --lines=20 status holdfast-agent.service >&2; exit 1; }
  sleep 0.5
done
`;
  await shell.must(script, tries * 6_000 + SYSTEMCTL_TIMEOUT_MS * timeScale, "starting the agent");
}

/** From a file on the node to where fenced looks for it, on the node: the values are in no argument and pass no wire. */
export function secretsScript(
  file: string,
  devices: readonly { readonly id: string; readonly nodes: readonly string[] }[],
): string {
  const path = quoteForShell(file);
  const perDevice = devices.map(({ id, nodes }) => {
    const [only, ...more] = nodes;
    const own = only !== undefined && more.length === 0 ? `${only}.*` : "/";
    return `give ${id} ${quoteForShell(own)}`;
  });
  return `${PREAMBLE}umask 077
[ "$(stat -c '%u' ${path})" = 0 ] || { echo "${file} does not belong to root" >&2; exit ${REFUSED_STATUS}; }
case "$(stat -c '%a' ${path})" in *00) ;; *) echo "${file} can be read by others than root" >&2; exit ${REFUSED_STATUS} ;; esac
give() {
  folder=${LRM_SECRETS}/$1
  mkdir -p "$folder"
  while IFS= read -r line; do
    name=\${line%%=*} value=\${line#*=}
    [ "$name" != "$line" ] || continue
    case $name in *[!A-Za-z0-9_.-]* | '') continue ;; esac
    case $name in
      $2) name=\${name#*.} ;;
      *.*) continue ;;
    esac
    printf '%s\\n' "$value" > "$folder/$name.new"
    printf '%s' "$value" | md5sum | cut -c 1-32 > "$folder/$name.sign"
    mv -f "$folder/$name.new" "$folder/$name"
  done < ${path}
}
${perDevice.join("\n")}
`;
}

export async function runSystemAction(
  shell: NodeShell,
  action: Extract<SystemAction, { readonly kind: "mask-units" | "install-packages" | "set-system-id" }>,
  timeScale: number,
): Promise<void> {
  if (action.kind === "mask-units") return maskUnits(shell, action.units, timeScale);
  if (action.kind === "install-packages") {
    await shell.must(
      installScript(action.packages),
      INSTALL_TIMEOUT_MS * Math.min(timeScale, 4),
      "installing packages",
    );
    return;
  }
  await shell.must(systemIdScript(action.node), LVM_TIMEOUT_MS * timeScale, "giving LVM a system ID");
}

/** Where a new file system is mounted for as long as its two folders are made. */
const NEW_VOLUME_PATH = "/run/holdfast-new-volume";

/**
 * The volume group, the logical volume, the file system with its two folders. What is there is kept, and every disk is
 * looked at once more: a signature that nobody consented to ends it before anything is written. The exported folder is
 * open to all, because root is squashed for clients.
 */
export function makeVolumeScript(action: VolumeAction): string {
  const [vg = "", lv = ""] = action.device.startsWith("/") ? [] : action.device.split("/");
  const path = quoteForShell(action.device.startsWith("/") ? action.device : `/dev/${action.device}`);
  const make = vg === "" ? [] : groupLines(action, quoteForShell(vg), quoteForShell(lv));
  const disks = vg === "" ? [action.device] : action.disks;
  const force = action.filesystem === "xfs" ? "-f" : "-F";
  return `${PREAMBLE}clean() {
  status=0
  found=$(blkid -p -s TYPE -s PTTYPE -o value "$1" 2>/dev/null) || status=$?
  case $status in 2) return 0 ;; esac
  echo "$1 carries \${found:-something that cannot be read}, and nobody consented to losing it" >&2
  exit ${REFUSED_STATUS}
}
${disks.map((disk) => (action.overwrites.includes(disk) ? `wipefs --all --quiet ${quoteForShell(disk)}` : `clean ${quoteForShell(disk)}`)).join("\n")}
${make.join("\n")}
mkfs.${action.filesystem} -q ${vg === "" ? "" : `${force} `}${path}
mkdir -p ${NEW_VOLUME_PATH}
mount -t ${action.filesystem} ${path} ${NEW_VOLUME_PATH}
trap 'umount ${NEW_VOLUME_PATH} 2>/dev/null; rmdir ${NEW_VOLUME_PATH} 2>/dev/null || true' EXIT
install -d -m 0700 ${NEW_VOLUME_PATH}/.holdfast
install -d -m 1777 ${NEW_VOLUME_PATH}/export
umount ${NEW_VOLUME_PATH}
${vg === "" ? "" : `lvchange --deltag ${UNFORMATTED_TAG} ${quoteForShell(action.device)} >/dev/null`}
${vg === "" ? "" : `vgchange -q -a n ${quoteForShell(vg)} >/dev/null`}
`;
}

function groupLines(action: VolumeAction, vg: string, lv: string): readonly string[] {
  const admit = action.disks.map(
    (disk) => `[ ! -e /etc/lvm/devices/system.devices ] || lvmdevices --yes --adddev ${quoteForShell(disk)}`,
  );
  const group =
    action.disks.length === 0
      ? []
      : [
          ...admit,
          // One step for disks and group: a killed apply leaves no disk that looks used and belongs to nothing.
          `vgcreate -q -y --setautoactivation n ${vg} ${words(action.disks)} >/dev/null`,
        ];
  return [
    ...group,
    // Tagged until it is formatted: whoever finds it knows that nothing is on it.
    `if lvs --noheadings ${vg}/${lv} >/dev/null 2>&1; then`,
    `  lvs --noheadings -o lv_tags ${vg}/${lv} | grep -q ${UNFORMATTED_TAG} || { lvchange -q -y -a y ${vg}/${lv}; clean /dev/${vg}/${lv}; }`,
    `  lvchange -q -y -a y ${vg}/${lv}`,
    `else lvcreate -q -y -W y --addtag ${UNFORMATTED_TAG} -l 100%FREE -n ${lv} ${vg} >/dev/null; fi`,
    `tries=0; until [ -b /dev/${vg}/${lv} ]; do tries=$((tries + 1)); [ $tries -lt 100 ] || exit 1; sleep 0.1; done`,
  ];
}

export async function makeVolume(shell: NodeShell, action: VolumeAction, timeScale: number): Promise<void> {
  await shell.must(makeVolumeScript(action), FORMAT_TIMEOUT_MS * Math.min(timeScale, 4), `making ${action.device}`);
}

/** As corosync-keygen makes it: 2048 bits (exec/totemconfig.h: 128 to 4096 bytes). */
export const AUTHKEY_BYTES = 256;

/** Kept in this process's memory only; the nodes get it over stdin. */
export async function authkeyFrom(shell: NodeShell | undefined, path: string): Promise<Uint8Array> {
  return shell === undefined ? randomBytes(AUTHKEY_BYTES) : shell.read(path);
}
