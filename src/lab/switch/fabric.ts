/**
 * The switch at work: domains joined to unix sockets, one listening socket per port.
 *
 * A port's socket lives as long as the port: QEMU 7.2 is the client, cannot reconnect by itself, and connects anew each
 * time its machine starts. A second connection takes the place of the first, as a cable plugged in anew does; the first
 * one's machine may have been killed without the switch having heard of it yet.
 */
import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { Fault, messageOf } from "../../base/fault.ts";
import type { Clock } from "../../system/clock.ts";
import type { Capture } from "./capture.ts";
import { portSocketPath } from "./config.ts";
import { deframe, makeDeframer } from "./deframer.ts";
import * as domains from "./domain.ts";
import { flushAll, makeOutlet, offer, type Outlet } from "./outlet.ts";
import { seededRandom } from "./random.ts";

const SOCKET_MODE = 0o600;
/** Timers count whole milliseconds. */
const TIMER_MS_MIN = 1;

export interface FabricPort {
  readonly port: domains.DomainPort;
  readonly path: string;
  readonly server: Server;
  socket: Socket | undefined;
  connections: number;
}

export interface FabricNetwork {
  readonly domain: domains.Domain;
  readonly ports: Map<string, FabricPort>;
  capture: Capture | undefined;
  timer: NodeJS.Timeout | undefined;
  timerDueMs: number;
}

export interface Fabric {
  readonly folder: string;
  readonly clock: Clock;
  readonly networks: Map<string, FabricNetwork>;
  /** Outlets with frames to write before the event loop goes on. */
  readonly dirty: Outlet[];
  readonly log: (line: string) => void;
  /** No port is opened any more. */
  closed: boolean;
}

export function makeFabric(folder: string, clock: Clock, log: (line: string) => void): Fabric {
  return { folder, clock, networks: new Map(), dirty: [], log, closed: false };
}

export function addNetwork(fabric: Fabric, name: string, seed: number): FabricNetwork {
  const domain = domains.makeDomain(name, seededRandom(seed));
  const network: FabricNetwork = { domain, ports: new Map(), capture: undefined, timer: undefined, timerDueMs: 0 };
  fabric.networks.set(name, network);
  return network;
}

/** Resolves when the port's socket listens. Rejects with a Fault `switch-cannot-listen`. */
export async function openPort(fabric: Fabric, network: FabricNetwork, machine: string): Promise<FabricPort> {
  const path = portSocketPath(fabric.folder, network.domain.name, machine);
  const server = createServer((socket) => accept(fabric, network, opened, socket));
  await listenOn(server, path);
  if (fabric.closed) {
    await closeServer(server);
    throw new Fault({ code: "switch-ending", what: `no port for ${machine}: the switch is ending` });
  }
  const port = domains.addPort(network.domain, machine);
  const opened: FabricPort = { port, path, server, socket: undefined, connections: 0 };
  server.on("error", (error) => fabric.log(`${nameOf(network, opened)}: ${messageOf(error)}`));
  network.ports.set(machine, opened);
  return opened;
}

/** Ends the machine's connection and removes the socket. */
export async function closePort(network: FabricNetwork, closing: FabricPort): Promise<void> {
  network.ports.delete(closing.port.machine);
  domains.removePort(network.domain, closing.port);
  closing.socket?.destroy();
  closing.socket = undefined;
  await closeServer(closing.server);
}

export async function closeFabric(fabric: Fabric): Promise<void> {
  fabric.closed = true;
  for (const network of fabric.networks.values()) {
    clearTimeout(network.timer);
    for (const port of network.ports.values()) await closePort(network, port);
    try {
      network.capture?.stop();
    } catch (error) {
      // The sockets of the other networks have to go all the same.
      fabric.log(messageOf(error));
    }
    network.capture = undefined;
  }
}

/** To be called after anything that may have sent or held frames: writes them out and sets the alarm for held ones. */
export function settle(fabric: Fabric, network: FabricNetwork): void {
  flushAll(fabric.dirty);
  const dueMs = domains.nextReleaseMs(network.domain);
  if (dueMs === undefined || (network.timer !== undefined && network.timerDueMs <= dueMs)) return;
  clearTimeout(network.timer);
  network.timerDueMs = dueMs;
  const waitMs = Math.max(TIMER_MS_MIN, Math.ceil(dueMs - fabric.clock.monotonicMs()));
  network.timer = setTimeout(() => {
    network.timer = undefined;
    domains.releaseDue(network.domain, fabric.clock.monotonicMs());
    settle(fabric, network);
  }, waitMs);
}

export function listenOn(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      reject(new Fault({ code: "switch-cannot-listen", what: `cannot listen on ${path}: ${messageOf(cause)}`, cause }));
    };
    server.once("error", fail);
    server.listen(path, () => {
      server.off("error", fail);
      try {
        chmodSync(path, SOCKET_MODE);
        resolve();
      } catch (error) {
        fail(error);
      }
    });
  });
}

/** Connections have to be ended first. Node removes the socket's path. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function accept(fabric: Fabric, network: FabricNetwork, at: FabricPort, socket: Socket): void {
  const { domain } = network;
  const { port } = at;
  const name = nameOf(network, at);
  if (at.socket !== undefined) {
    fabric.log(`${name}: a new connection takes the place of the old one`);
    at.socket.destroy();
    domains.unplug(domain, port);
  }
  const outlet = makeOutlet(socket);
  const deframer = makeDeframer();
  let nowMs = 0;
  const sink = (wire: Buffer, start: number, end: number): void =>
    domains.receive(domain, port, wire, start, end, nowMs);

  at.socket = socket;
  at.connections += 1;
  domains.plug(port, (wire, start, end) => offer(outlet, fabric.dirty, wire, start, end));
  fabric.log(`${name}: connected`);

  socket.on("data", (chunk) => {
    if (at.socket !== socket) return;
    nowMs = fabric.clock.monotonicMs();
    const inStep = deframe(deframer, chunk as Buffer, sink); // a Buffer, as no encoding is set
    settle(fabric, network);
    if (inStep) return;
    fabric.log(`${name}: ended, as it announced a frame longer than QEMU sends`);
    socket.destroy();
  });
  // A killed machine resets its connection; "close" follows and does what there is to do.
  socket.on("error", (error) => fabric.log(`${name}: ${messageOf(error)}`));
  socket.on("close", () => {
    if (at.socket !== socket) return;
    at.socket = undefined;
    domains.unplug(domain, port);
    fabric.log(`${name}: disconnected`);
  });
}

function nameOf(network: FabricNetwork, { port }: FabricPort): string {
  return `${network.domain.name}/${port.machine}`;
}
