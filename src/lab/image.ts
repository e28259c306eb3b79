/**
 * The machines' image: built once from Debian's packages, then found in the cache by the hash of its recipe.
 * A build works in a folder of its own and is renamed when complete, so that a killed one leaves nothing half done.
 */
import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../base/fault.ts";
import { systemClock, waitFor } from "../system/clock.ts";
import { runChecked, type Command, type Commands } from "../system/commands.ts";
import { listProcesses, signalProcess } from "../system/processes.ts";
import { toolPath } from "../system/tools.ts";
import { cpioArchive, type CpioEntry } from "./initramfs.ts";
import { imageId, recipeFor, type Recipe, type Suite } from "./recipe.ts";
import { PACKAGES_FOLDER } from "./recipe-files.ts";
import { quoteForShell } from "./ssh.ts";

export interface Image {
  readonly id: string;
  readonly folder: string;
  readonly disk: string;
  readonly kernel: string;
  readonly initramfs: string;
  /** Private key whose public half every machine accepts for root. */
  readonly sshKey: string;
}

/** What the hooks bring out of the new root: kernel, busybox, init, and the initramfs's modules with their order. */
const OUT_FOLDER = "out";
const BOOT_FOLDER = "out/boot";
const BUILD_TIMEOUT_MS = 900_000;
const STEP_TIMEOUT_MS = 180_000;
const ABANDONED_TIMEOUT_MS = 30_000;
const UNUSED_MS_MAX = 30 * 24 * 3600 * 1000;

export interface ImageOptions {
  readonly suite: Suite;
  readonly cacheFolder: string;
  /** Put into the image as /usr/lib/holdfast/node. */
  readonly nodeBinary: string;
  readonly nodeVersion: string;
  readonly progress: (line: string) => void;
}

export function imageAt(cacheFolder: string, id: string): Image {
  const folder = join(cacheFolder, "images", id);
  return {
    id,
    folder,
    disk: join(folder, "root.qcow2"),
    kernel: join(folder, "vmlinuz"),
    initramfs: join(folder, "initramfs"),
    sshKey: join(folder, "key"),
  };
}

export async function ensureImage(commands: Commands, options: ImageOptions): Promise<Image> {
  const recipe = recipeFor(options.suite);
  const image = imageAt(options.cacheFolder, imageId(recipe, options.nodeVersion));
  if (existsSync(image.folder)) return image;
  await removeUnused(dirname(image.folder));
  await mkdir(dirname(image.folder), { recursive: true });
  await removeAbandoned(commands, dirname(image.folder));
  const work = await mkdtemp(join(dirname(image.folder), `.${process.pid}-${image.id}-`));
  try {
    await buildImage(commands, recipe, options, work);
    await rename(work, image.folder).catch((error: unknown) => {
      // Another `lab up` built the same at the same time: its result is as good.
      if (!existsSync(image.folder)) throw error;
    });
  } finally {
    await removeTree(commands, work);
  }
  return image;
}

async function buildImage(commands: Commands, recipe: Recipe, options: ImageOptions, work: string): Promise<void> {
  const startedMs = performance.now();
  const step = async (what: string, deed: () => Promise<unknown>): Promise<void> => {
    const stepStartedMs = performance.now();
    options.progress(`image ${recipe.suite}: ${what} …`);
    await deed();
    options.progress(`image ${recipe.suite}: ${what}: done, ${seconds(stepStartedMs)} s`);
  };
  const root = join(work, "root");
  await mkdir(join(work, BOOT_FOLDER), { recursive: true });
  if (!isRoot()) await openToBuilder(work);
  await step("files", () => layFiles(commands, recipe, options, work));
  await step("Debian packages", () => debootstrap(commands, recipe, work, root));
  await step("initramfs", () => writeInitramfs(work));
  await step("disk", () => writeDisk(commands, recipe, work, root));
  options.progress(`image ${recipe.suite}: built in ${seconds(startedMs)} s`);
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1);
}

