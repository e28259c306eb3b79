/** Starts holders (linux/holder.ts) in scopes of their own, so that they and what they start outlive the agent. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { Fault } from "../base/fault.ts";
import { HOLDER_FILES, HOLDER_SCRIPT, outputFile } from "../linux/holder.ts";
import { waitFor, type Clock } from "../system/clock.ts";
import { startDaemon } from "../system/processes.ts";
import { toolPath } from "../system/tools.ts";
import { holderPid, openFiles, readOptional, scopeProcesses, type ScopeProcess } from "./inside.ts";
import { holderFolder, HOST_HOLDER, PLACES, scopeUnit } from "./places.ts";
import { goToNormalPriority } from "./priority.ts";

const LOOK_INTERVAL_MS = 20;

/** The holder of a fileserver: in new namespaces, or in those that a dead holder left behind while its daemons live on. */
export async function startFileserverHolder(clock: Clock, fileserver: string, boundMs: number): Promise<number> {
  const enter = ([inside]: readonly ScopeProcess[]): readonly string[] =>
    inside === undefined
      ? // Nothing mounted inside is seen outside; but what the node unmounts goes here too, or its device stays busy for ever.
        [toolPath("unshare"), "--net", "--mount", "--uts", "--propagation", "slave"]
      : [toolPath("nsenter"), "--target", String(inside.pid), "--net", "--mount", "--uts"];
  return startHolder(clock, fileserver, enter, boundMs);
}

/** The node's own holder, in the namespaces of everybody. */
export async function startHostHolder(clock: Clock, boundMs: number): Promise<number> {
  return startHolder(clock, HOST_HOLDER, () => [], boundMs);
}

/** @param enter by what is in the scope: words before the holder's own. */
async function startHolder(
  clock: Clock,
  name: string,
  enter: (scope: readonly ScopeProcess[]) => readonly string[],
  boundMs: number,
): Promise<number> {
  const folder = holderFolder(name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(PLACES.holderScript, HOLDER_SCRIPT, { mode: 0o700 });
  const { scope, living } = await settleCommands(clock, name, boundMs);
  if (living !== undefined) return living;
  await rm(`${folder}/${HOLDER_FILES.pid}`, { force: true });
  // A scope that still has processes keeps its name; the new holder is moved into it by its own hand (below).
  const unit = scope.length === 0 ? scopeUnit(name) : `holdfast-${name}-again-${Math.round(clock.wallMs())}.scope`;
  // Whatever serves is started by the holder, and has its priority.
  goToNormalPriority();
  await startDaemon({
    program: toolPath("systemd-run"),
    args: [
      "--scope",
      "--collect",
      "--quiet",
      "--slice=holdfast.slice",
      // At shutdown everything is stopped at once that is not ordered: the engine has to stop the fileservers first.
      "--property=Before=pacemaker.service",
      `--unit=${unit}`,
      ...enter(scope),
      toolPath("sh"),
      PLACES.holderScript,
      folder,
    ],
    logFile: `${folder}/holder.log`,
  });
  const bound = { what: "the holder", timeoutMs: boundMs, intervalMs: LOOK_INTERVAL_MS };
  const pid = await waitFor(clock, bound, async () => {
    const written = await readOptional(`${folder}/${HOLDER_FILES.pid}`);
    if (written === undefined || written.trim() === "") return undefined;
    if (scope.length > 0) await joinScope(name, Number(written));
    return holderPid(name, await scopeProcesses(name));
  });
  if (pid !== undefined) return pid;
  const said = (await readOptional(`${folder}/holder.log`))?.trim();
  throw new Fault({
    code: "holder-not-started",
    what: `the namespaces of ${name} could not be made: ${said === undefined || said === "" ? "no word from systemd-run" : said}`,
  });
}

/** Where commands of a holder are seen. */
export interface HolderSight {
  scope(): Promise<readonly ScopeProcess[]>;
  holder(scope: readonly ScopeProcess[]): Promise<number | undefined>;
  /** Names in the holder's folder. */
  files(): Promise<readonly string[]>;
  /** Paths that a process has open. */
  open(pid: number): Promise<readonly string[]>;
}

function sightOf(name: string): HolderSight {
  return {
    scope: () => scopeProcesses(name),
    holder: (scope) => holderPid(name, scope),
    files: () => readdir(holderFolder(name)),
    open: openFiles,
  };
}

/**
 * What a dead agent has sent goes on without it (a mount that replays a log, an activation), and without its holder
 * too: what is seen before that has ended is not yet true. A command that runs has its output file open.
 *
 * Resolves with what is in the scope then. Rejects where a command has not ended within the bound.
 */
export async function settleCommands(
  clock: Clock,
  name: string,
  boundMs: number,
  sight = sightOf(name),
): Promise<{ readonly scope: readonly ScopeProcess[]; readonly living: number | undefined }> {
  const bound = { what: "the commands of an agent that is gone", timeoutMs: boundMs, intervalMs: LOOK_INTERVAL_MS };
  const settled = await waitFor(clock, bound, async () => {
    const files = (await sight.files()).filter((file) => file.startsWith(outputFile("")));
    const scope = await sight.scope();
    const open = files.length === 0 ? [] : (await Promise.all(scope.map(({ pid }) => sight.open(pid)))).flat();
    if (files.some((file) => open.some((path) => path.endsWith(`/${file}`)))) return undefined;
    return { scope, living: await sight.holder(scope) };
  });
  if (settled !== undefined) return settled;
  throw new Fault({
    code: "holder-busy",
    what: `a command for ${name} that was sent by an agent before this one has not ended within ${boundMs} ms`,
    remedy: "look what it waits for: systemd-cgls -u holdfast.slice",
  });
}

/** Into the scope of the daemons that are still there: one scope per fileserver is what everything else looks at. */
async function joinScope(name: string, pid: number): Promise<void> {
  await writeFile(`${PLACES.cgroups}/${scopeUnit(name)}/cgroup.procs`, String(pid));
}
