/** What is run on the nodes of a stock cluster. Each script looks first, so that a second `lab up` changes nothing. Pure. */
import type { Suite } from "./recipe.ts";
import {
  STOCK_DEVICE,
  STOCK_EXPORT_PATH,
  STOCK_FILESERVER,
  stockCorosyncConf,
  stockNfsConf,
  stockPackages,
  stockResourcesXml,
  type StockCluster,
} from "./stock-cluster.ts";
import type { MachinePlan } from "./plan.ts";

const PREAMBLE =
  "set -eu\nPATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive; export PATH LC_ALL DEBIAN_FRONTEND\n";

/** The image masks them, because Holdfast starts its own; the stock agents start these. */
const UNMASKED = [
  "nfs-server.service",
  "nfs-kernel-server.service",
  "nfs-common.service",
  "nfs-mountd.service",
  "nfsdcld.service",
  "nfs-idmapd.service",
  "nfs-blkmap.service",
  "fsidd.service",
  "rpc-statd.service",
  "rpc-statd-notify.service",
  "rpc-gssd.service",
  "rpc-svcgssd.service",
  "auth-rpcgss-module.service",
  "rpcbind.service",
  "rpcbind.socket",
  "nfs-client.target",
  "proc-fs-nfsd.mount",
  "run-rpc_pipefs.mount",
  "var-lib-nfs-rpc_pipefs.mount",
];

export interface StockNode {
  readonly cluster: StockCluster;
  readonly suite: Suite;
  readonly name: string;
  readonly nodes: readonly MachinePlan[];
}

/**
 * Packages, units and files of one node; standard input after the script is not used, the key comes in it.
 * What had to be found out for Debian 13: its NFS units pull each other in, so all have to be startable; the nfsserver
 * agent takes the path of the init script there and starts rpc.statd itself, which needs rpcbind; and pacemaker has to
 * wait for the node's disks, because unfencing registers on them.
 * @param keyBase64 corosync's authkey, the same on all nodes; it comes with the script over standard input, never as an argument.
 */
export function stockNodeScript({ cluster, suite, name, nodes }: StockNode, keyBase64: string): string {
  const packages = stockPackages(cluster, suite).join(" ");
  const nfsConf = stockNfsConf(cluster);
  const files = [
    ["/etc/corosync/corosync.conf", stockCorosyncConf(cluster, name, nodes)],
    ["/etc/systemd/system/pacemaker.service.d/lab.conf", "[Unit]\nAfter=lab-boot.service\n"],
    ...(nfsConf === undefined ? [] : [["/etc/nfs.conf.d/stock-tuned.conf", nfsConf]]),
  ];
  return `${PREAMBLE}missing=
for package in ${packages}; do
  dpkg-query -W -f '\${db:Status-Status}' $package 2>/dev/null | grep -q '^installed$' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  apt-get -q update >/dev/null
  apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold install $missing </dev/null >/run/lab/stock-apt.log 2>&1 || { tail -n 20 /run/lab/stock-apt.log >&2; exit 1; }
  rm -f /usr/sbin/policy-rc.d
  echo "installed$missing"
fi
changed=no
for unit in ${UNMASKED.join(" ")}; do
  [ "$(readlink /etc/systemd/system/$unit)" != /dev/null ] || { rm /etc/systemd/system/$unit; changed=yes; }
done
put() { mkdir -p "$(dirname "$1")"; cat > "$1.new"; if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; changed=yes; fi; }
${files.map(([path, text]) => `put ${path} <<'END-OF-FILE'\n${text}END-OF-FILE`).join("\n")}
umask 077
base64 -d > /etc/corosync/authkey.new <<'END-OF-KEY'
${keyBase64}
END-OF-KEY
chmod 400 /etc/corosync/authkey.new
if cmp -s /etc/corosync/authkey.new /etc/corosync/authkey; then rm /etc/corosync/authkey.new; else mv /etc/corosync/authkey.new /etc/corosync/authkey; changed=yes; fi
umask 022
mkdir -p ${STOCK_EXPORT_PATH}
if [ $changed = yes ]; then
  systemctl daemon-reload
  # Only the cluster starts them.
  systemctl disable -q nfs-server.service nfs-client.target 2>/dev/null || true
  systemctl enable -q rpcbind.socket rpcbind.service
  systemctl enable -q corosync.service pacemaker.service
  systemctl stop pacemaker.service corosync.service
fi
systemctl start rpcbind.socket rpcbind.service
# Without waiting: both nodes are to start together.
systemctl start --no-block corosync.service pacemaker.service
`;
}

/** On the first node. A group that any node owns is left alone. */
export function stockVolumeScript(): string {
  const group = STOCK_FILESERVER;
  return `${PREAMBLE}[ -z "$(vgs --foreign --noheadings -o vg_name ${group} 2>/dev/null)" ] || exit 0
echo "volume ${group}/data: making"
device=${STOCK_DEVICE}
[ -b $device ] || { echo "$device is not there" >&2; exit 1; }
wipefs -q -a $device
pvcreate -q -y $device >/dev/null
vgcreate -q --setautoactivation n ${group} $device >/dev/null
lvcreate -q -y -W n -l 100%FREE -n data ${group} >/dev/null
mkfs.xfs -q -f -K -L ${group} /dev/${group}/data
mkdir -p /run/lab/volume
mount /dev/${group}/data /run/lab/volume
chmod 1777 /run/lab/volume
install -d -m 0700 /run/lab/volume/tickle
umount /run/lab/volume
vgchange -q -a n ${group} >/dev/null
`;
}

const CONFIGURED = "/etc/lab/stock-configured";

/** On the first node, once all are online. Fencing is slow under emulation: fence_scsi is a Python program that starts others. */
export function stockConfigureScript(cluster: StockCluster, nodes: readonly MachinePlan[]): string {
  return `${PREAMBLE}mkdir -p /etc/lab
cat > ${CONFIGURED}.new <<'END-OF-FILE'
${stockResourcesXml(cluster, nodes)}END-OF-FILE
if cmp -s ${CONFIGURED}.new ${CONFIGURED}; then rm ${CONFIGURED}.new; exit 0; fi
echo "resources: configuring"
crm_attribute -t crm_config -n stonith-enabled -v true
crm_attribute -t crm_config -n stonith-timeout -v 120s
# As pcs sets it up: a service stays where it is.
crm_attribute -t rsc_defaults -n resource-stickiness -v 1
cibadmin --replace --scope resources --xml-file ${CONFIGURED}.new
mv ${CONFIGURED}.new ${CONFIGURED}
`;
}
