/** The whole way from mount to document, on one machine without NFS (tests/local-drill.ts): a move stops the probe program for a while. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, renameSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LOCAL_PAUSE_MS, localDrill, type LocalDrill } from "../../tests/local-drill.ts";
import { systemClock } from "../system/clock.ts";
import { measureActs } from "./measure.ts";
import type { Recorder } from "./ports.ts";
import { common, moveAway } from "./scenario-parts.ts";
import { findScenario } from "./scenarios.ts";

let local: LocalDrill;

before(async () => {
  local = await localDrill();
});

after(() => local.remove());

const sleep = (durationMs: number): Promise<void> => systemClock.sleep(durationMs);

async function stopFor(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await sleep(LOCAL_PAUSE_MS);
  process.kill(pid, "SIGCONT");
}

test("a planned move is measured: the pause that was made is the pause that is told", async () => {
  const { world, settings } = local.fake(stopFor);
  const recorded: string[] = [];
  const recorder: Recorder = {
    start: (path) => {
      recorded.push(`start ${path}`);
      // pcap-savefile(5): a header, and nothing in it.
      const pcap = Buffer.from("d4c3b2a1".padEnd(40, "0") + "01000000", "hex");
      return Promise.resolve({ stop: () => Promise.resolve({ path, pcap }) });
    },
    remove: (path) => Promise.resolve(void recorded.push(`remove ${path}`)),
  };
  const { documents } = await findScenario("planned-move").run({ ...world, recorder }, { ...settings, runs: 2 });
  assert.deepEqual(
    documents.map((one) => [one.run, one.from, one.to]),
    [
      [1, "n1", "n2"],
      [2, "n2", "n1"],
    ],
  );
  for (const document of documents) {
    assert.deepEqual(document.because, []);
    assert.equal(document.verdict, "pass");
    for (const probe of ["write", "read", "open", "lock"] as const) {
      const pauseMs = document.pauseMs[probe] ?? 0;
      assert.ok(pauseMs > LOCAL_PAUSE_MS - 100 && pauseMs < LOCAL_PAUSE_MS + 400, `${probe} ${pauseMs}`);
    }
    assert.equal(document.explainedMs, LOCAL_PAUSE_MS);
    assert.ok(document.oracle.acknowledgedWrites > 20);
    assert.equal(document.oracle.lostWrites, 0);
  }
  assert.match(
    recorded.join(),
    /^start (planned-move-v4\.2-\w+)-1,start \1-2,remove \1-1,remove \1-2$/,
    "each run is recorded, and none that passed is kept",
  );
  assert.deepEqual(readdirSync(join(local.folder, "mnt")), [], "nothing stays mounted");
  assert.deepEqual(readdirSync(join(local.folder, "client")), [], "nothing stays on the client");
  assert.equal(readFileSync(join(local.folder, "export/holdfast-drill/tree.ready"), "utf8").trim(), "100");
});

test("what a fault takes away is seen: the acknowledged file is cut while the client works", async () => {
  const cut = async (): Promise<void> => {
    await sleep(200);
    const drill = join(local.folder, "export/holdfast-drill");
    for (const name of readdirSync(drill).filter((one) => one.startsWith("planned-move"))) {
      truncateSync(join(drill, name, "write/acknowledged.dat"), 4096);
    }
  };
  const { world, settings } = local.fake(cut);
  const { documents } = await findScenario("planned-move").run(world, settings);
  assert.equal(documents[0]?.verdict, "fail");
  assert.ok((documents[0]?.oracle.lostWrites ?? 0) > 5);
});

test("errors of applications fail the drill: the folder for new files is taken away for a while", async () => {
  const { world, settings } = local.fake(async () => {
    const drill = join(local.folder, "export/holdfast-drill");
    for (const name of readdirSync(drill).filter((one) => one.startsWith("planned-move"))) {
      // In one deed: a recursive removal races with the probe, which goes on making files in it.
      renameSync(join(drill, name, "open"), join(drill, name, "away"));
      await sleep(100);
      renameSync(join(drill, name, "away"), join(drill, name, "open"));
    }
  });
  const { documents } = await findScenario("planned-move").run(world, settings);
  assert.equal(documents[0]?.verdict, "fail");
  assert.ok((documents[0]?.oracle.errorsSeenByApplications ?? 0) > 0);
  assert.match(documents[0]?.because.join() ?? "", /home-open: open ENOENT/);
});

test("a move that fails is the verdict, and the probes are still put away", async () => {
  const { world, settings } = local.fake(async () => {
    throw new Error("n2 cannot serve home");
  });
  const { documents } = await findScenario("planned-move").run(world, { ...settings, runs: 3 });
  assert.equal(documents.length, 1);
  assert.deepEqual(documents[0]?.because, ["the move failed: n2 cannot serve home", "stopped after run 1 of 3"]);
  assert.deepEqual(readdirSync(join(local.folder, "mnt")), []);
});

test("what fails between two runs ends the drill, and what was measured by then is told", async () => {
  const { world, settings } = local.fake(stopFor);
  const measured = await measureActs(world, {
    ...common("planned-move", { ...settings, runs: 3 }),
    watched: [{ target: settings.fileserver, loops: ["write"] }],
    act: moveAway(world, settings),
    afterRun: () => Promise.reject(new Error("the cluster is not whole")),
  });
  assert.equal(measured.runs.length, 1);
  assert.deepEqual(measured.problems, ["after run 1: the cluster is not whole", "stopped after run 1 of 3"]);
});
