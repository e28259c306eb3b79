/** Warm standby: namespaces, link, files and the daemons that need no volume. */
import { readFile, writeFile } from "node:fs/promises";
import { Fault, messageOf } from "../../base/fault.ts";
import type { FileserverSpec } from "../../model/spec.ts";
import type { ServerSide } from "../../balance/server-side.ts";
import { holdFilterText } from "../../linux/hold-filter.ts";
import { hasV4, hushedAs, hushFilterText } from "../../linux/hush-filter.ts";
import { muteFilterText } from "../../linux/mute-filter.ts";
import type { HolderCommand } from "../../linux/holder.ts";
import { exportsText, hostsText, nfsConfText } from "../../nfs/configuration.ts";
import { NLM_PROGRAM, NLM_UNLOCK } from "../../nfs/rpc.ts";
import { runChecked } from "../../system/commands.ts";
import { toolPath } from "../../system/tools.ts";
import { servedPorts } from "../../nfs/configuration.ts";
import type { StepContext } from "../context.ts";
import { runInside } from "../holder-client.ts";
import { installParentMute } from "../parent-mute.ts";
import { exists, readOptional } from "../inside.ts";
import { HUSH_READY, insidePath, volumePath } from "../places.ts";
import type { StepRunners } from "../runner.ts";
import { makeColdState, NSM_PATH } from "../state-folder.ts";

type WarmSteps = Pick<
  StepRunners,
  | "create-namespaces"
  | "install-filter"
  | "create-link"
  | "furnish-namespaces"
  | "start-rpcbind"
  | "start-mountd"
  | "start-statd"
>;

export const warmSteps: WarmSteps = {
  "create-namespaces": async ({ fileserver }, context, boundMs) => {
    await runInside(
      context.holder(),
      [
        [toolPath("hostname"), fileserver.hostname],
        [toolPath("ip"), "link", "set", "lo", "up"],
      ],
      boundMs,
    );
  },

  "create-link": async ({ fileserver }, context, boundMs) => {
    const { node } = context;
    // A name that is free in the node's namespace too: the kernel looks for it there first (rtnl_newlink, net/core/rtnetlink.c).
    const born = `hf${context.insidePid()}`;
    const kind =
      fileserver.link === "macvlan"
        ? ["address", fileserver.mac, "type", "macvlan", "mode", "bridge"]
        : ["type", "ipvlan", "mode", "l2"];
    await runChecked(node.commands, {
      tool: "ip",
      args: ["link", "add", "link", fileserver.interface, "name", born, "netns", String(context.insidePid()), ...kind],
      timeoutMs: boundMs / node.timeScale,
    }).catch((error: unknown) => {
      throw new Fault({
        code: "link-not-created",
        what: `no ${fileserver.link} on ${fileserver.interface} for ${fileserver.name}`,
        remedy: `check that ${fileserver.interface} exists on ${node.name} and is up: ip link show ${fileserver.interface}`,
        cause: error,
      });
    });
    await runInside(
      context.holder(),
      [
        [toolPath("ip"), "link", "set", born, "name", "eth0"],
        ...linkCommands(fileserver, node.directors?.side(fileserver.name)),
      ],
      boundMs,
    );
  },

  "install-filter": async ({ fileserver }, context, boundMs) => {
    const side = context.node.directors?.side(fileserver.name);
    const unlock = { port: fileserver.nfs.ports.lockd, program: NLM_PROGRAM, procedure: NLM_UNLOCK };
    // Behind a director nobody announces the fileserver's own address.
    const announced = side === undefined ? hushedAs(fileserver) : [];
    const hardwareAddress = (await readFile(`/sys/class/net/${fileserver.interface}/address`, "utf8")).trim();
    const text = [
      holdFilterText(servedPorts(fileserver), unlock),
      muteFilterText(announced, hardwareAddress, context.node.reservationKey, context.node.timeScale),
      side?.filter ?? "",
    ].join("");
    const path = "/run/holdfast/etc/filter.nft";
    await writeFile(insidePath(context.insidePid(), path), text);
    await runInside(context.holder(), [[toolPath("nft"), "--file", path]], boundMs);
    if (announced.length === 0) return undefined;
    // The standby serves without these; only a node that thaws is told later to be silent.
    const missing = await Promise.all([
      installHushFilter(fileserver, hardwareAddress, context, boundMs).then(
        () => undefined,
        (error: unknown) => `no hush can be sent: ${messageOf(error)}`,
      ),
      installParentMute(context.node, fileserver),
    ]);
    const detail = missing.filter((line) => line !== undefined).join("; ");
    return detail === "" ? undefined : { detail };
  },

  "furnish-namespaces": async ({ fileserver }, context, boundMs) => {
    const mount = toolPath("mount");
    const mkdirAll = (paths: readonly string[]): HolderCommand => [toolPath("mkdir"), "-p", ...paths];
    const trees = [...new Set(fileserver.volumes.map((volume) => `/${volume.mountPath.split("/")[1] ?? ""}`))];
    await runInside(
      context.holder(),
      [
        // A /run of its own, made elsewhere first: only the journal's socket is taken along, so that daemons can be heard.
        [mount, "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/var/lib/nfs"],
        mkdirAll(["/var/lib/nfs/systemd/journal"]),
        [mount, "--bind", "/run/systemd/journal", "/var/lib/nfs/systemd/journal"],
        // Without mount(8)'s own table, which lies in the /run that is being covered.
        [mount, "--no-mtab", "--move", "/var/lib/nfs", "/run"],
        [mount, "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/var/lib/nfs"],
        mkdirAll([
          "/run/rpcbind",
          "/run/rpc_pipefs",
          "/run/holdfast/etc/none",
          "/run/holdfast/sys",
          "/var/lib/nfs/v4recovery",
          ...trees,
          ...fileserver.volumes.map(volumePath),
        ]),
        [mount, "-t", "sysfs", "sysfs", "/run/holdfast/sys"],
        [mount, "-t", "rpc_pipefs", "rpc_pipefs", "/run/rpc_pipefs"],
        [mount, "-t", "nfsd", "nfsd", "/proc/fs/nfsd"],
        // The folders above the exports: a tmpfs of the fileserver's own over each first component.
        ...trees.map((tree): HolderCommand => [mount, "-t", "tmpfs", "-o", "mode=0755", "tmpfs", tree]),
        mkdirAll(fileserver.volumes.map((volume) => volume.mountPath)),
      ],
      boundMs,
    );
    await makeColdState(context.insidePid());
    await writeConfiguration(context.insidePid(), fileserver, context.node.cluster);
    const binds = ["exports", "nfs.conf", "hosts"].map((name): HolderCommand => [
      mount,
      "--bind",
      `/run/holdfast/etc/${name}`,
      `/etc/${name}`,
    ]);
    const dropIns: HolderCommand[] = [];
    for (const folder of ["/etc/exports.d", "/etc/nfs.conf.d"]) {
      if (await exists(folder)) dropIns.push([mount, "--bind", "/run/holdfast/etc/none", folder]);
    }
    await runInside(context.holder(), [...binds, ...dropIns], boundMs);
  },

  "start-rpcbind": async (_, context, boundMs) => {
    await runInside(context.holder(), [[toolPath("rpcbind"), "-w"]], boundMs);
  },

  "start-statd": async (_, context, boundMs) => {
    await runInside(context.holder(), [[toolPath("rpc.statd"), "-L", "-P", NSM_PATH]], boundMs);
  },

  "start-mountd": async (_, context, boundMs) => {
    await runInside(context.holder(), [[toolPath("exportfs"), "-ra"], [toolPath("rpc.mountd")]], boundMs);
  },
};

