/** QEMU's argument list for one machine. Pure. */
import { join } from "node:path";
import type { Image } from "./image.ts";
import type { LabPaths } from "./paths.ts";
import type { MachinePlan } from "./plan.ts";

export type Accelerator = "kvm" | "tcg";

export interface MachineLaunch {
  readonly machine: MachinePlan;
  readonly image: Pick<Image, "kernel" | "initramfs">;
  readonly paths: Pick<LabPaths, "disks" | "logs" | "sockets">;
  readonly accelerator: Accelerator;
  /** On 127.0.0.1, forwarded to the machine's ssh. */
  readonly sshPort: number;
  /** Wait for a saved memory instead of booting. */
  readonly resume: boolean;
}

/**
 * QEMU 7.2 computes the flags of a plain CMPXCHG16B from a stale source (helper_cmpxchg16b_unlocked reads cc_op before
 * it is written back; rewritten in 8.0): now and then a kernel gets EFLAGS with VM set and dies of a double fault in
 * kmalloc. Without cx16 Linux takes its other path. The other features are taken away because each costs time when it
 * is emulated: five-level page tables, the checks of user access at every system call, and fast string instructions
 * (without erms, kernel and C library copy and clear in wide loops).
 */
const TCG_CPU = "max,-cx16,-la57,-smap,-smep,-pku,-umip,-erms";

export function guestName(paths: Pick<LabPaths, "sockets">, machine: string): string {
  return `${paths.sockets.slice(paths.sockets.lastIndexOf("/") + 1)}-${machine}`;
}

export function qmpSocket(paths: Pick<LabPaths, "sockets">, machine: string): string {
  return join(paths.sockets, `${machine}.qmp`);
}

export function networkSocket(paths: Pick<LabPaths, "sockets">, network: string, machine: string): string {
  return join(paths.sockets, `${network}-${machine}.sock`);
}

export function serialLog(paths: Pick<LabPaths, "logs">, machine: string): string {
  return join(paths.logs, `${machine}.console`);
}

export function systemDisk(paths: Pick<LabPaths, "disks">, machine: string): string {
  return join(paths.disks, `${machine}.qcow2`);
}

export function lunDisk(paths: Pick<LabPaths, "disks">, lun: string): string {
  return join(paths.disks, `${lun}.img`);
}

export function qemuArguments(launch: MachineLaunch): readonly string[] {
  const { machine, paths, accelerator } = launch;
  return [
    ["-name", `guest=${guestName(paths, machine.name)}`],
    ["-nodefaults", "-no-user-config", "-display", "none"],
    ["-machine", "q35,vmport=off,smbus=off"],
    accelerator === "kvm" ? ["-accel", "kvm", "-cpu", "host"] : ["-accel", "tcg,thread=multi", "-cpu", TCG_CPU],
    ["-smp", "1", "-m", `${machine.memoryMiB}`],
    ["-qmp", `unix:${qmpSocket(paths, machine.name)},server=on,wait=off`],
    [
      "-chardev",
      `file,id=console,path=${optionValue(serialLog(paths, machine.name))},append=on`,
      "-serial",
      "chardev:console",
    ],
    [
      "-kernel",
      launch.image.kernel,
      "-initrd",
      launch.image.initramfs,
      "-append",
      kernelCommandLine(machine, accelerator),
    ],
    systemDiskArguments(systemDisk(paths, machine.name)),
    machine.luns.flatMap((lun) => lunArguments(lun, lunDisk(paths, lun))),
    ["-netdev", `user,id=management,ipv6=off,hostfwd=tcp:127.0.0.1:${launch.sshPort}-:22`],
    ["-device", `virtio-net-pci,netdev=management,id=nic-management,mac=${machine.managementMac},romfile=`],
    machine.interfaces.flatMap(({ network, mac }) => [
      "-netdev",
      `stream,id=${network},server=off,addr.type=unix,addr.path=${networkSocket(paths, network, machine.name)}`,
      "-device",
      `virtio-net-pci,netdev=${network},id=nic-${network},mac=${mac},romfile=`,
    ]),
    launch.resume ? ["-S", "-incoming", "defer"] : [],
  ].flat();
}

/** A comma ends a value of QEMU's options unless it is doubled (qemu(1), -blockdev). */
function optionValue(text: string): string {
  return text.replaceAll(",", ",,");
}

/** Emulated, a repeated string instruction costs one turn per byte or word: the kernel's plain loops clear pages faster. */
const TCG_KERNEL = " clearcpuid=rep_good";

function kernelCommandLine(machine: MachinePlan, accelerator: Accelerator): string {
  const lab = `lab.name=${machine.name} lab.role=${machine.role} lab.number=${machine.number}`;
  return `console=ttyS0 net.ifnames=0 quiet mitigations=off nokaslr${accelerator === "tcg" ? TCG_KERNEL : ""} ${lab}`;
}

/**
 * A throttle stands above every disk, without limits until `lab fault slow-disk` sets some. The system disk's flushes end
 * in the host's cache (that much QEMU does even with no-flush), which outlives the machine's power; only a crash of the
 * host could lose them.
 */
function systemDiskArguments(path: string): readonly string[] {
  return [
    ["-object", "throttle-group,id=system-limit"],
    ["-blockdev", `driver=file,node-name=system-file,filename=${optionValue(path)},discard=unmap`],
    ["-blockdev", "driver=qcow2,node-name=system-disk,file=system-file,discard=unmap,cache.no-flush=on"],
    ["-blockdev", "driver=throttle,node-name=system-top,throttle-group=system-limit,file=system-disk"],
    ["-device", "virtio-blk-pci,drive=system-top,id=disk-system"],
  ].flat();
}

/** Write-back with every flush carried out on the host's disk: what the guest was told is safe, is safe. */
function lunArguments(lun: string, path: string): readonly string[] {
  return [
    ["-object", `throttle-group,id=${lun}-limit`],
    ["-blockdev", `driver=file,node-name=${lun}-file,filename=${optionValue(path)},discard=unmap`],
    ["-blockdev", `driver=raw,node-name=${lun}-disk,file=${lun}-file,discard=unmap`],
    ["-blockdev", `driver=throttle,node-name=${lun}-top,throttle-group=${lun}-limit,file=${lun}-disk`],
    ["-device", `virtio-blk-pci,drive=${lun}-top,id=disk-${lun},serial=${lun},write-cache=on`],
  ].flat();
}
