/**
 * What is said over `<folder>/switch.sock`: one JSON request per line, one JSON answer per line, in order.
 * A request is `{"request": NAME, …}`; an answer is `{"ok": true, "result": …}` or `{"ok": false, "error": FaultDocument}`.
 */
import { z } from "zod";
import { machineName, networkName } from "./config.ts";
import { ETHERNET_HEADER_BYTES, FRAME_BYTES_MAX } from "./frame.ts";

/** Room for the longest frame in hexadecimal. */
export const CONTROL_LINE_BYTES_MAX = 256 * 1024;
/** A minute: past it a delayed frame is as good as lost. */
export const DELAY_MS_MAX = 60_000;

const HEX_DIGITS_PER_BYTE = 2;
const delayMs = z.number().min(0).max(DELAY_MS_MAX);
const absoluteFile = z.string().startsWith("/", "must be an absolute path").max(4095);
const frameHex = z
  .string()
  .regex(/^([0-9a-fA-F]{2})*$/, "must be an even number of hexadecimal digits")
  .min(ETHERNET_HEADER_BYTES * HEX_DIGITS_PER_BYTE, "is shorter than an Ethernet header")
  .max(FRAME_BYTES_MAX * HEX_DIGITS_PER_BYTE, "is longer than QEMU takes");

export const requestSchema = z.discriminatedUnion("request", [
  z.strictObject({ request: z.literal("ports") }),
  z.strictObject({ request: z.literal("rules") }),
  z.strictObject({
    request: z.literal("set-rule"),
    network: networkName,
    machine: machineName,
    /** `in` is towards the machine, `out` from it. */
    direction: z.enum(["in", "out", "both"]),
    // What is not given stays as it was.
    cut: z.boolean().optional(),
    loss: z.number().min(0).max(1).optional(),
    delayMs: delayMs.optional(),
    jitterMs: delayMs.optional(),
  }),
  /** Takes away the rules of one machine, of one network, of one machine in one network, or all. */
  z.strictObject({ request: z.literal("heal"), machine: machineName.optional(), network: networkName.optional() }),
  z.strictObject({
    request: z.literal("capture-start"),
    network: networkName,
    file: absoluteFile,
    maxBytes: z.int().positive().optional(),
    includeDropped: z.boolean().optional(),
    /** Only frames that came in from this machine. */
    from: machineName.optional(),
  }),
  z.strictObject({ request: z.literal("capture-stop"), network: networkName }),
  z.strictObject({
    request: z.literal("inject"),
    network: networkName,
    /** Whom the frame is sent to; "all" for every machine in the network. */
    machine: z.union([machineName, z.literal("all")]),
    /** From the destination's MAC on, without checksum. */
    frameHex,
  }),
  z.strictObject({ request: z.literal("add-port"), network: networkName, machine: machineName }),
  z.strictObject({ request: z.literal("remove-port"), network: networkName, machine: machineName }),
  z.strictObject({ request: z.literal("shutdown") }),
]);

export type Request = z.infer<typeof requestSchema>;
export type RequestName = Request["request"];
export type RequestOf<Name extends RequestName> = Extract<Request, { request: Name }>;

const count = z.int().nonnegative();
const traffic = z.strictObject({ frames: count, bytes: count });

const captureState = z.strictObject({
  file: z.string(),
  frames: count,
  bytes: count,
  endedBecause: z.string().optional(),
});

const portState = z.strictObject({
  machine: z.string(),
  /** The unix socket that the machine's QEMU connects to. */
  path: z.string(),
  connected: z.boolean(),
  /** How often a machine has connected since the switch was started. */
  connections: count,
  macs: z.array(z.string()),
  fromMachine: traffic,
  toMachine: traffic,
  dropped: z.strictObject({ cut: count, loss: count, queueFull: count, malformed: count }),
});

const ruleState = z.strictObject({
  network: z.string(),
  machine: z.string(),
  direction: z.enum(["in", "out"]),
  cut: z.boolean(),
  loss: z.number(),
  delayMs: z.number(),
  jitterMs: z.number(),
});

const rulesResult = z.strictObject({ rules: z.array(ruleState) });

/** Each request's result; handlers and client are typed from this map, so that none can be forgotten. */
export const resultSchemas = {
  ports: z.strictObject({
    pid: z.int(),
    networks: z.array(
      z.strictObject({ name: z.string(), ports: z.array(portState), capture: captureState.optional() }),
    ),
  }),
  rules: rulesResult,
  /** All rules in force afterwards. */
  "set-rule": rulesResult,
  heal: rulesResult,
  "capture-start": captureState,
  "capture-stop": captureState,
  /** The machines whose port took the frame. */
  inject: z.strictObject({ machines: z.array(z.string()) }),
  "add-port": z.strictObject({ path: z.string() }),
  "remove-port": z.strictObject({}),
  shutdown: z.strictObject({}),
} satisfies Record<RequestName, z.ZodType>;

export type ResultOf<Name extends RequestName> = z.infer<(typeof resultSchemas)[Name]>;
export type PortState = z.infer<typeof portState>;
export type RuleState = z.infer<typeof ruleState>;

export const answerSchema = z.discriminatedUnion("ok", [
  z.strictObject({ ok: z.literal(true), result: z.unknown() }),
  z.strictObject({
    ok: z.literal(false),
    error: z.object({
      kind: z.enum(["failed", "invalid", "refused"]),
      code: z.string(),
      what: z.string(),
      why: z.string().optional(),
      remedy: z.string().optional(),
      because: z.array(z.string()).optional(),
    }),
  }),
]);
