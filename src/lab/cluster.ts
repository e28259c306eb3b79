/** Puts Holdfast's cluster onto running machines: volumes, spec, agent. Each part looks first, so that it can be repeated. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../base/fault.ts";
import { holdfastSpec, prepareVolumesScript } from "./cluster-spec.ts";
import { sourceRoot, type LabPaths } from "./paths.ts";
import { planMachines, type MachinePlan } from "./plan.ts";
import { sshExec } from "./ssh.ts";
import type { LabState } from "./state.ts";
import type { LabWorld } from "./world.ts";

const AGENT_UNIT = "holdfast-agent.service";
const AGENT_SOCKET = "/run/holdfast/agent.sock";
/** Half a second apart; Node.js alone takes some seconds to start under emulation. */
const ANSWER_TRIES_MAX = 120;
const PREPARE_TIMEOUT_MS = 180_000;
const INSTALL_TIMEOUT_MS = 120_000;
/** How many times slower than a real machine an emulated one is allowed to be: it multiplies the agent's bounds. */
export const TIME_SCALE = { tcg: 10, kvm: 1 } as const;

/** @param changed machines whose bundle is new: their agent is restarted. */
export async function setUpHoldfast(
  world: LabWorld,
  paths: LabPaths,
  state: LabState,
  changed: readonly string[],
): Promise<void> {
  const machines = planMachines(state.shape);
  const nodes = machines.filter(({ role }) => role === "node");
  const directors = machines.filter(({ role }) => role === "director");
  const spec = holdfastSpec(state.name, nodes, paths.sshConfig, state.engine, undefined, directors);
  await writeFile(paths.spec, spec);
  await prepareVolumes(world, paths, nodes);
  // Pacemaker's cluster is made by `apply`, as an administrator makes it.
  if (state.engine === "pacemaker") {
    await restartAgents(world, paths, nodes, changed);
    return;
  }
  const unit = await agentUnit();
  await Promise.all(
    nodes.map(({ name }) => installAgent(world, paths, state, name, spec, unit, changed.includes(name))),
  );
}

/** `apply` restarts an agent when its release is another; a new bundle of the same release it cannot tell from the old one. */
async function restartAgents(
  world: LabWorld,
  paths: LabPaths,
  nodes: readonly MachinePlan[],
  changed: readonly string[],
): Promise<void> {
  const restart = ["systemctl", "try-restart", AGENT_UNIT];
  const due = nodes.filter(({ name }) => changed.includes(name));
  await Promise.all(
    due.map(({ name }) => sshExec(world.commands, paths.sshConfig, name, restart, { timeoutMs: INSTALL_TIMEOUT_MS })),
  );
}

async function prepareVolumes(world: LabWorld, paths: LabPaths, nodes: readonly MachinePlan[]): Promise<void> {
  const first = nodes[0]?.name ?? "n1";
  const result = await sshExec(world.commands, paths.sshConfig, first, ["bash", "-s"], {
    input: prepareVolumesScript(nodes.length),
    timeoutMs: PREPARE_TIMEOUT_MS,
  });
  for (const line of result.stdout.trim().split("\n")) if (line !== "") world.progress(`${first}: ${line}`);
  if (result.status === 0) return;
  throw new Fault({
    code: "lab-volumes-failed",
    what: `the volumes could not be prepared on ${first}: ${result.stderr.trim()}`,
  });
}

async function agentUnit(): Promise<string> {
  const root = sourceRoot();
  const places = [...(root === undefined ? [] : [join(root, "packaging")]), "/usr/lib/systemd/system"];
  for (const place of places) {
    if (existsSync(join(place, AGENT_UNIT))) return readFile(join(place, AGENT_UNIT), "utf8");
  }
  throw new Fault({ code: "agent-unit-missing", what: `${AGENT_UNIT} is in none of ${places.join(", ")}` });
}

async function installAgent(
  world: LabWorld,
  paths: LabPaths,
  state: LabState,
  node: string,
  spec: string,
  unit: string,
  restart: boolean,
): Promise<void> {
  const files: readonly (readonly [string, string])[] = [
    ["/etc/holdfast/holdfast.yaml", spec],
    ["/etc/holdfast/agent.env", `HOLDFAST_TIME_SCALE=${TIME_SCALE[state.accelerator]}\n`],
    [`/etc/systemd/system/${AGENT_UNIT}`, unit],
    // The lab logs in to its LUNs in a unit of its own.
    [`/etc/systemd/system/${AGENT_UNIT}.d/lab.conf`, "[Unit]\nAfter=lab-boot.service\n"],
  ];
  const script = [
    "set -eu",
    "changed=no",
    // Written only where it differs, so that a second `lab up` restarts nothing.
    'put() { mkdir -p "$(dirname "$1")"; cat > "$1.new"; if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; changed=yes; fi; }',
    ...files.map(([path, text]) => `put ${path} <<'END-OF-FILE'\n${text}END-OF-FILE`),
    "chmod 600 /etc/holdfast/agent.env",
    `if [ $changed = yes ]; then systemctl daemon-reload; systemctl enable -q ${AGENT_UNIT}; fi`,
    `if [ $changed = yes ] || [ ${restart ? "yes" : "no"} = yes ]; then systemctl restart ${AGENT_UNIT}; else systemctl start ${AGENT_UNIT}; fi`,
    `tries=0; until socat -u OPEN:/dev/null UNIX-CONNECT:${AGENT_SOCKET} 2>/dev/null; do`,
    `tries=$((tries + 1)); if [ $tries -ge ${ANSWER_TRIES_MAX} ]; then echo "no answer on ${AGENT_SOCKET}" >&2; exit 1; fi; sleep 0.5; done`,
  ];
  const result = await sshExec(world.commands, paths.sshConfig, node, ["sh", "-s"], {
    input: `${script.join("\n")}\n`,
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
  if (result.status === 0) {
    world.progress(`${node}: its agent answers`);
    return;
  }
  throw new Fault({
    code: "lab-agent-failed",
    what: `${AGENT_UNIT} did not start on ${node}: ${result.stderr.trim()}`,
    remedy: `holdfast lab ssh ${node} -- journalctl -u ${AGENT_UNIT}`,
  });
}