async function layFiles(commands: Commands, recipe: Recipe, options: ImageOptions, work: string): Promise<void> {
  const files = join(work, "files");
  const put = async (path: string, mode: number, text: string): Promise<void> => {
    await mkdir(dirname(join(files, path)), { recursive: true });
    await writeFile(join(files, path), text);
    await chmod(join(files, path), mode);
  };
  for (const file of recipe.files) await put(file.path, file.mode, file.text);
  await put("usr/lib/lab/modules", 0o644, `${recipe.bootModules.join("\n")}\n`);
  await put("usr/lib/lab/finish", 0o755, recipe.finish);
  const key = join(work, "key");
  await runChecked(commands, {
    tool: "ssh-keygen",
    args: ["-q", "-t", "ed25519", "-N", "", "-C", "holdfast-lab", "-f", key],
    timeoutMs: STEP_TIMEOUT_MS,
  });
  await put("root/.ssh/authorized_keys", 0o600, await readFile(`${key}.pub`, "utf8"));
  await mkdir(join(files, "etc/systemd/system"), { recursive: true });
  await mkdir(join(files, "etc/systemd/system-generators"), { recursive: true });
  for (const unit of recipe.masked) {
    const folder = unit.includes(".") ? "system" : "system-generators";
    await symlink("/dev/null", join(files, "etc/systemd", folder, unit));
  }
  await mkdir(join(files, "usr/lib/holdfast"), { recursive: true });
  await copyFile(options.nodeBinary, join(files, "usr/lib/holdfast/node"));
  await chmod(join(files, "usr/lib/holdfast/node"), 0o755);
  await runChecked(commands, {
    tool: "tar",
    args: ["--owner=0", "--group=0", "--numeric-owner", "-C", files, "-cf", join(work, "files.tar"), "."],
    timeoutMs: STEP_TIMEOUT_MS,
  });
  await rm(files, { recursive: true });
}

async function debootstrap(commands: Commands, recipe: Recipe, work: string, root: string): Promise<void> {
  const out = (path: string, name: string): string =>
    `--customize-hook=cat "$1"${path} > ${quoteForShell(join(work, OUT_FOLDER, name))}`;
  await runChecked(commands, {
    tool: "mmdebstrap",
    args: [
      "--variant=minbase",
      "--format=directory",
      `--include=${recipe.packages.join(",")}`,
      '--aptopt=APT::Install-Recommends "false"',
      ...["man/*", "doc/*", "locale/*", "i18n/locales/*"].map((path) => `--dpkgopt=path-exclude=/usr/share/${path}`),
      // The machines boot with the initramfs made here; Debian's would take 15 s to build.
      "--dpkgopt=path-exclude=/etc/kernel/postinst.d/initramfs-tools",
      `--customize-hook=tar-in ${quoteForShell(join(work, "files.tar"))} /`,
      downloadHook(recipe),
      '--customize-hook=chroot "$1" sh /usr/lib/lab/finish',
      out("/boot/vmlinuz-*", "vmlinuz"),
      out("/usr/bin/busybox", "busybox"),
      out("/usr/lib/lab/init", "init"),
      `--customize-hook=cp "$1"/usr/lib/lab/initramfs/* ${quoteForShell(join(work, BOOT_FOLDER))}/`,
      recipe.suite,
      root,
      await hostMirror(commands),
    ],
    timeoutMs: BUILD_TIMEOUT_MS,
  });
}

/** By the apt that has built the root (mmdebstrap(1), hooks): the new root itself may reach no mirror. */
function downloadHook({ packagesAtHand }: Recipe): string {
  const options = "-q -y -o APT::Install-Recommends=false -o Debug::NoLocking=true";
  return [
    `--customize-hook=mkdir -p "$1"${PACKAGES_FOLDER}`,
    `APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get ${options} --download-only install ${packagesAtHand.join(" ")}`,
    `mv "$1"/var/cache/apt/archives/*.deb "$1"${PACKAGES_FOLDER}/`,
  ].join(" && ");
}

/** The mirror that this host itself installs from: the lab works where the host's apt does. */
async function hostMirror(commands: Commands): Promise<string> {
  const given = process.env["HOLDFAST_LAB_MIRROR"];
  if (given !== undefined && given !== "") return given;
  const { stdout } = await runChecked(commands, {
    tool: "apt-get",
    args: ["indextargets", "--format", "$(SITE)", "Created-By: Packages", "Label: Debian", "Component: main"],
    timeoutMs: STEP_TIMEOUT_MS,
  });
  const site = stdout.split("\n").find((line) => line.includes("://"));
  if (site !== undefined) return site;
  throw new Fault({
    code: "lab-mirror-unknown",
    what: "this host's apt has no Debian mirror from which the machines' image could be built",
    remedy: "run apt-get update, or name a mirror in HOLDFAST_LAB_MIRROR",
  });
}

