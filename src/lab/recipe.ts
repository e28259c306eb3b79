/** What goes into the machines' image, as data; its hash names the image in the cache. */
import { createHash } from "node:crypto";
import { STOCK_UNITS } from "../nfs/stock-units.ts";
import { hostsFile } from "./plan.ts";
import {
  APT_SOURCE,
  BOOT_SCRIPT,
  EARLY_SCRIPT,
  FINISH_SCRIPT,
  INDEX_PACKAGES_SCRIPT,
  INITRAMFS_INIT,
  INITIATOR_SCRIPT,
  LVM_CONFIG,
  NFS_CONFIG,
  READY_UNIT,
  SSHD_CONFIG,
  SYSCTL_CONFIG,
  TARGET_SCRIPT,
} from "./recipe-files.ts";

export type Suite = "trixie" | "bookworm";
export const SUITES: readonly Suite[] = ["trixie", "bookworm"];

export interface ImageFile {
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

export interface Recipe {
  readonly suite: Suite;
  readonly packages: readonly string[];
  /** Not installed: they lie in the image as a local apt repository, with all that they need, for machines that reach no other. */
  readonly packagesAtHand: readonly string[];
  readonly files: readonly ImageFile[];
  /** Units that are linked to /dev/null. */
  readonly masked: readonly string[];
  /** Runs inside the new root at the end. */
  readonly finish: string;
  /** Loaded by the initramfs, in this order and after what each needs; all else is loaded by the machine itself. */
  readonly bootModules: readonly string[];
  readonly diskSizeBytes: number;
}

const PACKAGES: readonly string[] = [
  // The machine itself.
  "systemd-sysv",
  "udev",
  "dbus",
  "kmod",
  "procps",
  "psmisc",
  "iproute2",
  "openssh-server",
  "linux-image-cloud-amd64",
  "busybox-static",
  "xz-utils",
  // Node.js needs it, and Debian 12 does not bring it along.
  "libatomic1",
  // Serving NFS.
  "nfs-kernel-server",
  "nfs-common",
  "rpcbind",
  "nftables",
  "curl",
  "iputils-arping",
  "resource-agents",
  "acl",
  // Storage.
  "lvm2",
  "xfsprogs",
  "e2fsprogs",
  "open-iscsi",
  "sg3-utils",
  // Looking and measuring.
  "iputils-ping",
  "tcpdump",
  "ethtool",
  "socat",
  "fio",
  "strace",
];

/** What a cluster and its directors are made of. Machines of the lab start without, as an administrator's do. */
const CLUSTER_PACKAGES: readonly string[] = [
  "corosync",
  "corosync-qdevice",
  "corosync-qnetd",
  "pacemaker",
  "pacemaker-cli-utils",
  "ipvsadm",
  "keepalived",
  // Of the tuned stock cluster: its port block drives it.
  "iptables",
];
/** The fence agents of the stock cluster, which the lab builds for comparison. Debian 12 has them in one package. */
const STOCK_FENCE_PACKAGE: Readonly<Record<Suite, string>> = { trixie: "fence-agents-scsi", bookworm: "fence-agents" };

/**
 * Masked for a quick boot (each costs seconds under emulation and does nothing in a lab), and the stock NFS services,
 * which Holdfast replaces on nodes; on clients the early script takes the masks of rpcbind and rpc-statd off again.
 */
const MASKED: readonly string[] = [
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "xfs_scrub_all.timer",
  "man-db.timer",
  "systemd-tmpfiles-clean.timer",
  "getty@tty1.service",
  "serial-getty@ttyS0.service",
  "getty-static.service",
  "systemd-logind.service",
  "dbus-org.freedesktop.login1.service",
  "systemd-timesyncd.service",
  "systemd-networkd-wait-online.service",
  "systemd-random-seed.service",
  "systemd-pcrphase.service",
  "systemd-pcrphase-sysinit.service",
  "systemd-update-utmp.service",
  "systemd-update-utmp-runlevel.service",
  "systemd-journal-flush.service",
  "systemd-journal-catalog-update.service",
  "systemd-hwdb-update.service",
  "systemd-update-done.service",
  "systemd-user-sessions.service",
  "systemd-binfmt.service",
  "proc-sys-fs-binfmt_misc.automount",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
  "dev-hugepages.mount",
  "systemd-pstore.service",
  "sys-kernel-config.mount",
  "sys-fs-fuse-connections.mount",
  "tmp.mount",
  "run-lock.mount",
  "kmod-static-nodes.service",
  "systemd-tmpfiles-setup-dev-early.service",
  "systemd-udev-load-credentials.service",
  "systemd-sysusers.service",
  "systemd-hostnamed.socket",
  "dev-mqueue.mount",
  "systemd-ssh-generator",
  "ldconfig.service",
  "logd.service",
  "sshd-keygen.service",
  "fio.service",
  "systemd-firstboot.service",
  "systemd-machine-id-commit.service",
  "systemd-tpm2-setup-early.service",
  "systemd-tpm2-setup.service",
  "systemd-fsck-root.service",
  "systemd-remount-fs.service",
  "lvm2-monitor.service",
  "blk-availability.service",
  "lvm2-lvmpolld.socket",
  "iscsid.socket",
  "iscsid.service",
  "open-iscsi.service",
  "iscsi.service",
  ...STOCK_UNITS.flatMap((unit) => (unit === "nfs-server.service" ? [unit, "nfs-kernel-server.service"] : [unit])),
  "rpc-gssd.service",
  "rpc-svcgssd.service",
  "auth-rpcgss-module.service",
  "nfs-client.target",
  "proc-fs-nfsd.mount",
  "run-rpc_pipefs.mount",
  "var-lib-nfs-rpc_pipefs.mount",
];

const DISK_SIZE_BYTES = 6 * 1024 ** 3;

export function recipeFor(suite: Suite): Recipe {
  return {
    suite,
    packages: PACKAGES,
    packagesAtHand: [...CLUSTER_PACKAGES, STOCK_FENCE_PACKAGE[suite]],
    files: [
      { path: "etc/hosts", mode: 0o644, text: hostsFile() },
      { path: "etc/hostname", mode: 0o644, text: "lab\n" },
      { path: "etc/apt/sources.list.d/lab.list", mode: 0o644, text: APT_SOURCE },
      { path: "usr/lib/lab/index-packages", mode: 0o755, text: INDEX_PACKAGES_SCRIPT },
      { path: "etc/fstab", mode: 0o644, text: "" },
      { path: "etc/resolv.conf", mode: 0o644, text: "" },
      { path: "etc/ssh/sshd_config.d/lab.conf", mode: 0o644, text: SSHD_CONFIG },
      { path: "etc/sysctl.d/99-lab.conf", mode: 0o644, text: SYSCTL_CONFIG },
      { path: "etc/modprobe.d/lab.conf", mode: 0o644, text: "options lockd nlm_tcpport=4001 nlm_udpport=4001\n" },
      { path: "etc/nfs.conf.d/lab.conf", mode: 0o644, text: NFS_CONFIG },
      { path: "etc/lvm/lvmlocal.conf", mode: 0o644, text: 'local {\n\tsystem_id = "lab"\n}\n' },
      { path: "etc/lvm/profile/lab.profile", mode: 0o644, text: LVM_CONFIG },
      {
        path: "etc/systemd/journald.conf.d/lab.conf",
        mode: 0o644,
        text: "[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\nRateLimitIntervalSec=0\n",
      },
      {
        path: "etc/systemd/system.conf.d/lab.conf",
        mode: 0o644,
        text: "[Manager]\nDefaultTimeoutStopSec=20s\nShowStatus=no\n",
      },
      { path: "etc/systemd/system/lab-boot.service", mode: 0o644, text: READY_UNIT },
      { path: "usr/lib/lab/early", mode: 0o755, text: EARLY_SCRIPT },
      { path: "usr/lib/lab/boot", mode: 0o755, text: BOOT_SCRIPT },
      { path: "usr/lib/lab/target", mode: 0o755, text: TARGET_SCRIPT },
      { path: "usr/lib/lab/initiator", mode: 0o755, text: INITIATOR_SCRIPT },
      { path: "usr/lib/lab/init", mode: 0o755, text: INITRAMFS_INIT },
      {
        path: "usr/bin/holdfast",
        mode: 0o755,
        text: '#!/bin/sh\nexec /usr/lib/holdfast/node --no-warnings /usr/lib/holdfast/holdfast.mjs "$@"\n',
      },
    ],
    masked: MASKED,
    finish: FINISH_SCRIPT,
    bootModules: ["virtio_pci", "virtio_net", "virtio_blk", "crc32c_generic", "ext4"],
    diskSizeBytes: DISK_SIZE_BYTES,
  };
}

/** @param nodeVersion of the Node binary that is put in. */
export function imageId(recipe: Recipe, nodeVersion: string): string {
  const hash = createHash("sha256").update(JSON.stringify({ recipe, nodeVersion }));
  return `${recipe.suite}-${hash.digest("hex").slice(0, 16)}`;
}
