/** What a node's system needs: packages, files, services, names. Only for nodes that were looked at. */
import type { NodeObservation } from "../model/observed.ts";
import type { SystemObservation } from "../model/system-observed.ts";
import type { Design, DesignedFile } from "./design.ts";
import { nodeObstacle } from "./nodes.ts";
import type { NodeAction, Note, SystemAction } from "./plan.ts";
import type { World } from "./world.ts";

export interface SystemPlan {
  /** Before anything of ours runs with it; every node by itself. */
  readonly prepare: readonly (SystemAction | NodeAction)[];
  readonly blocked: readonly Note[];
  readonly notes: readonly Note[];
}

/** The node's system, if something may be done to it. */
export function systemOf(world: World, node: NodeObservation): SystemObservation | undefined {
  if (nodeObstacle(world, node) !== undefined || node.system?.known !== true) return undefined;
  return systemBlocks(node.node, node.system.value).length > 0 ? undefined : node.system.value;
}

export function planSystem(world: World, design: Design): SystemPlan {
  const known = world.nodes.flatMap((node) =>
    nodeObstacle(world, node) === undefined && node.system?.known === true
      ? [{ name: node.node, system: node.system.value }]
      : [],
  );
  return {
    prepare: world.nodes.flatMap((node) => {
      const system = systemOf(world, node);
      return system === undefined ? [] : prepareActions(node.node, system, design);
    }),
    blocked: [
      ...known.flatMap(({ name, system }) => systemBlocks(name, system)),
      ...systemIdBlocks(known),
      ...known.flatMap(({ name, system }) => secretBlocks(name, system, design)),
    ],
    notes: known.flatMap(({ name, system }) => systemNotes(world, name, system, design)),
  };
}

/** apt, on these; the way for others is the place where they are added. */
const SUPPORTED: Readonly<Record<string, readonly string[]>> = { debian: ["12", "13"] };

export function systemBlocks(node: string, system: SystemObservation): readonly Note[] {
  const blocks: Note[] = [];
  const { id, version } = system.os;
  if (SUPPORTED[id]?.includes(version) !== true) {
    blocks.push({
      code: "os-not-supported",
      about: node,
      what: `${node} runs ${id === "" ? "an unknown system" : `${id} ${version}`}, and apply knows Debian 12 and 13`,
      remedy: "prepare it by hand after docs/cluster.md, or use another machine",
    });
  }
  if (system.hostname !== node) {
    blocks.push({
      code: "node-name-differs",
      about: node,
      what: `${node} calls itself ${system.hostname}`,
      remedy: `write ${system.hostname} in the spec, or change the machine's name: hostnamectl hostname ${node}`,
    });
  }
  if (system.units.get("nfs-server.service")?.active === true) {
    blocks.push({
      code: "nfs-server-active",
      about: node,
      what: `${node} serves NFS by its own nfs-server.service`,
      remedy: "move what it exports into fileservers first, then: systemctl disable --now nfs-server",
    });
  }
  return blocks;
}

/** Two nodes of one name could both own a volume group (lvmsystemid(7)). */
function systemIdBlocks(
  known: readonly { readonly name: string; readonly system: SystemObservation }[],
): readonly Note[] {
  const owners = new Map<string, string>();
  return known.flatMap(({ name, system }): readonly Note[] => {
    if (system.systemId === undefined) return [];
    const first = owners.get(system.systemId);
    owners.set(system.systemId, first ?? name);
    if (first === undefined) return [];
    return [
      {
        code: "system-id-taken",
        about: name,
        what: `${first} and ${name} have the same LVM system ID, ${system.systemId}`,
        remedy: `give ${name} its own: local { system_id = "${name}" } in /etc/lvm/lvmlocal.conf`,
      },
    ];
  });
}

function secretBlocks(node: string, system: SystemObservation, design: Design): readonly Note[] {
  return (design.pacemaker?.secrets ?? []).flatMap(({ file }): readonly Note[] => {
    const found = system.secrets.get(file);
    if (found === undefined) {
      const what = `${node} has no ${file}, from which its fence devices take their secrets`;
      const remedy = `put it there, one option=value per line, and: chmod 600 ${file}`;
      return [{ code: "secrets-missing", about: node, what, remedy }];
    }
    if (found.private) return [];
    const what = `${file} on ${node} can be read by others than root`;
    const remedy = `chown root: ${file} && chmod 600 ${file}, and change the passwords in it`;
    return [{ code: "secrets-not-private", about: node, what, remedy }];
  });
}

