/** What the lab needs from the host: checked each time, installed where missing, and said before it is done. */
import { existsSync } from "node:fs";
import { Fault } from "../base/fault.ts";
import { runChecked, type Commands } from "../system/commands.ts";
import { toolPath, type Tool } from "../system/tools.ts";

/** Package by tool: the tool's presence is what counts, however it came there. */
const HOST_PACKAGES: readonly { readonly tool: Tool; readonly packageName: string }[] = [
  { tool: "mmdebstrap", packageName: "mmdebstrap" },
  { tool: "qemu-system-x86_64", packageName: "qemu-system-x86" },
  { tool: "qemu-img", packageName: "qemu-utils" },
  { tool: "mke2fs", packageName: "e2fsprogs" },
  { tool: "ssh", packageName: "openssh-client" },
];

/** A build without root works in a user namespace. */
const PACKAGES_WITHOUT_ROOT: typeof HOST_PACKAGES = [{ tool: "newuidmap", packageName: "uidmap" }];

const INSTALL_TIMEOUT_MS = 600_000;

export function missingHostPackages(): readonly string[] {
  const needed = process.getuid?.() === 0 ? HOST_PACKAGES : [...HOST_PACKAGES, ...PACKAGES_WITHOUT_ROOT];
  return needed.filter(({ tool }) => !existsSync(toolPath(tool))).map(({ packageName }) => packageName);
}

/** Installs with apt, as root or through sudo without a password; Fault "host-packages-missing" where neither is possible. */
export async function installHostPackages(commands: Commands, progress: (line: string) => void): Promise<void> {
  const missing = missingHostPackages();
  if (missing.length === 0) return;
  const apt = ["-y", "-q", "--no-install-recommends", "install", ...missing];
  const asRoot = process.getuid?.() === 0;
  if (!asRoot && !existsSync(toolPath("sudo"))) throw packagesMissing(missing);
  progress(`installing on this host: ${missing.join(" ")}`);
  const run = (args: readonly string[]): Promise<unknown> =>
    asRoot
      ? runChecked(commands, { tool: "apt-get", args, timeoutMs: INSTALL_TIMEOUT_MS })
      : runChecked(commands, {
          tool: "sudo",
          args: ["-n", "DEBIAN_FRONTEND=noninteractive", toolPath("apt-get"), ...args],
          timeoutMs: INSTALL_TIMEOUT_MS,
        });
  try {
    await run(["-q", "update"]);
    await run(apt);
  } catch (error) {
    throw packagesMissing(missing, error);
  }
}

function packagesMissing(missing: readonly string[], cause?: unknown): Fault {
  return new Fault({
    code: "host-packages-missing",
    what: `this host lacks ${missing.join(", ")}, and they could not be installed`,
    remedy: `as root: apt-get install --no-install-recommends ${missing.join(" ")}`,
    cause,
  });
}
