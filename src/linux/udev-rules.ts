/**
 * Rules that spare udev the programs it would start, one after the other, in the very second in which a volume is
 * activated and mounted. On a machine that is slow at starting programs they were a fifth of a planned move's pause.
 * They are put below /run, so that a boot without Holdfast is as the distribution wants it: udev(7), "Rules files".
 */

export const RULES_FOLDER = "/run/udev/rules.d";

/** Before 55-dm.rules. */
export const MAPPER_RULES_NAME = "54-holdfast.rules";

/**
 * What a device-mapper event carries where nobody waits for udev (`--noudevsync`): flags in the upper half of the number
 * (DM_UDEV_FLAGS_SHIFT, libdevmapper.h), here DM_UDEV_PRIMARY_SOURCE_FLAG and DM_UDEV_DISABLE_LIBRARY_FALLBACK, and no
 * semaphore in the lower half. Seen with lvchange and dmsetup of LVM 2.03.16 and 2.03.31.
 */
const NOBODY_WAITS = String(0x60 << 16);

/**
 * The distribution's rules start `dmsetup udevflags` to read this number, and `dmsetup udevcomplete` to tell a semaphore
 * that is not there. Every other number is left to them: there somebody waits, or the flags say more.
 */
export const MAPPER_RULES = `# Written by the Holdfast agent as it starts.
SUBSYSTEM!="block", GOTO="holdfast_end"
KERNEL!="dm-[0-9]*", GOTO="holdfast_end"
ENV{DM_COOKIE}!="${NOBODY_WAITS}", GOTO="holdfast_end"
ENV{DM_UDEV_PRIMARY_SOURCE_FLAG}="1"
ENV{DM_UDEV_DISABLE_LIBRARY_FALLBACK_FLAG}="1"
ENV{DM_COOKIE}=""
LABEL="holdfast_end"
`;

/** nfs-utils' own; the file of this name below /run takes its place. */
export const READ_AHEAD_RULES = "/usr/lib/udev/rules.d/99-nfs.rules";

/** As nfs-utils 2.6.2 and 2.8.3 have it; what is older or newer is left alone. */
const EVERY_DEVICE = 'SUBSYSTEM=="bdi", ACTION=="add", PROGRAM=';
/** NFS mounts have devices without a driver, whose major number is 0; block devices are none of nfsrahead's business. */
const WITHOUT_DRIVER = 'SUBSYSTEM=="bdi", ACTION=="add", KERNEL=="0:*", PROGRAM=';

/** nfsrahead(5) asked for NFS mounts only, not for each block device too. Undefined where the rule is not the known one. */
export function readAheadOfMountsOnly(distributionText: string): string | undefined {
  if (distributionText.split(EVERY_DEVICE).length !== 2) return undefined;
  return `# nfs-utils' rule, made by the Holdfast agent to pass over block devices.\n${distributionText.replace(EVERY_DEVICE, WITHOUT_DRIVER)}`;
}
