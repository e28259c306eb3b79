/** The deed of every kind of action. A new kind does not compile until it has one. */
import { Fault } from "../base/fault.ts";
import {
  clearMoves,
  clearTargetRole,
  moveResource,
  reloadCorosync,
  restartResource,
  setTargetRole,
} from "../pacemaker/commands.ts";
import type { WantedCib } from "../pacemaker/wanted.ts";
import { devicesWithSecrets } from "../pacemaker/wanted.ts";
import type { Design } from "../plan/design.ts";
import type { Action, Plan } from "../plan/plan.ts";
import type { Spec } from "../model/spec.ts";
import { exportsText } from "../nfs/configuration.ts";
import { runChecked } from "../system/commands.ts";
import type { AgentClient } from "../wire/client.ts";
import {
  startCluster,
  waitUntil,
  waitUntilReady,
  waitUntilServed,
  waitUntilStopped,
  writeCib,
  type ClusterParts,
} from "./cluster-deeds.ts";
import type { ActionRunner } from "./execute.ts";
import { AUTHKEY_PATH } from "./look.ts";
import type { NodeShell, OpenShell } from "./node-shell.ts";
import { putProgram, type ProgramSource } from "./program-source.ts";
import { authkeyFrom, makeVolume, runSystemAction, secretsScript, startAgent, writeSpec } from "./system-deeds.ts";
import { shareDirectorSecret, startDirector, writeDirectorFiles } from "./director-deeds.ts";
import { keyLeft, retireNode } from "./retire.ts";
import { setUpWitness } from "./witness.ts";

export interface DeedParts extends ClusterParts {
  readonly spec: Spec;
  /** As it lies before the operator; it goes to the nodes as it is. */
  readonly specText: string;
  readonly plan: Plan;
  readonly design: Design;
  /** Asked for when the cluster runs: secrets' names are known then. */
  readonly wanted: WantedCib;
  readonly shell: OpenShell;
  /** An agent for as long as something is asked of it. */
  readonly withAgent: <T>(node: string, ask: (agent: AgentClient) => Promise<T>) => Promise<T>;
  readonly program: ProgramSource;
}

type Having<A extends Action, K extends Action["kind"]> = A extends Action ? (K extends A["kind"] ? A : never) : never;
type ActionOf<K extends Action["kind"]> = Having<Action, K>;
type Deeds = { readonly [K in Action["kind"]]: (action: ActionOf<K>, parts: DeedParts) => Promise<void> };

const SECRETS_TIMEOUT_MS = 30_000;
const FILESERVER_TIMEOUT_MS = 120_000;

const DEEDS: Deeds = {
  "install-agent": async (action, parts) => putProgram(parts.shell(action.node), parts.program),
  "put-program": async (action, parts) => putProgram(parts.shell(action.node), parts.program),
  "mask-units": async (action, parts) => runSystemAction(parts.shell(action.node), action, parts.timeScale),
  "install-packages": async (action, parts) => runSystemAction(parts.shell(action.node), action, parts.timeScale),
  "set-system-id": async (action, parts) => runSystemAction(parts.shell(action.node), action, parts.timeScale),
  "write-file": writeFile,
  "write-spec": async (action, { shell, specText, plan }) =>
    writeSpec(shell(action.node), specText, plan.generation, plan.number),
  "put-secrets": putSecrets,
  "start-agent": async (action, parts) => startAgent(parts.shell(action.node), parts.timeScale),
  "reload-agent": async (action, parts) => startAgent(parts.shell(action.node), parts.timeScale),
  "retire-node": async (action, parts) => {
    const left = await retireNode(parts.shell(action.node), parts.spec, parts.timeScale);
    for (const disk of left) parts.progress(keyLeft(parts.spec, action.node, disk));
  },
  "forget-node": forget,
  "make-volume": async (action, parts) => makeVolume(parts.shell(action.node), action, parts.timeScale),
  "share-authkey": shareAuthkey,
  "share-director-secret": shareDirectorSecret,
  "write-director-files": writeDirectorFiles,
  "start-director": async (action, parts) => startDirector(parts.shell(action.node), action, parts.timeScale),
  "set-up-witness": async (action, parts) => setUpWitness(action.witness, parts),
  "start-cluster": async (action, parts) =>
    startCluster(parts.shell(action.node), parts.spec.cluster.name, parts.spec.cluster.witness !== undefined, parts),
  "reload-corosync": async (action, parts) =>
    void (await runChecked(parts.shell(action.node).commands, reloadCorosync)),
  "write-cib": async (action, parts) => {
    const differences = await writeCib(parts.shell(action.node), parts.wanted, parts);
    for (const difference of differences) parts.progress(`  ${difference}`);
  },
  settle: async (action, parts) => void (await waitUntilServed(parts.shell(action.node), action.fileservers, parts)),
  takeover: takeover,
  release: release,
  restart: restart,
  "reload-exports": reloadExports,
  move: move,
};

export function actionRunner(parts: DeedParts): ActionRunner {
  return (action) => (DEEDS[action.kind] as (action: Action, parts: DeedParts) => Promise<void>)(action, parts);
}

async function writeFile(action: ActionOf<"write-file">, parts: DeedParts): Promise<void> {
  const file = parts.design.files.find(({ name }) => name === action.file);
  if (file === undefined) throw new Fault({ code: "file-unknown", what: `the design has no file ${action.file}` });
  await parts.shell(action.node).put(file.path, file.text, file.mode);
}

