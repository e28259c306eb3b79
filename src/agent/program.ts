/** `holdfast agent`: the resident program on each node. */
import { mkdir } from "node:fs/promises";
import { hostname, uptime } from "node:os";
import { defined } from "../base/assert.ts";
import { explain, Fault } from "../base/fault.ts";
import { reservationKey, specHash } from "../model/derive.ts";
import { loadSpec } from "../model/load.ts";
import type { Spec } from "../model/spec.ts";
import { asPrinted } from "../scsi/persistent-reserve.ts";
import { openKeyEye } from "../scsi/key-eye.ts";
import { openReservations, scsiPort } from "../scsi/reservation.ts";
import { systemClock } from "../system/clock.ts";
import { readNodeSpec } from "../system/node-spec.ts";
import { askSigned } from "../wire/signed-http.ts";
import { serveApi } from "./api.ts";
import { endOnBug } from "./bug.ts";
import type { Node } from "./context.ts";
import { openDirectors } from "./directors.ts";
import { controlFileserver, type FileserverControl } from "./fileserver.ts";
import { openHolder } from "./holder-client.ts";
import { hostCommands } from "./host-commands.ts";
import { openHushes } from "./hush.ts";
import { findLuns } from "./luns.ts";
import { holderFolder, HOST_HOLDER, PLACES } from "./places.ts";
import { prepareNode } from "./prepare-node.ts";
import { goToNormalPriority } from "./priority.ts";
import { directorsBefore, readSecrets, serveRoles } from "./role-endpoint.ts";
import { watchRegistration } from "./registration.ts";
import { registrationMarker } from "./registration-marker.ts";
import { goDownAtOnce } from "./self-fence.ts";
import { openWatchdog } from "./watchdog.ts";
import { startHostHolder } from "./start-holder.ts";

export interface AgentSettings {
  readonly specPath: string;
  readonly socket: string;
  readonly version: string;
  /** Multiplies every bound; 1 on real machines. */
  readonly timeScale: number;
  /** This node's name in the spec; the host name unless said otherwise. */
  readonly nodeName?: string;
}

/** Resolves when the agent was asked to end (SIGTERM, SIGINT). Fileservers stay as they are. */
export async function runAgent(settings: AgentSettings): Promise<void> {
  const log = (line: string): void => void process.stdout.write(`${line}\n`);
  const spec = loadSpec(await readNodeSpec(settings.specPath), settings.specPath);
  const name = settings.nodeName ?? hostname().split(".")[0] ?? "";
  await mkdir(PLACES.run, { recursive: true, mode: 0o700 });
  const commands = await hostCommands(async () => {
    await startHostHolder(systemClock, HOLDER_BOUND_MS * settings.timeScale);
    return openHolder(holderFolder(HOST_HOLDER));
  }, settings.timeScale);
  const before = directorsBefore(spec, name);
  const secrets = await readSecrets(before, log);
  const { timeScale } = settings;
  const directors = openDirectors({ spec, node: name, timeScale, log, secrets, ask: askSigned });
  const node = makeNode(spec, name, {
    ...(directors === undefined ? {} : { directors }),
    commands,
    overdue: () => commands.overdue(),
    timeScale: settings.timeScale,
    lockdStopped: (fileserver) => {
      for (const [other, control] of controls) if (other !== fileserver) control.lockdMaySleep();
    },
    log,
  });
  await prepareNode(node.commands, spec, log);
  const controls = new Map<string, FileserverControl>(
    spec.fileservers.map((one) => [one.name, controlFileserver(node, one)]),
  );
  const keys = nodeKeys(spec);
  const { watchdog: device } = spec.cluster;
  const watchdog = device === undefined ? undefined : openWatchdog(device, log);
  const eye = openKeyEye({ clock: node.clock, timeScale, reservations: node.reservations });
  const registration =
    spec.cluster.engine === "pacemaker"
      ? watchRegistration({
          node,
          clusterKeys: [...keys.values()],
          findLuns: () => findLuns(node, spec.fileservers),
          readKeys: (disk) => eye.readKeys(disk),
          marker: registrationMarker(),
          fileservers: controls,
          goDown: goDownAtOnce,
          uptimeS: () => uptime(),
          looked: () => watchdog?.pet([...controls.values()].some((control) => control.serves())),
        })
      : undefined;
  const api = await serveApi(settings.socket, {
    node: name,
    version: settings.version,
    specHash: specHash(spec),
    spec,
    controls,
    wallMs: () => systemClock.wallMs(),
    cluster: { node, controls, registration, keys, hushes: openHushes(node, controls), goDown: goDownAtOnce },
  });
  const roleServers = directors === undefined ? [] : await serveRoles(before, secrets, directors, log);
  log(`agent of ${name}: ${controls.size} fileservers, socket ${settings.socket}`);
  const ended = new Promise<string>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
  // One after the other: starting daemons of several fileservers at once helps nobody.
  for (const control of controls.values()) {
    await control.warm().catch((error: unknown) => {
      log(`${control.spec.name}: not ready: ${explain(error).join("; ")}`);
      endOnBug(error);
    });
  }
  goToNormalPriority();
  log(`ended by ${await ended}`);
  registration?.stop();
  eye.close();
  watchdog?.letGo();
  for (const server of roleServers) server.close();
  await api.close();
}

const HOLDER_BOUND_MS = 10_000;

function makeNode(
  spec: Spec,
  name: string,
  parts: Pick<Node, "commands" | "overdue" | "timeScale" | "lockdStopped" | "log" | "directors">,
): Node {
  const { nodes, name: cluster } = spec.cluster;
  if (!nodes.some((node) => node.name === name)) {
    throw new Fault({
      kind: "invalid",
      code: "node-not-in-spec",
      what: `this node, ${name}, is not among the spec's nodes (${nodes.map((node) => node.name).join(", ")})`,
      remedy: "correct cluster.nodes, or give the name with --node",
    });
  }
  const keys = nodeKeys(spec);
  const names = new Map([...keys].map(([node, key]) => [key, node]));
  return {
    name,
    cluster,
    engine: spec.cluster.engine,
    ...parts,
    clock: systemClock,
    reservations: openReservations(scsiPort(systemClock, parts.timeScale)),
    reservationKey: defined(keys.get(name), "the node is one of the spec's"),
    nodeOfKey: (key) => names.get(key),
    otherKeys: [...keys].filter(([node]) => node !== name).map(([, key]) => key),
  };
}

/** Reservation keys of all nodes, by name. */
function nodeKeys({ cluster }: Spec): ReadonlyMap<string, string> {
  return new Map(
    cluster.nodes.map(({ name }) => [name as string, asPrinted(reservationKey(cluster.name, name))] as const),
  );
}
