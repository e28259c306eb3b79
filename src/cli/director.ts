import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { Fault, messageOf } from "../base/fault.ts";
import { DIRECTOR_PLACES } from "../director/places.ts";
import { runDirector } from "../director/program.ts";
import type { Spec } from "../model/spec.ts";
import { forwardSocket } from "../ssh/forward.ts";
import { askDirector, type DirectorServiceStatus, type DirectorStatus } from "../wire/director.ts";
import { timeScaleFrom } from "./agent.ts";
import type { CliCommand, Invocation } from "./command.ts";
import { fileOption, readSpecFile } from "./spec-file.ts";
import { renderTable } from "./table.ts";
import packageJson from "../../package.json" with { type: "json" };

const CONNECT_TIMEOUT_MS = 30_000;
const ANSWER_TIMEOUT_MS = 10_000;
const CHANGES_SHOWN = 10;

export const DIRECTOR: CliCommand = {
  words: ["director"],
  summary: "the service on a director's machine; `director status` shows where packets go, and why",
  details:
    "Without an argument it runs in the foreground until SIGTERM; normally started by systemd (holdfast-director.service).\n" +
    "The kernel goes on sending packets where it did when the service ends.\n" +
    "HOLDFAST_TIME_SCALE multiplies every interval and time limit: 1 on real machines, more where machines are emulated.\n\n" +
    "`holdfast director status` asks this machine's director, and from elsewhere all machines of the spec's directors by\n" +
    "ssh: flows, servers, connections, the last changes with their reasons. Exit status 0 when all answer, none has a\n" +
    "problem, and every service is served by exactly one machine that has its addresses; 1 otherwise.",
  arguments: [{ name: "status", help: "show where packets go, and why", optional: true }],
  options: [
    { flags: "-f, --file <path>", help: `the spec; of the service ${DIRECTOR_PLACES.spec}` },
    { flags: "--socket <path>", help: "where to listen", default: DIRECTOR_PLACES.socket },
    { flags: "--machine <name>", help: "this machine's name in the spec, if it is not the host name" },
  ],
  run: async (invocation) => {
    const [word] = invocation.args;
    if (word === "status") return showStatus(invocation);
    if (word !== undefined) {
      throw new Fault({
        kind: "invalid",
        code: "wrong-usage",
        what: `holdfast director has no ${JSON.stringify(word)}`,
        remedy: "write `holdfast director status`, or `holdfast director` for the service",
      });
    }
    const machine = invocation.options["machine"];
    await runDirector({
      specPath: fileOption(invocation.options) ?? DIRECTOR_PLACES.spec,
      socket: String(invocation.options["socket"]),
      version: packageJson.version,
      timeScale: timeScaleFrom(process.env["HOLDFAST_TIME_SCALE"]),
      ...(typeof machine === "string" ? { machineName: machine } : {}),
    });
    return 0;
  },
};

/** One machine's answer, or why there is none. */
export interface MachineReply {
  readonly machine: string;
  readonly status: DirectorStatus | null;
  readonly why?: string;
}

export interface DirectorDocument {
  readonly healthy: boolean;
  readonly machines: readonly MachineReply[];
}

async function showStatus({ options, io }: Invocation): Promise<number> {
  const replies = await askMachines(String(options["socket"]), options);
  const document: DirectorDocument = { healthy: isHealthy(replies), machines: replies };
  io.document(document);
  for (const line of statusLines(document)) io.say(line);
  return document.healthy ? 0 : 1;
}

async function askMachines(
  socket: string,
  options: Readonly<Record<string, unknown>>,
): Promise<readonly MachineReply[]> {
  const self = hostname().split(".")[0] ?? "";
  if (existsSync(socket)) return [await reply(self, () => askDirector(socket, self, ANSWER_TIMEOUT_MS))];
  const { spec } = await readSpecFile(fileOption(options));
  const machines = spec.directors.flatMap((director) => director.machines.map(({ name }) => name));
  if (machines.length === 0) {
    throw new Fault({
      kind: "invalid",
      code: "no-directors",
      what: "the spec has no directors",
      remedy: "docs/director.md says how to write one",
    });
  }
  return Promise.all(machines.map((machine) => reply(machine, () => askFar(spec, machine))));
}

async function askFar(spec: Spec, machine: string): Promise<DirectorStatus> {
  const config = spec.cluster.ssh.config ?? process.env["HOLDFAST_SSH_CONFIG"];
  const forward = await forwardSocket({
    host: machine,
    remoteSocket: DIRECTOR_PLACES.socket,
    timeoutMs: CONNECT_TIMEOUT_MS,
    ...(config === undefined ? {} : { configPath: config }),
  });
  try {
    return await askDirector(forward.socket, machine, ANSWER_TIMEOUT_MS);
  } finally {
    await forward.close();
  }
}

async function reply(machine: string, ask: () => Promise<DirectorStatus>): Promise<MachineReply> {
  try {
    return { machine, status: await ask() };
  } catch (error) {
    return { machine, status: null, why: messageOf(error) };
  }
}

export function isHealthy(replies: readonly MachineReply[]): boolean {
  const known = replies.flatMap(({ status }) => status ?? []);
  if (known.length < replies.length || known.some(({ problems }) => problems.length > 0)) return false;
  const services = known.flatMap((status) => status.services);
  return services.every((service) => {
    const same = services.filter(({ mark }) => mark === service.mark);
    // One machine alone can only speak for itself.
    const here = same.filter((each) => each.here).length;
    return !service.held && (replies.length === 1 || here === 1);
  });
}

export function statusLines(document: DirectorDocument): readonly string[] {
  return document.machines.flatMap(({ machine, status, why }) => {
    if (status === null) return [`${machine}: no answer: ${why ?? "not known why"}`];
    return [
      `director ${status.director} on ${machine}, version ${status.version}`,
      ...status.problems.map((problem) => `  problem: ${problem}`),
      ...status.services.flatMap(serviceLines).map((line) => `  ${line}`),
      ...lastChanges(status).map((line) => `  ${line}`),
    ];
  });
}

function serviceLines(service: DirectorServiceStatus): readonly string[] {
  const flow = `${service.flow.addresses.join(", ")} on ${service.flow.interface}`;
  const place = service.here ? "here" : "not on this machine";
  const served = service.held ? "nobody serves, packets wait" : `served by ${service.serving.join(", ")}`;
  const figure = (value: number | undefined): string => (value === undefined ? "?" : String(value));
  const table = renderTable(
    [
      { title: "server" },
      { title: "address" },
      { title: "weight", figures: true },
      { title: "state" },
      { title: "active", figures: true },
      { title: "inactive", figures: true },
      { title: "because" },
    ],
    service.servers.map((server) => [
      `${server.name}${service.serving.includes(server.name) ? " *" : ""}`,
      server.addresses.join(", "),
      String(server.weight),
      server.state,
      figure(server.active),
      figure(server.inactive),
      server.because,
    ]),
  );
  return [
    `service ${service.name}: ${flow} (${place}), mark ${service.mark}, ${service.scheduler}, decided by the ${service.decidedBy}`,
    `  ${served}: ${service.because}`,
    ...table.map((line) => `  ${line}`),
  ];
}

function lastChanges({ changes }: DirectorStatus): readonly string[] {
  if (changes.length === 0) return [];
  const shown = changes.slice(-CHANGES_SHOWN);
  return [
    "last changes:",
    ...shown.map(({ atMs, text }) => `  ${new Date(atMs).toISOString().replace("T", " ").slice(0, 23)}  ${text}`),
  ];
}