async function putSecrets(action: ActionOf<"put-secrets">, parts: DeedParts): Promise<void> {
  const devices = devicesWithSecrets(parts.spec.cluster).filter(({ file }) => file === action.file);
  const script = secretsScript(action.file, devices);
  await parts.shell(action.node).must(script, SECRETS_TIMEOUT_MS * parts.timeScale, `giving away ${action.file}`);
}

async function forget(action: ActionOf<"forget-node">, parts: DeedParts): Promise<void> {
  const script = `PATH=/usr/sbin:/usr/bin crm_node --force --remove ${action.gone}\n`;
  await parts.shell(action.node).must(script, SECRETS_TIMEOUT_MS * parts.timeScale, `forgetting ${action.gone}`);
}

async function shareAuthkey(action: ActionOf<"share-authkey">, parts: DeedParts): Promise<void> {
  const source = action.from === undefined ? undefined : parts.shell(action.from);
  const key = await authkeyFrom(source, AUTHKEY_PATH);
  await Promise.all(action.to.map((node) => parts.shell(node).put(AUTHKEY_PATH, key, 0o400)));
}

const runsPacemaker = (parts: DeedParts): boolean => parts.spec.cluster.engine === "pacemaker";

async function takeover(action: ActionOf<"takeover">, parts: DeedParts): Promise<void> {
  if (!runsPacemaker(parts)) {
    await parts.withAgent(action.node, (agent) => agent.takeover(action.fileserver));
    return;
  }
  const shell = parts.shell(action.node);
  await waitUntilReady(shell, parts);
  await runChecked(shell.commands, clearTargetRole(action.fileserver));
  await waitUntilServed(shell, [action.fileserver], parts);
}

/** A fileserver that Pacemaker does not know (the engine has just changed) is released by its agent. */
async function release(action: ActionOf<"release">, parts: DeedParts): Promise<void> {
  const shell = parts.shell(action.node);
  const known = await isResource(shell, action.fileserver, parts);
  if (!known) {
    await parts.withAgent(action.node, (agent) => agent.release(action.fileserver));
    return;
  }
  await runChecked(shell.commands, setTargetRole(action.fileserver, "Stopped"));
  await waitUntilStopped(shell, [action.fileserver], parts);
}

async function isResource(shell: NodeShell, fileserver: string, parts: DeedParts): Promise<boolean> {
  if (!runsPacemaker(parts)) return false;
  const active = await shell.run("systemctl is-active --quiet pacemaker.service\n", SECRETS_TIMEOUT_MS);
  if (active.status !== 0) return false;
  const state = await waitUntilReady(shell, parts);
  return state.resources.some(({ id }) => id === fileserver);
}

async function restart(action: ActionOf<"restart">, parts: DeedParts): Promise<void> {
  if (!runsPacemaker(parts)) {
    await parts.withAgent(action.node, async (agent) => {
      await agent.release(action.fileserver);
      await agent.takeover(action.fileserver);
    });
    return;
  }
  const shell = parts.shell(action.node);
  await runChecked(shell.commands, restartResource(action.fileserver, FILESERVER_TIMEOUT_MS * parts.timeScale));
  await waitUntilServed(shell, [action.fileserver], parts);
}

/** On every node: a warm standby has the file too, and is served by after the next move. */
async function reloadExports(action: ActionOf<"reload-exports">, parts: DeedParts): Promise<void> {
  const fileserver = parts.spec.fileservers.find(({ name }) => name === action.fileserver);
  if (fileserver === undefined) return;
  const text = exportsText(fileserver, parts.spec.cluster.name);
  await Promise.all(
    parts.spec.cluster.nodes.map(async ({ name }) => {
      const result = await parts.shell(name).commands.run({
        tool: "sh",
        args: ["-c", reloadExportsScript(action.fileserver)],
        timeoutMs: SECRETS_TIMEOUT_MS * parts.timeScale,
        input: text,
      });
      if (result.status === 0) return;
      throw new Fault({
        code: "exports-not-reloaded",
        what: `${name} did not take the new exports of ${action.fileserver}: ${result.stderr.trim()}`,
        remedy: `move it once, when a pause suits its clients: holdfast move ${action.fileserver}`,
      });
    }),
  );
}

/** Written in place: the file is mounted over /etc/exports there, and another in its stead would not be seen. */
function reloadExportsScript(fileserver: string): string {
  return `set -eu; PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH
pid=$(head -n 1 /sys/fs/cgroup/holdfast.slice/holdfast-${fileserver}.scope/cgroup.procs 2>/dev/null) || exit 0
[ -n "$pid" ] || exit 0
cat > "/proc/$pid/root/run/holdfast/etc/exports"
nsenter --target "$pid" --mount --net --uts exportfs -ra
`;
}

async function move(action: ActionOf<"move">, parts: DeedParts): Promise<void> {
  if (!runsPacemaker(parts)) {
    await parts.withAgent(action.to, (agent) => agent.prepare(action.fileserver));
    await parts.withAgent(action.node, (agent) => agent.release(action.fileserver));
    await parts.withAgent(action.to, (agent) => agent.takeover(action.fileserver));
    return;
  }
  const shell = parts.shell(action.to);
  try {
    await runChecked(shell.commands, moveResource(action.fileserver, action.to));
    const outcome = await waitUntil(shell, parts, (state) =>
      state.resources.some(({ id, active, nodes }) => id === action.fileserver && active && nodes.join() === action.to),
    );
    if (outcome.done) return;
    throw new Fault({
      code: "fileserver-not-moved",
      what: `${action.fileserver} was not on ${action.to} within ${outcome.waitedS} s`,
      remedy: "look at: crm_mon -1",
    });
  } finally {
    await runChecked(shell.commands, clearMoves(action.fileserver));
  }
}
