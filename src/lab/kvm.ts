/** /dev/kvm may exist and still not run a Linux guest (it hangs or aborts). So a guest is booted to know, once per boot of the host. */
import { accessSync, constants } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { runChecked, type Commands } from "../system/commands.ts";
import type { Image } from "./image.ts";
import type { Accelerator } from "./qemu.ts";

/** A real KVM boots the lab's kernel to its initramfs in about a second. */
const PROBE_TIMEOUT_MS = 8000;
/** What the initramfs says when it sees lab.probe on its command line (recipe-files.ts). */
const PROBE_ANSWER = "lab: guest booted";

export async function probeAccelerator(
  commands: Commands,
  image: Image,
  cacheFolder: string,
): Promise<{ readonly accelerator: Accelerator; readonly why: string }> {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return { accelerator: "tcg", why: "/dev/kvm is missing or not open to this user" };
  }
  const key = `${release()} ${(await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim()}`;
  const cacheFile = join(cacheFolder, "kvm-probe.json");
  const cached = await readCache(cacheFile);
  const boots = cached?.key === key ? cached.boots : await guestBoots(commands, image);
  if (cached?.key !== key) {
    await mkdir(cacheFolder, { recursive: true });
    await writeFile(cacheFile, JSON.stringify({ key, boots }));
  }
  return boots
    ? { accelerator: "kvm", why: "a guest boots under KVM" }
    : { accelerator: "tcg", why: "/dev/kvm exists, but no guest boots under it" };
}

async function readCache(path: string): Promise<{ readonly key: string; readonly boots: boolean } | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as { key: string; boots: boolean };
  } catch {
    return undefined;
  }
}

async function guestBoots(commands: Commands, image: Image): Promise<boolean> {
  const args = [
    ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35", "-m", "256"],
    ["-accel", "kvm", "-cpu", "host", "-serial", "stdio"],
    ["-kernel", image.kernel, "-initrd", image.initramfs, "-append", "console=ttyS0 quiet panic=-1 lab.probe"],
  ].flat();
  try {
    const { stdout } = await runChecked(commands, { tool: "qemu-system-x86_64", args, timeoutMs: PROBE_TIMEOUT_MS });
    return stdout.includes(PROBE_ANSWER);
  } catch {
    // Aborted or hung: either way KVM is of no use here.
    return false;
  }
}