function prepareActions(
  node: string,
  system: SystemObservation,
  design: Design,
): readonly (SystemAction | NodeAction)[] {
  const actions: (SystemAction | NodeAction)[] = [];
  const units = design.maskedUnits.filter((unit) => system.units.get(unit)?.masked !== true);
  // Before the packages: none of them is to start by being installed.
  if (units.length > 0) {
    actions.push({ kind: "mask-units", node, units, because: "every fileserver starts its own" });
  }
  const packages = design.packages.filter((name) => !system.packages.has(name));
  if (packages.length > 0) {
    actions.push({ kind: "install-packages", node, packages, because: `${packages.length} are missing` });
  }
  if (system.systemId === undefined) {
    actions.push({ kind: "set-system-id", node, because: "a volume group must know which machine owns it" });
  }
  const program = programAction(node, system, design.version);
  if (program !== undefined) actions.push(program);
  for (const file of design.files) {
    const because = fileReason(file, system.files.get(file.path));
    if (because !== undefined) actions.push({ kind: "write-file", node, file: file.name, because });
  }
  for (const { file, devices } of design.pacemaker?.secrets ?? []) {
    // Compared on the node, where they are: they are never read from there.
    const found = system.secrets.get(file);
    if (found?.private === true && !found.current) {
      actions.push({ kind: "put-secrets", node, file, devices, because: "its fence devices take them from there" });
    }
  }
  return actions;
}

export function programAction(node: string, system: SystemObservation, version: string): SystemAction | undefined {
  const { program } = system;
  if (program.state === "present" && program.version === version) return undefined;
  if (program.state === "present" && program.version !== undefined && isNewer(program.version, version)) {
    return undefined;
  }
  const because = program.state === "absent" ? "it is not there" : `it has ${program.version ?? "an unknown version"}`;
  return { kind: "put-program", node, version, because };
}

function isNewer(a: string, than: string): boolean {
  const [left, right] = [a, than].map((text) => text.split(/[.+-]/).map((part) => Number(part) || 0));
  for (const [index, part] of (left ?? []).entries()) {
    const other = right?.[index] ?? 0;
    if (part !== other) return part > other;
  }
  return false;
}

function fileReason(file: DesignedFile, found: string | undefined): string | undefined {
  if (found === undefined) return "there is none yet";
  return found === file.text ? undefined : "it is another";
}

/** A second between two clocks makes histories that cannot be put in order. */
const CLOCK_DIFFERENCE_MS_MAX = 1_000;

function systemNotes(world: World, node: string, system: SystemObservation, design: Design): readonly Note[] {
  const notes: Note[] = [];
  if (system.clockSynchronised === false) {
    notes.push({
      code: "clock-not-synchronised",
      about: node,
      what: `nothing keeps the clock of ${node} right`,
      remedy: "apt-get install systemd-timesyncd, or chrony",
    });
  }
  if (Math.abs(system.clockAheadMs) > CLOCK_DIFFERENCE_MS_MAX) {
    const seconds = (system.clockAheadMs / 1000).toFixed(1);
    const what = `the clock of ${node} differs from this machine's by ${seconds} s`;
    notes.push({ code: "clock-differs", about: node, what, remedy: "let one time service keep all of them" });
  }
  for (const fileserver of world.desired.fileservers) {
    const found = system.names.get(fileserver.hostname);
    if (found === undefined || found.some((each) => fileserver.addresses.some(({ address }) => address === each))) {
      continue;
    }
    const leads = found.length === 0 ? "to no address" : `to ${found.join(", ")}`;
    notes.push({
      code: "name-not-resolved",
      about: fileserver.name,
      what: `on ${node}, ${fileserver.hostname} leads ${leads}, not to ${fileserver.addresses.map(({ address }) => address).join(", ")}`,
      remedy: "correct the name service: NFSv3 clients find their locks again by this name",
    });
  }
  if (system.firewall !== "none") notes.push(firewallNote(node, system.firewall, design));
  if (system.program.state === "present" && isNewer(system.program.version ?? "", design.version)) {
    const what = `${node} runs Holdfast ${system.program.version}, newer than ${design.version} here`;
    notes.push({ code: "newer-program", about: node, what, remedy: "apply from a machine with the newest release" });
  }
  return notes;
}

function firewallNote(node: string, firewall: "firewalld" | "nftables", design: Design): Note {
  const ports =
    design.pacemaker === undefined ? "none (nodes need nothing of each other)" : "5405/udp between the nodes";
  const remedy =
    firewall === "firewalld"
      ? "firewall-cmd --permanent --add-service=high-availability && firewall-cmd --reload"
      : "let 5405/udp in from the other nodes' addresses";
  return {
    code: "firewall-there",
    about: node,
    what: `${node} has ${firewall} rules that drop; needed: ${ports}. Clients' traffic goes into the fileservers' own network namespaces, past these rules`,
    ...(design.pacemaker === undefined ? {} : { remedy }),
  };
}
