import { Fault } from "../base/fault.ts";
import type { Spec } from "../model/spec.ts";
import type { FileserverStatus } from "../wire/agent.ts";
import type { ClientsAnswer, ClientStatus } from "../wire/clients.ts";
import type { CliCommand, Io } from "./command.ts";
import { graceLines } from "./grace-lines.ts";
import { unknownName } from "./move.ts";
import { askNodes, type NodeReply } from "./reach.ts";
import { FILE_OPTION, fileOption, readSpecFile } from "./spec-file.ts";
import { renderTable, type Column } from "./table.ts";

/** What one node says when it is asked for the clients of a fileserver: only the one that serves can tell. */
export type ClientsReply = ClientsAnswer | { readonly state: FileserverStatus["state"] | "absent" };

export type AskClients = (spec: Spec, fileserver: string) => Promise<readonly NodeReply<ClientsReply>[]>;

/** `ask` speaks with the agents; the command itself only chooses and prints. */
export function clientsCommand(ask: AskClients): CliCommand {
  return {
    words: ["clients"],
    summary: "who is connected to a fileserver, what each holds, and whom a grace waits for",
    details: [
      "STATE  active; silent: its lease has run out, its state is kept until somebody wants it (v4);",
      "       gone: its connection is closed (v3).",
      "LOCKS  v4: one for each of the client's lock owners and files. v3: only where a single client can hold them,",
      "       otherwise ?, because the kernel does not say whose each is.",
      "SINCE  when the fileserver first saw it, by the serving node's clock. The list outlives moves.",
      "A v4 client that was given a delegation locks without telling the server; such locks are not counted.",
    ].join("\n"),
    arguments: [{ name: "fileserver", help: "which one" }],
    options: [FILE_OPTION],
    run: async ({ args, options, io }) => {
      const { spec } = await readSpecFile(fileOption(options));
      const [name = ""] = args;
      const names = spec.fileservers.map((one) => one.name as string);
      if (!names.includes(name)) throw unknownName("fileserver", name, names);
      const replies = await ask(spec, name);
      const answer = chooseAnswer(name, replies);
      for (const { node, result } of replies) if (!result.ok) io.progress(`${node} does not answer`);
      io.document(answer);
      show(answer, io);
      return 0;
    },
  };
}

export const CLIENTS = clientsCommand((spec, fileserver) =>
  askNodes(spec, async ({ agent }): Promise<ClientsReply> => {
    const state = (await agent.status()).fileservers.find((one) => one.name === fileserver)?.state ?? "absent";
    return state === "serving" ? agent.clients(fileserver) : { state };
  }),
);

/** The answer of the one node that serves. Throws Faults: "served-nowhere", "served-twice", "serving-unknown". */
export function chooseAnswer(fileserver: string, replies: readonly NodeReply<ClientsReply>[]): ClientsAnswer {
  const answers = replies.flatMap(({ result }) => (result.ok && "clients" in result.value ? [result.value] : []));
  const [only, second] = answers;
  if (only !== undefined && second !== undefined) {
    throw new Fault({
      code: "served-twice",
      what: `both ${only.node} and ${second.node} say that they serve ${fileserver}`,
      why: "their lists of clients contradict each other",
      remedy: "holdfast status shows what each of them sees",
    });
  }
  if (only !== undefined) return only;
  const silent = replies.find(({ result }) => !result.ok);
  const states = replies.flatMap(({ node, result }) =>
    result.ok && "state" in result.value ? [`${node} has it ${result.value.state}`] : [],
  );
  if (silent !== undefined && !silent.result.ok) {
    throw new Fault({
      code: "serving-unknown",
      what: `the clients of ${fileserver} are not known: ${[`${silent.node} does not say`, ...states].join(", ")}`,
      remedy: `bring the agent of ${silent.node} back`,
      cause: silent.result.error,
    });
  }
  const onTheMove = replies.some(
    ({ result }) => result.ok && "state" in result.value && ON_THE_MOVE.includes(result.value.state),
  );
  throw new Fault({
    code: "served-nowhere",
    what: `nobody serves ${fileserver}${onTheMove ? " just now" : ""}, and only who serves can tell: ${states.join(", ")}`,
    remedy: onTheMove
      ? "ask again when the move is done; its clients wait meanwhile"
      : `bring it into service: holdfast move ${fileserver} NODE`,
  });
}

const ON_THE_MOVE: readonly (FileserverStatus["state"] | "absent")[] = ["releasing", "taking-over"];

function show(answer: ClientsAnswer, io: Io): void {
  const { clients } = answer;
  io.say(`${answer.fileserver} on ${answer.node}: ${summaryOf(answer)}`);
  const reclaiming = clients.some((client) => client.reclaim !== undefined);
  const columns = reclaiming ? [...COLUMNS, RECLAIM] : COLUMNS;
  const rows = [...clients].sort(inOrder).map(rowOf);
  if (rows.length > 0) for (const line of renderTable(columns, rows)) io.say(line);
  for (const line of graceLines(answer.grace)) io.say(line);
}

const COLUMNS: readonly Column[] = [
  { title: "ADDRESS" },
  { title: "NAME" },
  { title: "PROTOCOL" },
  { title: "STATE" },
  { title: "OPENS", figures: true },
  { title: "LOCKS", figures: true },
  { title: "DELEGATIONS", figures: true },
  { title: "SINCE" },
];
const RECLAIM: Column = { title: "RECLAIM" };

function summaryOf({ clients, v3Locks }: ClientsAnswer): string {
  if (clients.length === 0) return v3Locks === 0 ? "no clients" : `no known client, but ${counted(v3Locks, "v3 lock")}`;
  const sum = (of: (client: ClientStatus) => number | undefined): number =>
    clients.filter(({ protocol }) => protocol !== "v3").reduce((total, client) => total + (of(client) ?? 0), 0);
  const counts = [
    counted(clients.length, "client"),
    counted(
      sum((client) => client.opens),
      "v4 open",
    ),
    counted(
      sum((client) => client.locks),
      "v4 lock",
    ),
    counted(v3Locks, "v3 lock"),
  ];
  return counts.join(", ");
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function rowOf(client: ClientStatus): readonly string[] {
  const v3 = client.protocol === "v3";
  // NFSv3 has neither opens nor delegations; a figure that the protocol has and the kernel does not tell is "?".
  const figure = (value: number | undefined, exists: boolean): string =>
    value === undefined ? (exists ? "?" : "-") : String(value);
  return [
    client.address,
    client.name === "" ? "?" : client.name,
    client.protocol,
    client.state,
    figure(client.opens, !v3),
    figure(client.locks, true),
    figure(client.delegations, !v3),
    new Date(client.sinceMs).toISOString().replace(/\.\d+Z$/, "Z"),
    client.reclaim === undefined ? "" : `${client.reclaim.state}: ${client.reclaim.because}`,
  ];
}

/** Clients of one machine stand together, those without a name last; 10.77.0.9 before 10.77.0.21. */
function inOrder(a: ClientStatus, b: ClientStatus): number {
  const keys = (one: ClientStatus): readonly string[] => [
    one.name === "" ? "\uffff" : one.name,
    one.address,
    one.protocol,
  ];
  return keys(a).reduce(
    (order, key, at) => (order === 0 ? key.localeCompare(keys(b)[at] ?? "", "en", { numeric: true }) : order),
    0,
  );
}