async function writeInitramfs(work: string): Promise<void> {
  const file = async (path: string, from: string): Promise<CpioEntry> => ({
    kind: "file",
    path,
    mode: 0o755,
    content: await readFile(join(work, from)),
  });
  const folders = ["bin", "dev", "proc", "root", "modules"].map((path): CpioEntry => ({ kind: "folder", path }));
  const modules = (await readdir(join(work, BOOT_FOLDER))).toSorted();
  const archive = cpioArchive([
    ...folders,
    // The kernel opens /dev/console for init before anything is mounted.
    { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
    await file("bin/busybox", join(OUT_FOLDER, "busybox")),
    await file("init", join(OUT_FOLDER, "init")),
    ...(await Promise.all(modules.map((name) => file(`modules/${name}`, join(BOOT_FOLDER, name))))),
  ]);
  await writeFile(join(work, "initramfs"), archive);
  await copyFile(join(work, OUT_FOLDER, "vmlinuz"), join(work, "vmlinuz"));
  await rm(join(work, "files.tar"));
}

async function writeDisk(commands: Commands, recipe: Recipe, work: string, root: string): Promise<void> {
  const raw = join(work, OUT_FOLDER, "root.img");
  await writeFile(raw, "");
  await truncate(raw, recipe.diskSizeBytes);
  if (!isRoot()) await chmod(raw, 0o666);
  await runChecked(
    commands,
    asBuilder({
      tool: "mke2fs",
      args: [
        "-q",
        "-t",
        "ext4",
        "-L",
        "lab",
        "-m",
        "0",
        "-E",
        "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
        "-d",
        root,
        raw,
      ],
      timeoutMs: STEP_TIMEOUT_MS,
    }),
  );
  await runChecked(commands, {
    tool: "qemu-img",
    args: ["convert", "-O", "qcow2", raw, join(work, "root.qcow2")],
    timeoutMs: STEP_TIMEOUT_MS,
  });
  await removeTree(commands, root);
  await removeTree(commands, join(work, OUT_FOLDER));
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Without root, the builder is another user (subuid(5)): it may pass through the folder, whose name nobody can list, and
 * write in one folder of it.
 */
async function openToBuilder(work: string): Promise<void> {
  await chmod(work, 0o711);
  for (const folder of [OUT_FOLDER, BOOT_FOLDER]) await chmod(join(work, folder), 0o777);
}

/** Without root, mmdebstrap works in a user namespace; what it made can only be read and removed from inside it. */
function asBuilder(command: Command): Command {
  if (isRoot()) return command;
  return { ...command, tool: "mmdebstrap", args: ["--unshare-helper", toolPath(command.tool), ...command.args] };
}

/** Images of older recipes, which no `lab up` has asked for in a long time (markImageUsed). */
async function removeUnused(images: string): Promise<void> {
  if (!existsSync(images)) return;
  for (const name of await readdir(images)) {
    const { mtimeMs } = await stat(join(images, name));
    if (!name.startsWith(".") && Date.now() - mtimeMs > UNUSED_MS_MAX) {
      await rm(join(images, name), { recursive: true, force: true });
    }
  }
}

/** Every `lab up` says which image it stands on. */
export async function markImageUsed(image: Image): Promise<void> {
  const now = new Date();
  await utimes(image.folder, now, now);
}

/**
 * What a killed build left: its folder carries the number of a process that is gone. Its mmdebstrap may still run; it is
 * asked to end first.
 */
async function removeAbandoned(commands: Commands, images: string): Promise<void> {
  for (const name of await readdir(images)) {
    const pid = /^\.([0-9]+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const folder = join(images, name);
    const bound = { what: "the end of a killed build", timeoutMs: ABANDONED_TIMEOUT_MS, intervalMs: 200 };
    await waitFor(systemClock, bound, async () => {
      const builders = (await listProcesses()).filter(({ argv }) => argv.some((word) => word.includes(folder)));
      for (const builder of builders) await signalProcess(builder, "SIGTERM");
      return builders.length === 0 ? true : undefined;
    });
    await removeTree(commands, folder);
  }
}

/**
 * Never across a mount: a build has proc, sys and the host's devices mounted in its root. What a killed build left mounted
 * is taken away first; where that fails, the folder stays for the next time.
 */
async function removeTree(commands: Commands, folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const mountPoint of (await mountPointsBelow(folder)).toReversed()) {
    await commands.run({ tool: "umount", args: [mountPoint], timeoutMs: STEP_TIMEOUT_MS });
  }
  if ((await mountPointsBelow(folder)).length > 0) return;
  const remove: Command = { tool: "rm", args: ["-rf", "--one-file-system", folder], timeoutMs: STEP_TIMEOUT_MS };
  // Without root, what the builder owns goes first, and then what holds it.
  if (!isRoot()) await commands.run(asBuilder(remove));
  await commands.run(remove);
}

/** The fifth field (proc_pid_mountinfo(5)); in the order in which they were mounted. */
async function mountPointsBelow(folder: string): Promise<readonly string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return lines.map((line) => line.split(" ")[4] ?? "").filter((mountPoint) => mountPoint.startsWith(`${folder}/`));
}
