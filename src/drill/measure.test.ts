/**
 * The whole way from mount to document, on one machine without NFS: the "client" and the "node" are this machine with a
 * few stand-ins on its PATH, the mount is a link to a folder, and a move stops the probe program for a while.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../system/clock.ts";
import type { Timeline } from "../wire/timeline.ts";
import type { World } from "./measure.ts";
import type { ExecResult, Machines } from "./ports.ts";
import { writeProbeProgram } from "./program.ts";
import { findScenario, type DrillSettings } from "./scenarios.ts";

const PAUSE_MS = 500;
const STAND_INS: Readonly<Record<string, string>> = {
  mount: 'for last; do :; done; source=$5; rmdir "$last" && ln -s "${source#*:}" "$last"',
  umount: 'rm "$1"',
  mountpoint: '[ -L "$2" ]',
  grep: "echo /proc/1/mountinfo",
  nsenter: 'shift 3; exec "$@"',
  dmesg: ":",
  ping: ":",
};

let folder = "";

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-drill-"));
  mkdirSync(join(folder, "bin"));
  mkdirSync(join(folder, "export"));
  mkdirSync(join(folder, "source/a"), { recursive: true });
  for (let file = 0; file < 30; file += 1) writeFileSync(join(folder, `source/a/file ${file}`), "x".repeat(file * 10));
  for (const [name, script] of Object.entries(STAND_INS)) {
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  await writeProbeProgram(join(folder, "probe.mjs"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

function localExec(argv: readonly string[], input: string | undefined): Promise<ExecResult> {
  const environment = { PATH: `${join(folder, "bin")}:/usr/sbin:/usr/bin:/sbin:/bin` };
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0] ?? "", argv.slice(1), { env: environment });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status: status ?? 255, stdout, stderr }));
    child.stdin.on("error", () => undefined);
    child.stdin.end((input ?? "").replace("find ${4:-/usr /var/lib/dpkg/info}", `find ${join(folder, "source")}`));
  });
}

interface Fake {
  readonly world: World;
  readonly settings: DrillSettings;
}

/** `duringMove` gets the process id of the probe program. */
function fake(duringMove: (pid: number) => Promise<void>): Fake {
  let probePid = 0;
  let node = "n1";
  const machines: Machines = {
    exec: async (_machine, argv, { input }) => {
      const result = await localExec(argv, input);
      if (argv[2]?.includes("setsid") === true) probePid = Number(result.stdout.trim());
      return result;
    },
    copyTo: async (_machine, localPath, remotePath) => {
      mkdirSync(dirname(remotePath), { recursive: true });
      copyFileSync(localPath, remotePath);
    },
  };
  const move = async (fileserver: string, to: string): Promise<Timeline> => {
    await duringMove(probePid);
    const step = { node: to, outcome: "done" } as const;
    const steps = [
      { ...step, step: "hold-requests", startMs: 0, endMs: 5 },
      { ...step, step: "open-address", startMs: PAUSE_MS - 5, endMs: PAUSE_MS },
    ];
    node = to;
    return { id: "m", kind: "move", fileserver, node: to, startedAtMs: 0, outcome: "done", steps };
  };
  return {
    world: {
      machines,
      mover: { serving: async () => node, move },
      clock: systemClock,
      program: { localPath: join(folder, "probe.mjs"), remoteNode: process.execPath },
      system: "holdfast",
      accelerator: "none",
      progress: () => undefined,
      clientFolder: join(folder, "client"),
      pollIntervalMs: 50,
    },
    settings: {
      fileserver: { name: "home", host: "home", exportPath: join(folder, "export"), devices: [] },
      others: [],
      nodes: ["n1", "n2"],
      client: "c1",
      protocol: "v4.2",
      family: 4,
      runs: 1,
      seed: 1,
      treeFiles: 100,
      intervalMs: 10,
      settleMs: 300,
      jitterMs: 50,
      mountRoot: join(folder, "mnt"),
    },
  };
}

const sleep = (durationMs: number): Promise<void> => systemClock.sleep(durationMs);

async function stopFor(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await sleep(PAUSE_MS);
  process.kill(pid, "SIGCONT");
}

test("a planned move is measured: the pause that was made is the pause that is told", async () => {
  const { world, settings } = fake(stopFor);
  const { documents } = await findScenario("planned-move").run(world, { ...settings, runs: 2 });
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
      assert.ok(pauseMs > PAUSE_MS - 100 && pauseMs < PAUSE_MS + 400, `${probe} ${pauseMs}`);
    }
    assert.equal(document.explainedMs, PAUSE_MS);
    assert.ok(document.oracle.acknowledgedWrites > 20);
    assert.equal(document.oracle.lostWrites, 0);
  }
  assert.deepEqual(readdirSync(join(folder, "mnt")), [], "nothing stays mounted");
  assert.deepEqual(readdirSync(join(folder, "client")), [], "nothing stays on the client");
  assert.equal(readFileSync(join(folder, "export/holdfast-drill/tree.ready"), "utf8").trim(), "100");
});

test("what a fault takes away is seen: the acknowledged file is cut while the client works", async () => {
  const cut = async (): Promise<void> => {
    await sleep(200);
    const drill = join(folder, "export/holdfast-drill");
    for (const name of readdirSync(drill).filter((one) => one.startsWith("planned-move"))) {
      truncateSync(join(drill, name, "write/acknowledged.dat"), 4096);
    }
  };
  const { world, settings } = fake(cut);
  const { documents } = await findScenario("planned-move").run(world, settings);
  assert.equal(documents[0]?.verdict, "fail");
  assert.ok((documents[0]?.oracle.lostWrites ?? 0) > 5);
});

test("errors of applications fail the drill: the folder for new files is taken away for a while", async () => {
  const { world, settings } = fake(async () => {
    const drill = join(folder, "export/holdfast-drill");
    for (const name of readdirSync(drill).filter((one) => one.startsWith("planned-move"))) {
      rmSync(join(drill, name, "open"), { recursive: true });
      await sleep(100);
      mkdirSync(join(drill, name, "open"));
    }
  });
  const { documents } = await findScenario("planned-move").run(world, settings);
  assert.equal(documents[0]?.verdict, "fail");
  assert.ok((documents[0]?.oracle.errorsSeenByApplications ?? 0) > 0);
  assert.match(documents[0]?.because.join() ?? "", /home-open: open ENOENT/);
});

test("a move that fails is the verdict, and the probes are still put away", async () => {
  const { world, settings } = fake(async () => {
    throw new Error("n2 cannot serve home");
  });
  const { documents } = await findScenario("planned-move").run(world, { ...settings, runs: 3 });
  assert.equal(documents.length, 1);
  assert.deepEqual(documents[0]?.because, ["the move failed: n2 cannot serve home", "stopped after run 1 of 3"]);
  assert.deepEqual(readdirSync(join(folder, "mnt")), []);
});