async function installHushFilter(
  fileserver: FileserverSpec,
  hardwareAddress: string,
  context: StepContext,
  boundMs: number,
): Promise<void> {
  const { node } = context;
  const path = "/run/holdfast/etc/hush.nft";
  const pid = context.insidePid();
  await writeFile(insidePath(pid, path), hushFilterText(hardwareAddress, node.otherKeys ?? [], hasV4(fileserver)));
  await runInside(context.holder(), [[toolPath("nft"), "--file", path]], boundMs);
  await writeFile(insidePath(pid, HUSH_READY), "");
}

/** Written from outside into the fileserver's own /run; the bind mounts over /etc show the files. */
export async function writeConfiguration(pid: number, fileserver: FileserverSpec, cluster: string): Promise<void> {
  const nodeHosts = (await readOptional("/etc/hosts")) ?? "";
  const folder = insidePath(pid, "/run/holdfast/etc");
  await writeFile(`${folder}/exports`, exportsText(fileserver, cluster));
  await writeFile(`${folder}/nfs.conf`, nfsConfText(fileserver));
  await writeFile(`${folder}/hosts`, hostsText(fileserver, nodeHosts));
}

/** Addresses on a link that is down: they can be bound to, and nothing leaves (docs/kernel-nfs.md, section 2). */
export function linkCommands(fileserver: FileserverSpec, side?: ServerSide): readonly HolderCommand[] {
  const ip = toolPath("ip");
  const addresses =
    side?.addresses ??
    [
      ...fileserver.addresses.map(({ family, address, prefixLength }) => ({
        address: `${address}/${prefixLength}`,
        // The agent asks for duplicates itself; the kernel's detection would hold the address back for a second.
        noDad: family === 6,
      })),
      ...(hasV4(fileserver) ? [] : hushedAs(fileserver).map((address) => ({ address: `${address}/32`, noDad: false }))),
    ].map((address) => ({ ...address, on: "link" as const }));
  const sysctl = (path: string, value: string): HolderCommand => ["write_file", `/proc/sys/net/${path}`, value];
  return [
    // Announce by ARP and neighbour advertisement as soon as the link is up (inetdev_event, net/ipv4/devinet.c).
    sysctl("ipv4/conf/eth0/arp_notify", "1"),
    ...(addresses.some(({ address }) => address.includes(":"))
      ? [
          sysctl("ipv6/conf/eth0/accept_dad", "0"),
          sysctl("ipv6/conf/eth0/accept_ra", "0"),
          sysctl("ipv6/conf/eth0/keep_addr_on_down", "1"),
          sysctl("ipv6/conf/eth0/ndisc_notify", "1"),
        ]
      : [sysctl("ipv6/conf/eth0/disable_ipv6", "1")]),
    ...(side?.settings ?? []).map(({ key, value }): HolderCommand => ["write_file", `/proc/sys/${key}`, value]),
    ...addresses.map(({ on, address, noDad }): HolderCommand => [
      ip,
      "address",
      "replace",
      address,
      "dev",
      on === "lo" ? "lo" : "eth0",
      ...(noDad ? ["nodad"] : []),
    ]),
  ];
}
