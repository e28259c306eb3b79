/** What each request does to the fabric. */
import { Fault } from "../../base/fault.ts";
import { startCapture } from "./capture.ts";
import { learnedMacs, inject, setRule } from "./domain.ts";
import { closePort, openPort, settle, type Fabric, type FabricNetwork, type FabricPort } from "./fabric.ts";
import { formatMac, withPrefix } from "./frame.ts";
import type { PortState, Request, RequestName, RequestOf, ResultOf, RuleState } from "./protocol.ts";
import { CLEAR, DIRECTIONS } from "./rules.ts";

type Handlers = {
  readonly [Name in RequestName]: (
    fabric: Fabric,
    request: RequestOf<Name>,
  ) => ResultOf<Name> | Promise<ResultOf<Name>>;
};

const HANDLERS: Handlers = {
  ports: (fabric) => ({
    pid: process.pid,
    networks: [...fabric.networks].map(([name, network]) => ({
      name,
      ports: [...network.ports.values()].map((port) => portState(fabric, network, port)),
      ...(network.capture === undefined ? {} : { capture: network.capture.state() }),
    })),
  }),
  rules: (fabric) => ({ rules: rulesInForce(fabric) }),
  "set-rule": (fabric, request) => {
    const network = networkNamed(fabric, request.network);
    const { port } = portNamed(network, request.machine);
    const nowMs = fabric.clock.monotonicMs();
    for (const direction of DIRECTIONS) {
      if (request.direction === "both" || request.direction === direction) {
        setRule(network.domain, port, direction, request, nowMs);
      }
    }
    settle(fabric, network);
    return { rules: rulesInForce(fabric) };
  },
  heal: (fabric, request) => {
    heal(fabric, request);
    return { rules: rulesInForce(fabric) };
  },
  "capture-start": (fabric, request) => {
    const network = networkNamed(fabric, request.network);
    if (network.capture !== undefined) throw captureRunning(network);
    const capture = startCapture(request, fabric.clock);
    network.capture = capture;
    network.domain.observe = capture.observe;
    return capture.state();
  },
  "capture-stop": (fabric, request) => {
    const network = networkNamed(fabric, request.network);
    const capture = network.capture;
    if (capture === undefined) throw noCapture(network);
    network.capture = undefined;
    network.domain.observe = undefined;
    return capture.stop();
  },
  inject: (fabric, request) => {
    const network = networkNamed(fabric, request.network);
    const ports = request.machine === "all" ? network.domain.ports : [portNamed(network, request.machine).port];
    const wire = withPrefix(Buffer.from(request.frameHex, "hex"));
    const took = inject(network.domain, ports, wire, fabric.clock.monotonicMs());
    settle(fabric, network);
    return { machines: took.map((port) => port.machine) };
  },
  "add-port": async (fabric, request) => {
    const network = networkNamed(fabric, request.network);
    const existing = network.ports.get(request.machine);
    if (existing !== undefined) throw portExists(network, existing);
    const port = await openPort(fabric, network, request.machine);
    return { path: port.path };
  },
  "remove-port": async (fabric, request) => {
    const network = networkNamed(fabric, request.network);
    await closePort(network, portNamed(network, request.machine));
    return {};
  },
  // The control socket ends the switch once this answer is on its way.
  shutdown: () => ({}),
};

/** Rejects with a Fault where the request cannot be met; nothing is changed then. */
export async function handle(fabric: Fabric, request: Request): Promise<unknown> {
  // The map's type pairs every name with its own request; indexing with a union loses that pairing.
  const handler = HANDLERS[request.request] as (fabric: Fabric, request: Request) => unknown;
  return handler(fabric, request);
}

function heal(fabric: Fabric, request: RequestOf<"heal">): void {
  const networks =
    request.network === undefined ? [...fabric.networks.values()] : [networkNamed(fabric, request.network)];
  if (request.machine !== undefined && !networks.some((network) => network.ports.has(request.machine ?? ""))) {
    throw unknownMachine(request.machine, networks);
  }
  const nowMs = fabric.clock.monotonicMs();
  for (const network of networks) {
    for (const { port } of network.ports.values()) {
      if (request.machine !== undefined && port.machine !== request.machine) continue;
      for (const direction of DIRECTIONS) setRule(network.domain, port, direction, CLEAR, nowMs);
    }
    settle(fabric, network);
  }
}

function rulesInForce(fabric: Fabric): RuleState[] {
  const rules: RuleState[] = [];
  for (const [network, { ports }] of fabric.networks) {
    for (const [machine, { port }] of ports) {
      for (const direction of DIRECTIONS) {
        const rule = port.rules[direction];
        if (rule !== CLEAR) rules.push({ network, machine, direction, ...rule });
      }
    }
  }
  return rules;
}

function portState(fabric: Fabric, network: FabricNetwork, { port, path, socket, connections }: FabricPort): PortState {
  const { counters } = port;
  return {
    machine: port.machine,
    path,
    connected: socket !== undefined,
    connections,
    macs: learnedMacs(network.domain, port, fabric.clock.monotonicMs()).map(formatMac),
    fromMachine: { frames: counters.framesFromMachine, bytes: counters.bytesFromMachine },
    toMachine: { frames: counters.framesToMachine, bytes: counters.bytesToMachine },
    dropped: {
      cut: counters.droppedByCut,
      loss: counters.droppedByLoss,
      queueFull: counters.droppedQueueFull,
      malformed: counters.droppedMalformed,
    },
  };
}

function networkNamed(fabric: Fabric, name: string): FabricNetwork {
  const network = fabric.networks.get(name);
  if (network !== undefined) return network;
  throw new Fault({
    kind: "invalid",
    code: "switch-unknown-network",
    what: `the switch has no network ${name}`,
    remedy: `name one of: ${[...fabric.networks.keys()].join(", ")}`,
  });
}

function portNamed(network: FabricNetwork, machine: string): FabricPort {
  const port = network.ports.get(machine);
  if (port !== undefined) return port;
  throw unknownMachine(machine, [network]);
}

function unknownMachine(machine: string, networks: readonly FabricNetwork[]): Fault {
  const names = new Set(networks.flatMap((network) => [...network.ports.keys()]));
  return new Fault({
    kind: "invalid",
    code: "switch-unknown-machine",
    what: `${machine} has no port in ${networks.map((network) => network.domain.name).join(", ")}`,
    remedy: `name one of: ${[...names].join(", ")}`,
  });
}

function portExists(network: FabricNetwork, { port, path }: FabricPort): Fault {
  return new Fault({
    kind: "invalid",
    code: "switch-port-exists",
    what: `${port.machine} already has a port in ${network.domain.name}: ${path}`,
  });
}

function captureRunning(network: FabricNetwork): Fault {
  return new Fault({
    kind: "invalid",
    code: "switch-capture-running",
    what: `${network.domain.name} is already being captured to ${network.capture?.state().file}`,
    remedy: "stop that capture first (capture-stop)",
  });
}

function noCapture(network: FabricNetwork): Fault {
  return new Fault({
    kind: "invalid",
    code: "switch-capture-not-running",
    what: `${network.domain.name} is not being captured`,
  });
}
