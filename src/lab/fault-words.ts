/** The faults that a lab can inject, as data, and how the command line says them. Pure. */
import { unreachable } from "../base/assert.ts";
import { Fault } from "../base/fault.ts";
import { LUNS, NETWORKS, type Network } from "./plan.ts";

export type FaultDirection = "in" | "out" | "both";
export type DiskOperation = "read" | "write" | "flush";

/** Each stands for a real failure; the comment names it and the mechanism. */
export type LabFault =
  /** The plug is pulled: QEMU is killed. What the machine had not flushed is lost to it. */
  | { readonly kind: "power-off"; readonly machine: string }
  | { readonly kind: "power-on"; readonly machine: string }
  /** A watchdog or the reset button: QMP system_reset. */
  | { readonly kind: "reset"; readonly machine: string }
  /** A hypervisor that stalls, a stopped CPU: QMP stop. The machine does not know that time passed. */
  | { readonly kind: "freeze"; readonly machine: string }
  | { readonly kind: "thaw"; readonly machine: string }
  /** The kernel dies and stays dead: an NMI with kernel.unknown_nmi_panic. */
  | { readonly kind: "panic"; readonly machine: string }
  /** A broken path: the switch drops frames; the link stays up. */
  | { readonly kind: "cut"; readonly machine: string; readonly network: Network; readonly direction: FaultDirection }
  | ({ readonly kind: "loss"; readonly percent: number } & Cable)
  | ({ readonly kind: "delay"; readonly delayMs: number; readonly jitterMs: number } & Cable)
  /** Takes network and disk faults away; undefined means all. */
  | { readonly kind: "heal"; readonly target?: string; readonly network?: Network }
  /** An overloaded or dying disk: QEMU's throttle. */
  | { readonly kind: "slow-disk"; readonly disk: string; readonly iops?: number; readonly bytesPerSecond?: number }
  /** A disk that answers with EIO: QEMU's blkdebug. */
  | { readonly kind: "fail-disk"; readonly disk: string; readonly operations: readonly DiskOperation[] }
  /** A process that crashes. `process` is a name, or a pid. */
  | { readonly kind: "kill"; readonly machine: string; readonly process: string; readonly signal: string };

export interface Cable {
  readonly machine: string;
  readonly network: Network;
  /** `in` is towards the machine, `out` from it. */
  readonly direction: FaultDirection;
}

export type FaultKindName = LabFault["kind"];

/** What follows each kind on the command line. */
export const FAULT_USAGE: Readonly<Record<FaultKindName, string>> = {
  "power-off": "NAME",
  "power-on": "NAME [--no-wait]",
  reset: "NAME",
  freeze: "NAME",
  thaw: "NAME",
  panic: "NAME",
  cut: "NAME NETWORK [--direction in|out|both]",
  loss: "NAME NETWORK --percent P [--direction in|out|both]",
  delay: "NAME NETWORK --ms N [--jitter N] [--direction in|out|both]",
  heal: "[NAME|LUN|all] [NETWORK]",
  "slow-disk": "LUN|NAME [--iops N] [--bytes-per-second N]",
  "fail-disk": "LUN|NAME [--on read,write,flush]",
  kill: "NAME PROCESS [--signal KILL]",
};

export interface FaultOptions {
  readonly direction?: string | undefined;
  readonly percent?: number | undefined;
  readonly ms?: number | undefined;
  readonly jitter?: number | undefined;
  readonly iops?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  readonly on?: string | undefined;
  readonly signal?: string | undefined;
}

const OPERATIONS: readonly DiskOperation[] = ["read", "write", "flush"];
const DIRECTIONS: readonly FaultDirection[] = ["in", "out", "both"];
const SIGNALS: readonly string[] = ["KILL", "TERM", "STOP", "CONT", "INT", "HUP", "ABRT"];
const DELAY_MS_MAX = 60_000;

