/**
 * The lab's Ethernet switch as a program: `node src/lab/switch/program.ts CONFIG.json`, or `runSwitch` in a process
 * of the caller's. Needs no root. One process per lab serves all its networks.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { explain, Fault, messageOf, toFault } from "../../base/fault.ts";
import { systemClock, type Clock } from "../../system/clock.ts";
import { isSwitchRunning } from "./client.ts";
import { checkSwitchConfig, controlSocketPath, portSocketPath, type SwitchConfig } from "./config.ts";
import { makeControlServer } from "./control.ts";
import { addNetwork, closeFabric, closeServer, listenOn, makeFabric, openPort, type Fabric } from "./fabric.ts";
import { handle } from "./handlers.ts";

const FOLDER_MODE = 0o700;
const SEED_DEFAULT = 1;
const USAGE = "usage: node src/lab/switch/program.ts CONFIG.json";

export interface RunningSwitch {
  /** Ends all connections, completes captures and removes the sockets. May be called more than once. */
  readonly stop: () => Promise<void>;
  /** Resolves when the switch has ended, by `stop` or by the control request `shutdown`. */
  readonly stopped: Promise<void>;
}

export interface SwitchWorld {
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

/**
 * Resolves when every port listens and the control socket answers: machines may be started then.
 * Rejects with a Fault: `switch-config-invalid`, `switch-socket-path-too-long`, `switch-already-running`,
 * `switch-cannot-listen`, `switch-folder-unusable`. Handles no signals; `serveSwitch` does.
 */
export async function runSwitch(config: SwitchConfig, world: SwitchWorld = systemWorld()): Promise<RunningSwitch> {
  const checked = checkSwitchConfig(config);
  const controlPath = controlSocketPath(checked.folder);
  for (const { name, machines } of checked.networks) {
    for (const machine of machines) portSocketPath(checked.folder, name, machine);
  }
  await prepareFolder(checked);
  const fabric = makeFabric(checked.folder, world.clock, world.log);
  const stopped = Promise.withResolvers<void>();
  let stopping = false;
  const control = makeControlServer(
    (request) => handle(fabric, request),
    () => void stop(),
  );
  const stop = (): Promise<void> => {
    if (!stopping) {
      stopping = true;
      for (const socket of control.sockets) socket.destroy();
      const closing = control.server.listening ? closeServer(control.server) : Promise.resolve();
      Promise.all([closing, closeFabric(fabric)]).then(() => stopped.resolve(), stopped.reject);
    }
    return stopped.promise;
  };
  try {
    await openPorts(fabric, checked);
    // Last: whoever gets an answer here may start machines.
    await listenOn(control.server, controlPath);
  } catch (error) {
    await stop();
    throw error;
  }
  control.server.on("error", (error) => world.log(`control: ${messageOf(error)}`));
  return { stop, stopped: stopped.promise };
}

/** Runs a switch until SIGTERM, SIGINT or the control request `shutdown`. For a process that does nothing else. */
export async function serveSwitch(config: SwitchConfig, world: SwitchWorld = systemWorld()): Promise<void> {
  const running = await runSwitch(config, world);
  const stop = (signal: NodeJS.Signals): void => {
    world.log(`ending on ${signal}`);
    void running.stop();
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  try {
    await running.stopped;
  } finally {
    process.off("SIGTERM", stop);
    process.off("SIGINT", stop);
  }
}

/** Arguments: the path of a JSON file with a SwitchConfig. Resolves with the exit status: 0, 1 failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  const [file] = args;
  if (file === undefined || args.length !== 1) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  try {
    await serveSwitch(readConfig(file));
    return 0;
  } catch (error) {
    for (const line of explain(error)) process.stderr.write(`${line}\n`);
    return toFault(error).kind === "invalid" ? 2 : 1;
  }
}

async function openPorts(fabric: Fabric, config: SwitchConfig): Promise<void> {
  let seed = config.seed ?? SEED_DEFAULT;
  for (const { name, machines } of config.networks) {
    const network = addNetwork(fabric, name, seed);
    seed += 1;
    for (const machine of machines) await openPort(fabric, network, machine);
  }
}

/** Makes the folder, and removes sockets that a killed switch left; refuses when that switch is alive. */
async function prepareFolder(config: SwitchConfig): Promise<void> {
  if (await isSwitchRunning(config.folder)) {
    throw new Fault({
      kind: "refused",
      code: "switch-already-running",
      what: `a switch is already running in ${config.folder}`,
      remedy: "end it first (control request shutdown), or use another folder",
    });
  }
  try {
    // Not recursive: below /proc that loops for ever in Node 26, and a missing parent is a mistake worth telling.
    if (!existsSync(config.folder)) mkdirSync(config.folder, { mode: FOLDER_MODE });
    const prefixes = config.networks.map((network) => `${network.name}-`);
    for (const name of readdirSync(config.folder)) {
      const ours =
        name === "switch.sock" || (name.endsWith(".sock") && prefixes.some((prefix) => name.startsWith(prefix)));
      const path = join(config.folder, name);
      if (ours && statSync(path).isSocket()) rmSync(path);
    }
  } catch (error) {
    throw new Fault({
      code: "switch-folder-unusable",
      what: `cannot use the folder ${config.folder}: ${messageOf(error)}`,
      cause: error,
    });
  }
}

function readConfig(file: string): SwitchConfig {
  try {
    return checkSwitchConfig(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault({
      kind: "invalid",
      code: "switch-config-unreadable",
      what: `cannot read the switch's configuration ${file}: ${messageOf(error)}`,
      cause: error,
    });
  }
}

function systemWorld(): SwitchWorld {
  return {
    clock: systemClock,
    log: (line) => void process.stderr.write(`${new Date().toISOString()} switch ${line}\n`),
  };
}

// Only as a file of its own: in the bundle, and under a test runner, argv[1] is another file.
if (process.argv[1]?.endsWith("/lab/switch/program.ts") === true) process.exitCode = await main(process.argv.slice(2));
