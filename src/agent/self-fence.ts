/** How a node goes down that may not finish anything: no sync, no unmount, no unit stopped. */
import { writeFileSync } from "node:fs";
import { messageOf } from "../base/fault.ts";

export interface GoDownFiles {
  readonly kernelLog: string;
  readonly sysrqTrigger: string;
}

const FILES: GoDownFiles = { kernelLog: "/dev/kmsg", sysrqTrigger: "/proc/sysrq-trigger" };

/**
 * Reboots at once: sysrq "b" (sysrq_handle_reboot, drivers/tty/sysrq.c) writes back nothing, and stale pages must not be
 * written back. Root may always write to the trigger, whatever kernel.sysrq says. Throws where that could not be done;
 * on a real machine it does not return otherwise.
 */
export function goDownAtOnce(
  because: string,
  files: GoDownFiles = FILES,
  say: (line: string) => void = (line) => void process.stdout.write(`${line}\n`),
): void {
  try {
    // The console and a remote kernel log have it before the machine is gone; the journal may not.
    writeFileSync(files.kernelLog, `<0>holdfast: ${because}; this node reboots now, without a sync\n`);
  } catch (error) {
    say(`${files.kernelLog} could not be written: ${messageOf(error)}`);
  }
  writeFileSync(files.sysrqTrigger, "b");
}
