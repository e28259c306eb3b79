import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { recordRun } from "../../tests/recorded-io.ts";
import { Fault } from "../base/fault.ts";
import { DIRECTOR_STATUS_PATH, type DirectorStatus } from "../wire/director.ts";
import { DIRECTOR, isHealthy, statusLines, type MachineReply } from "./director.ts";

const STATUS: DirectorStatus = {
  director: "lb",
  machine: "d1",
  version: "0.1.0",
  specHash: "00",
  services: [
    {
      name: "home",
      fileserver: "home",
      decidedBy: "cluster",
      mark: 1212580532,
      flow: { interface: "eth1", addresses: ["10.77.0.50"] },
      scheduler: "failover",
      here: true,
      serving: ["n2"],
      held: false,
      because: "n2 took over last (term 4)",
      servers: [
        {
          name: "n1",
          addresses: ["169.254.236.27"],
          weight: 100,
          state: "wrong-role",
          because: "its agent says that it does not serve it",
          term: 3,
          active: 0,
          inactive: 0,
        },
        {
          name: "n2",
          addresses: ["169.254.12.7"],
          weight: 100,
          state: "up",
          because: "NFS answers",
          term: 4,
          active: 3,
          inactive: 1,
        },
      ],
    },
  ],
  changes: [
    {
      atMs: Date.UTC(2026, 10, 21, 12, 0, 0, 250),
      service: "home",
      text: "home: n2 is up, was starting: its agent has just opened it",
    },
    {
      atMs: Date.UTC(2026, 10, 21, 12, 0, 0, 251),
      service: "home",
      text: "home: served by n2, before by n1: n2 took over last (term 4)",
    },
  ],
  problems: [],
};

const other: DirectorStatus = {
  ...STATUS,
  machine: "d2",
  services: STATUS.services.map((each) => ({ ...each, here: false })),
};
const replies: readonly MachineReply[] = [
  { machine: "d1", status: STATUS },
  { machine: "d2", status: other },
];

const folder = mkdtempSync(join(tmpdir(), "hf-dir-"));
const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function director(answer: (url: string) => readonly [status: number, text: string]): Promise<string> {
  const socket = join(folder, `${servers.length}.sock`);
  const server = createServer((incoming, outgoing) => {
    const [status, text] = answer(incoming.url ?? "");
    outgoing.writeHead(status).end(text);
  });
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(socket, resolve));
  return socket;
}

describe("director status", () => {
  test("as text", () => {
    const lost: MachineReply = { machine: "d3", status: null, why: "the director on d3 does not answer" };
    const blind = { ...other, problems: ["the kernel's IPVS table is not the one that was asked for"], changes: [] };
    const document = { healthy: false, machines: [replies[0] ?? lost, { machine: "d2", status: blind }, lost] };
    matchesGolden("director/status.txt", statusLines(document).join("\n"));
  });

  test("asks this machine's director", async () => {
    const socket = await director((url) => (url === DIRECTOR_STATUS_PATH ? [200, JSON.stringify(STATUS)] : [404, ""]));
    const run = await recordRun(DIRECTOR, { socket, json: true }, ["status"]);
    assert.equal(run.status, 0);
    const [document] = run.documents as readonly { readonly machines: readonly { readonly status: unknown }[] }[];
    assert.deepEqual(document?.machines[0]?.status, STATUS);
  });

  test("a director that fails is told, and the exit status says so", async () => {
    const run = await recordRun(DIRECTOR, { socket: await director(() => [500, "no"]) }, ["status"]);
    assert.equal(run.status, 1);
    assert.match(run.said[0] ?? "", /no answer: .*status 500/);
  });

  test("another word is wrong usage", async () => {
    await assert.rejects(
      recordRun(DIRECTOR, {}, ["stats"]),
      (error) => error instanceof Fault && error.code === "wrong-usage",
    );
  });
});

test("healthy: all answer, none has a problem, all is served, and each address is on one machine", () => {
  assert.ok(isHealthy(replies));
  assert.ok(isHealthy([{ machine: "d2", status: other }]), "one machine speaks for itself alone");
  const held = { ...STATUS, services: STATUS.services.map((each) => ({ ...each, held: true, serving: [] })) };
  assert.ok(!isHealthy([{ machine: "d1", status: held }, ...replies.slice(1)]));
  assert.ok(!isHealthy([...replies, { machine: "d3", status: null }]));
  assert.ok(!isHealthy([{ machine: "d1", status: { ...STATUS, problems: ["x"] } }, ...replies.slice(1)]));
  assert.ok(!isHealthy([{ machine: "d1", status: other }, ...replies.slice(1)]), "nobody has the address");
  assert.ok(!isHealthy([...replies.slice(0, 1), { machine: "d2", status: STATUS }]), "both have it");
});
