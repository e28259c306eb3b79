/** One consistent state: exactly one node serves, and the other has nothing but its own warm standby. Pure. */
import type { FileserverSpec } from "../model/spec.ts";
import type { NodeFacts } from "./node-facts.ts";

export interface Wanted {
  readonly fileserver: FileserverSpec;
  readonly serving: string;
  /** A node's reservation key as sg_persist prints it. */
  readonly keyOf: (node: string) => string;
}

/** What a warm standby consists of, by name as in /proc/PID/comm; "sh" is the holder. */
function standbyProcesses({ protocols }: FileserverSpec): readonly string[] {
  return ["sh", "rpcbind", "rpc.mountd", ...(protocols.includes("v3") ? ["rpc.statd"] : [])];
}

/** Comes and goes beside a service: it tells clients after a takeover. */
const PASSING = ["sm-notify"];

/** Empty when the state is the one wanted; otherwise one line per thing that is not as it should be. */
export function inconsistencies(wanted: Wanted, nodes: readonly NodeFacts[]): readonly string[] {
  return nodes.flatMap((facts) => [
    ...everywhere(wanted, facts),
    ...(facts.node === wanted.serving ? ofServing(wanted, facts) : ofStandby(wanted, facts)),
  ]);
}

function everywhere({ fileserver, serving, keyOf }: Wanted, facts: NodeFacts): readonly string[] {
  const { node } = facts;
  const problems: string[] = [];
  if (facts.crashPending) problems.push(`${node}: the crash that was asked for has not come`);
  for (const file of facts.leftFiles) problems.push(`${node}: ${file} was left behind`);
  for (const stray of facts.strays) problems.push(`${node}: ${stray} belongs to nobody`);
  if (facts.namespaces > 1) problems.push(`${node}: ${fileserver.name} has ${facts.namespaces} network namespaces`);
  if (facts.nfsdThreads !== facts.nfsdThreadsTold)
    problems.push(
      `${node}: nfsd runs ${facts.nfsdThreads} threads, the agent knows of ${facts.nfsdThreadsTold ?? "none"}`,
    );
  for (const { address } of fileserver.addresses) {
    const links = facts.addressLinks.filter((link) => link.address === address);
    if (links.length !== 1) problems.push(`${node}: ${address} is configured in ${links.length} places`);
  }
  for (const { disk, keys, holder } of facts.reservations) {
    if (holder !== keyOf(serving)) problems.push(`${node}: ${disk} is reserved by ${holder ?? "nobody"}`);
    const others = keys.filter((key) => key !== keyOf(serving));
    if (others.length > 0) problems.push(`${node}: ${disk} has other keys registered: ${others.join(", ")}`);
  }
  if (facts.reservations.length === 0) problems.push(`${node}: no disk of ${fileserver.name} is visible`);
  return problems;
}

function ofServing({ fileserver }: Wanted, facts: NodeFacts): readonly string[] {
  const { node } = facts;
  const problems: string[] = [];
  if (facts.state !== "serving") problems.push(`${node}: its agent says ${facts.state ?? "nothing"}, not serving`);
  for (const { name, device } of fileserver.volumes) {
    const mounts = facts.mounts.filter((volume) => volume === name).length;
    if (mounts !== 1) problems.push(`${node}: volume ${name} is mounted in ${mounts} mount namespaces`);
    if (device.kind === "lv" && !facts.active.includes(name)) problems.push(`${node}: volume ${name} is not active`);
  }
  for (const { address, up } of facts.addressLinks) if (!up) problems.push(`${node}: the link of ${address} is down`);
  const lasting = facts.processes.filter((name) => !PASSING.includes(name));
  problems.push(...otherProcesses(node, lasting, [...standbyProcesses(fileserver), "nfsdcld"]));
  return problems;
}

function ofStandby({ fileserver }: Wanted, facts: NodeFacts): readonly string[] {
  const { node } = facts;
  const problems: string[] = [];
  if (facts.state !== "warm") problems.push(`${node}: its agent says ${facts.state ?? "nothing"}, not warm`);
  for (const volume of facts.mounts) problems.push(`${node}: volume ${volume} is mounted there too`);
  for (const volume of facts.active) problems.push(`${node}: volume ${volume} is active there too`);
  for (const { address, up } of facts.addressLinks) if (up) problems.push(`${node}: the link of ${address} is up`);
  problems.push(...otherProcesses(node, facts.processes, standbyProcesses(fileserver)));
  return problems;
}

function otherProcesses(node: string, found: readonly string[], wanted: readonly string[]): readonly string[] {
  const [are, should] = [found.toSorted().join(" "), wanted.toSorted().join(" ")];
  return are === should ? [] : [`${node}: its processes are [${are}], not [${should}]`];
}
