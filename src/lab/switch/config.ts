/** What a switch is started with, and where its sockets lie. */
import { join } from "node:path";
import { z } from "zod";
import { Fault } from "../../base/fault.ts";

/** sizeof(sockaddr_un.sun_path) with its closing zero (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;
const PORTS_MAX = 64;

/** No hyphen in a network's name: `<network>-<machine>.sock` then has one reading only. */
export const networkName = z.string().regex(/^[a-z][a-z0-9]{0,14}$/, "must be 1 to 15 of a-z and 0-9, a letter first");
/** "all" is what `inject` calls every machine. */
export const machineName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, "must be 1 to 32 of a-z, 0-9 and hyphen, a letter first")
  .refine((name) => name !== "all", "is a reserved name");

export const switchConfigSchema = z.strictObject({
  /** Made (0700) where it is missing, its parent is not. Short: the sockets' paths in it must stay below 108 bytes. */
  folder: z.string().startsWith("/", "must be an absolute path"),
  networks: z.array(z.strictObject({ name: networkName, machines: z.array(machineName).max(PORTS_MAX) })).min(1),
  /** For loss and jitter; the same seed and the same frames give the same losses. */
  seed: z.int().nonnegative().optional(),
});

export interface NetworkConfig {
  readonly name: string;
  readonly machines: readonly string[];
}

export interface SwitchConfig {
  readonly folder: string;
  readonly networks: readonly NetworkConfig[];
  readonly seed?: number | undefined;
}

/** Throws a Fault `switch-config-invalid`. */
export function checkSwitchConfig(value: unknown): SwitchConfig {
  const parsed = switchConfigSchema.safeParse(value);
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
  const config = parsed.data;
  const names = config.networks.map((network) => network.name);
  if (new Set(names).size < names.length) throw invalid("a network is named twice");
  for (const network of config.networks) {
    if (new Set(network.machines).size < network.machines.length) {
      throw invalid(`a machine is named twice in network ${network.name}`);
    }
  }
  return config;
}

/** Where a machine's QEMU connects: `-netdev stream,id=…,server=off,addr.type=unix,addr.path=<this>`. */
export function portSocketPath(folder: string, network: string, machine: string): string {
  return checkedPath(join(folder, `${network}-${machine}.sock`));
}

export function controlSocketPath(folder: string): string {
  return checkedPath(join(folder, "switch.sock"));
}

function checkedPath(path: string): string {
  const pathBytes = Buffer.byteLength(path);
  if (pathBytes <= SOCKET_PATH_BYTES_MAX) return path;
  throw new Fault({
    kind: "invalid",
    code: "switch-socket-path-too-long",
    what: `the socket path ${path} has ${pathBytes} bytes`,
    why: `the kernel takes at most ${SOCKET_PATH_BYTES_MAX} (unix(7), sun_path)`,
    remedy: "give the switch a short folder, such as one below /tmp",
  });
}

function invalid(what: string): Fault {
  return new Fault({ kind: "invalid", code: "switch-config-invalid", what: `the switch's configuration: ${what}` });
}