/** Throws a Fault of kind "invalid" that names what is missing. */
export function parseFault(words: readonly string[], options: FaultOptions, machines: readonly string[]): LabFault {
  const [word, target, second, ...more] = words;
  const kind = wordFrom("kind of fault", word, Object.keys(FAULT_USAGE) as FaultKindName[]);
  const takesSecond = ["cut", "loss", "delay", "heal", "kill"].includes(kind);
  if (more.length > 0 || (second !== undefined && !takesSecond)) throw wrong(kind, "too many words");
  const machine = (): string => wordFrom(`${kind}: machine`, target, machines);
  switch (kind) {
    case "power-off":
    case "power-on":
    case "reset":
    case "freeze":
    case "thaw":
    case "panic":
      return { kind, machine: machine() };
    case "cut":
      return { kind, ...cable(machine(), second, options) };
    case "loss":
      return { kind, percent: amount(kind, "percent", options.percent, 0, 100), ...cable(machine(), second, options) };
    case "delay":
      return {
        kind,
        delayMs: amount(kind, "ms", options.ms, 0, DELAY_MS_MAX),
        jitterMs: amount(kind, "jitter", options.jitter ?? 0, 0, DELAY_MS_MAX),
        ...cable(machine(), second, options),
      };
    case "heal":
      return {
        kind,
        ...(target === undefined || target === "all"
          ? {}
          : { target: wordFrom("heal: target", target, [...machines, ...LUNS]) }),
        ...(second === undefined ? {} : { network: wordFrom("heal: network", second, NETWORKS) }),
      };
    case "slow-disk":
      return { kind, disk: wordFrom("slow-disk: disk", target, [...LUNS, ...machines]), ...limits(options) };
    case "fail-disk":
      return {
        kind,
        disk: wordFrom("fail-disk: disk", target, [...LUNS, ...machines]),
        operations: operationsFrom(options.on),
      };
    case "kill":
      if (second === undefined) throw wrong(kind, "no process given");
      return {
        kind,
        machine: machine(),
        process: second,
        signal: wordFrom("kill: signal", options.signal ?? "KILL", SIGNALS),
      };
    default:
      return unreachable(kind);
  }
}

function cable(machine: string, network: string | undefined, options: FaultOptions): Cable {
  return {
    machine,
    network: wordFrom("network", network, NETWORKS),
    direction: wordFrom("--direction", options.direction ?? "both", DIRECTIONS),
  };
}

function limits(options: FaultOptions): { readonly iops?: number; readonly bytesPerSecond?: number } {
  const { iops, bytesPerSecond } = options;
  if (iops === undefined && bytesPerSecond === undefined) throw wrong("slow-disk", "no limit given");
  return {
    ...(iops === undefined ? {} : { iops: amount("slow-disk", "iops", iops, 1, 1e6) }),
    ...(bytesPerSecond === undefined
      ? {}
      : { bytesPerSecond: amount("slow-disk", "bytes-per-second", bytesPerSecond, 1, 1e12) }),
  };
}

function operationsFrom(text: string | undefined): readonly DiskOperation[] {
  if (text === undefined) return OPERATIONS;
  return text.split(",").map((word) => wordFrom("fail-disk --on", word, OPERATIONS));
}

function amount(kind: FaultKindName, name: string, value: number | undefined, min: number, max: number): number {
  if (value !== undefined && value >= min && value <= max) return value;
  throw wrong(kind, value === undefined ? `--${name} is missing` : `--${name} must be from ${min} to ${max}`);
}

function wordFrom<Word extends string>(what: string, given: string | undefined, known: readonly Word[]): Word {
  const found = known.find((word) => word === given);
  if (found !== undefined) return found;
  throw new Fault({
    kind: "invalid",
    code: "lab-fault-invalid",
    what: given === undefined ? `${what}: not given` : `${what}: "${given}" is not known`,
    remedy: `use one of: ${known.join(", ")}`,
  });
}

function wrong(kind: FaultKindName, what: string): Fault {
  return new Fault({
    kind: "invalid",
    code: "lab-fault-invalid",
    what: `fault ${kind}: ${what}`,
    remedy: `holdfast lab fault ${kind} ${FAULT_USAGE[kind]}`,
  });
}
