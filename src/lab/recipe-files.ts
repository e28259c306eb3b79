/** The texts that are put into the image. Shell where it runs inside a machine before, or without, Holdfast. */

/**
 * The whole initramfs: static busybox and a few modules instead of Debian's 20 MB, which takes some 8 s under emulation. `lab.probe` answers whether a guest boots at all (see kvm.ts).
 */
export const INITRAMFS_INIT = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
case "$(/bin/busybox cat /proc/cmdline)" in *lab.probe*) echo "lab: guest booted"; /bin/busybox poweroff -f;; esac
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod "/modules/$module.ko"; done
tries=0
until [ -b /dev/vda ] || [ $tries -ge 100 ]; do /bin/busybox sleep 0.1; tries=$((tries + 1)); done
/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /root || echo "lab: no system disk"
/bin/busybox mount --move /dev /root/dev
/bin/busybox mount --move /proc /root/proc
/bin/busybox mount -t sysfs sysfs /root/sys
/bin/busybox chroot /root /usr/lib/lab/early
exec /bin/busybox switch_root /root /sbin/init
`;

/**
 * Runs before systemd, in the machine's root: who the machine is, from the kernel's command line, and its addresses.
 * No DHCP, no networkd: every address is known beforehand. IPv6 without duplicate detection (nodad), because its second
 * of waiting would be seen as a slow boot.
 */
export const EARLY_SCRIPT = `#!/bin/sh
PATH=/usr/sbin:/usr/bin
for word in $(cat /proc/cmdline); do
  case $word in
    lab.name=*) name=\${word#*=} ;;
    lab.role=*) role=\${word#*=} ;;
    lab.number=*) number=\${word#*=} ;;
  esac
done
hostname "$name"
echo "$name" > /etc/hostname
printf 'holdfast-lab-%s' "$name" | md5sum | cut -c1-32 > /etc/machine-id
echo "InitiatorName=iqn.2026-11.example.lab:$name" > /etc/iscsi/initiatorname.iscsi
printf 'local {\\n\\tsystem_id = "%s"\\n}\\n' "$name" > /etc/lvm/lvmlocal.conf
mkdir -p /etc/lab && echo "$role" > /etc/lab/role
if [ "$role" = client ]; then
  for unit in rpcbind.service rpcbind.socket rpc-statd.service rpc-statd-notify.service run-rpc_pipefs.mount; do
    [ "$(readlink /etc/systemd/system/$unit)" = /dev/null ] && rm -f /etc/systemd/system/$unit
  done
fi
ip -batch - <<EOF
link set lo up
addr add 10.0.2.15/24 dev eth0
link set eth0 up
addr add 10.77.0.$number/24 dev eth1
addr add fd77::$number/64 dev eth1 nodad
link set eth1 up
EOF
[ -e /sys/class/net/eth2 ] && ip addr add 10.78.0.$number/24 dev eth2 && ip link set eth2 up
[ -e /sys/class/net/eth3 ] && ip addr add 10.79.0.$number/24 dev eth3 && ip link set eth3 up
echo "lab: network up"
`;

/** Ends when the machine can do what its role is for; \`lab up\` reads the last line on the serial console. */
export const READY_UNIT = `[Unit]
Description=The lab machine's role
After=basic.target ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/lab/boot
[Install]
WantedBy=multi-user.target
`;

export const BOOT_SCRIPT = `#!/bin/sh
PATH=/usr/sbin:/usr/bin
role=$(cat /etc/lab/role)
say() { echo "lab: $*" > /dev/console; }
say ssh up
case $role in
  storage) /usr/lib/lab/target || say target failed ;;
  node) /usr/lib/lab/initiator || say initiator failed ;;
  client) modprobe -a nfs nfsv3 nfsv4; systemctl start --no-block rpcbind.service rpc-statd.service ;;
