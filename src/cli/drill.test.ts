import assert from "node:assert/strict";
import { test } from "node:test";
import type { Io } from "./command.ts";
import { aloneInLab } from "./drill-lab.ts";
import { targetNamed } from "./drill-mover.ts";
import { readChoice } from "./drill-options.ts";
import { drillCommand } from "./drill.ts";
import { runQuietly } from "./run-quietly.ts";

const DEFAULTS = { protocol: "v4.2", seed: "1", fileserver: "home", client: "c1", lab: "lab", treeFiles: "20000" };

test("a drill's options are read, and wrong ones are refused before anything starts", () => {
  assert.deepEqual(readChoice({ ...DEFAULTS, runs: "3" }), {
    protocols: ["v4.2"],
    family: 4,
    runs: 3,
    seed: 1,
    fileserver: "home",
    client: "c1",
    lab: "lab",
    treeFiles: 20_000,
    minutes: 60,
  });
  assert.deepEqual(readChoice({ ...DEFAULTS, protocol: "all" }).protocols, ["v3", "v4.1", "v4.2"]);
  assert.equal(readChoice(DEFAULTS).runs, undefined);
  assert.equal(readChoice({ ...DEFAULTS, protocol: undefined }).protocols, undefined);
  const several = readChoice({ ...DEFAULTS, clients: "c2,c1", inject: "torn-write" });
  assert.deepEqual([several.client, several.clients, several.inject], ["c2", ["c2", "c1"], "torn-write"]);
  for (const wrong of [
    { protocol: "v4.0" },
    { runs: "0" },
    { runs: "1.5" },
    { runs: "many" },
    { seed: "-1" },
    { inject: "x" },
    { load: "x" },
    { minutes: "0" },
  ]) {
    assert.throws(() => readChoice({ ...DEFAULTS, ...wrong }), { kind: "invalid", code: "option-invalid" });
  }
});

function quietIo(said: string[], documents: unknown[]): Io {
  return {
    json: false,
    terminal: false,
    say: (line) => void said.push(line),
    progress: () => undefined,
    document: (value) => void documents.push(value),
    closed: () => false,
  };
}

test("the list names the scenarios; no scenario and an unknown one are wrong usage", async () => {
  const command = drillCommand(() => Promise.resolve(undefined));
  const said: string[] = [];
  const documents: unknown[] = [];
  const io = quietIo(said, documents);
  assert.equal(await command.run({ args: [], options: { ...DEFAULTS, list: true }, io }), 0);
  assert.match(said.join("\n"), /^moves\n {2}planned-move +moves a fileserver/m);
  assert.match(said.join("\n"), /^machines that fail\n {2}power-off +pulls the plug/m);
  assert.match(JSON.stringify(documents), /"standsFor":"a power supply that burns/);
  assert.match(JSON.stringify(documents), /"neighbour"/);
  await assert.rejects(command.run({ args: [], options: DEFAULTS, io }), { code: "scenario-missing" });
  const injecting = { ...DEFAULTS, inject: "lost-write" };
  await assert.rejects(command.run({ args: ["planned-move"], options: injecting, io }), {
    code: "option-invalid",
    remedy: /^--inject is for locks-over-moves, locks-over-power-off, freeze-thaw, /,
  });
  const loaded = { ...DEFAULTS, load: "locks" };
  await assert.rejects(command.run({ args: ["planned-move"], options: loaded, io }), {
    message: "the load of planned-move cannot be chosen",
  });
  await assert.rejects(command.run({ args: ["nothing"], options: DEFAULTS, io }), { code: "unknown-scenario" });
});

test("a command run inside another gives its document, and failing is a fault", async () => {
  const command = { words: ["move"], summary: "", arguments: [], options: [] };
  const good = { ...command, run: async ({ io }: { io: Io }) => (io.document({ timeline: 1 }), 0) };
  assert.deepEqual(await runQuietly(good, { args: [], options: {} }, () => undefined), { timeline: 1 });
  const refused = { kind: "refused", code: "no", what: "n2 cannot serve home" };
  const bad = { ...command, run: async ({ io }: { io: Io }) => (io.document({ error: refused }), 3) };
  await assert.rejects(
    runQuietly(bad, { args: [], options: {} }, () => undefined),
    /holdfast move ended with status 3: n2 cannot serve home/,
  );
});

test("an unknown fileserver is told together with the known ones", () => {
  const home = { name: "home", host: "home.lab.example", exportPath: "/export/data", devices: [] };
  assert.equal(targetNamed([home], "home"), home);
  assert.throws(() => targetNamed([home], "hom"), { code: "unknown-fileserver", remedy: "use one of: home" });
});

test("a second drill in one lab is refused, and what the first one throws is its own", async () => {
  const paths = { sockets: `/tmp/hf-test-${process.pid}` };
  const refused = { kind: "refused", code: "drill-runs" };
  const never = (): Promise<void> => Promise.reject(new Error("ran"));
  await aloneInLab(paths, () => assert.rejects(aloneInLab(paths, never), refused));
  await aloneInLab(paths, () => aloneInLab({ sockets: `${paths.sockets}-other` }, () => Promise.resolve()));
  await assert.rejects(aloneInLab(paths, never), /^Error: ran$/);
});