esac
mkdir -p /run/lab && : > /run/lab/ready
say ready
`;

/**
 * The kernel's iSCSI target over configfs. LUN n is the disk with serial lun<n>; its write cache is announced as the
 * disk announces it (iblock reads it from the block queue), so a flush goes all the way down. Persistent reservations
 * with APTPL are kept by the kernel in /etc/target/pr and given back here at boot, before anyone can log in: a storage
 * machine that loses power must not forget who was fenced (SPC-4, 5.12.4; drivers/target/target_core_configfs.c,
 * target_pr_res_aptpl_metadata_store refuses once a portal exports the device).
 */
export const TARGET_SCRIPT = `#!/bin/bash
set -e
PATH=/usr/sbin:/usr/bin
# The kernel keeps reservations below this folder when it is there as its module is loaded.
# It writes them without fsync (target_core_pr.c, __core_scsi3_write_aptpl_to_file): here every write is synchronous.
mkdir -p /etc/target/pr /etc/target/alua
chattr +SD /etc/target/pr
modprobe -a target_core_mod target_core_iblock iscsi_target_mod
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target
tpg=iscsi/iqn.2026-11.example.lab:st/tpgt_1
mkdir -p $tpg
for disk in /sys/block/vd*; do
  serial=$(cat $disk/serial); case $serial in lun*) ;; *) continue ;; esac
  number=\${serial#lun}
  device=core/iblock_$number/$serial
  mkdir -p $device
  echo "udev_path=/dev/\${disk##*/}" > $device/control
  echo 1 > $device/enable
  # The last twelve digits make the NAA identifier: by-id names stay the same for ever.
  echo "$serial" > $device/wwn/vpd_unit_serial
  if [ -s /etc/target/pr/aptpl_$serial ]; then
    awk '/^PR_REG_START/ { line = ""; next } /^PR_REG_END/ { print line; next } { line = line (line == "" ? "" : ",") $0 }' /etc/target/pr/aptpl_$serial |
      while read -r line; do echo "$line" > $device/pr/res_aptpl_metadata || echo "lab: reservation not restored: $line" > /dev/console; done
  fi
  mkdir -p $tpg/lun/lun_$number
  ln -s /sys/kernel/config/target/$device $tpg/lun/lun_$number/
done
echo 0 > $tpg/attrib/authentication
echo 1 > $tpg/attrib/generate_node_acls
echo 1 > $tpg/attrib/cache_dynamic_acls
echo 0 > $tpg/attrib/demo_mode_write_protect
echo 1 > $tpg/enable
mkdir -p $tpg/np/10.79.0.9:3260
`;

/** Both LUNs, over the san only. The node record is written by hand: discovery costs two more starts of iscsiadm. */
export const INITIATOR_SCRIPT = `#!/bin/bash
PATH=/usr/sbin:/usr/bin
modprobe -a iscsi_tcp sd_mod dm_mod
mkdir -p /run/lock/iscsi
pidof iscsid >/dev/null || iscsid
target=iqn.2026-11.example.lab:st
# Asking the port costs nothing; each iscsiadm costs an emulated machine half a second.
tries=0
until timeout 2 bash -c ': < /dev/tcp/10.79.0.9/3260' 2>/dev/null; do
  tries=$((tries + 1)); [ $tries -lt 240 ] || exit 1
  sleep 0.5
done
tries=0
until iscsiadm -m session 2>/dev/null | grep -q $target; do
  iscsiadm -m node -T $target -p 10.79.0.9:3260,1 -o new >/dev/null 2>&1
  iscsiadm -m node -T $target -p 10.79.0.9:3260,1 --login >/dev/null 2>&1
  tries=$((tries + 1)); [ $tries -lt 60 ] || exit 1
  sleep 1
done
udevadm settle --timeout=30
`;

export const PACKAGES_FOLDER = "/var/lib/holdfast-lab/packages";
export const APT_SOURCE = `deb [trusted=yes] file:${PACKAGES_FOLDER} ./\n`;

/** Makes an apt repository of the packages in a folder: what dpkg-scanpackages does, which would bring perl along. */
export const INDEX_PACKAGES_SCRIPT = `#!/bin/sh
set -e
cd ${PACKAGES_FOLDER}
for file in *.deb; do
  dpkg-deb -f "$file"
  printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
done > Packages
`;

export const SSHD_CONFIG = `PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
PrintMotd no
HostKey /etc/ssh/ssh_host_ed25519_key
MaxSessions 64
MaxStartups 64:30:128
AcceptEnv LANG LC_*
`;

export const SYSCTL_CONFIG = `# An NMI from QEMU (lab fault panic) panics the machine; it then stays down as a dead machine does.
kernel.unknown_nmi_panic = 1
kernel.panic = 0
kernel.printk = 4 4 1 7
`;

export const NFS_CONFIG = `[statd]
port=662
outgoing-port=663
[lockd]
port=4001
udp-port=4001
`;

/** Merged into lvm.conf by the finish script: only the iSCSI disks are looked at, nothing is activated by itself. */
export const LVM_CONFIG = `global {
	system_id_source = "lvmlocal"
	event_activation = 0
}
devices {
	use_devicesfile = 0
	global_filter = [ "a|^/dev/sd.*|", "a|^/dev/disk/.*|", "r|.*|" ]
}
activation {
	auto_activation_volume_list = [ ]
	monitoring = 0
}
backup {
	backup = 0
	archive = 0
}
`;

/** Unpacked modules load several times faster under emulation than xz ones, and cost 100 MB. */
export const FINISH_SCRIPT = `set -e
mv /etc/lvm/profile/lab.profile /etc/lvm/lvm.conf
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
cd /lib/modules/*
kernel=\${PWD##*/}
# Hardware that these machines do not have, or that udev would load for nothing.
rm -rf kernel/arch/x86/kvm kernel/arch/x86/crypto kernel/crypto/async_tx
for folder in ata bluetooth comedi cpufreq cxl firmware gpu hid hwtracing infiniband input media net/ethernet net/wireless nvdimm nvme platform powercap sound soundwire tee thermal usb vdpa vfio video xen; do
  rm -rf kernel/drivers/$folder
done
rm -rf kernel/sound kernel/net/bluetooth kernel/net/wireless
find . -name '*.ko.xz' -exec xz -d {} +
depmod "$kernel"
mkdir -p /usr/lib/lab/initramfs
for module in $(cat /usr/lib/lab/modules); do
  # What this kernel has built in is not listed; what it does not have at all, it does not need.
  modprobe -S "$kernel" --show-depends "$module" || true
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
  cp "$path" /usr/lib/lab/initramfs/
  basename "$path" .ko >> /usr/lib/lab/initramfs/order
done
ln -sf ../lab-boot.service /etc/systemd/system/multi-user.target.wants/lab-boot.service
chmod 700 /root/.ssh
/usr/lib/lab/index-packages
rm -rf /var/cache/apt/* /var/lib/apt/lists/* /etc/apt/sources.list /usr/share/info /usr/share/lintian /usr/share/bug
: > /etc/machine-id
`;
