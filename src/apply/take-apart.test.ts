import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { recorded } from "../../tests/expected-commands.ts";
import { sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { Spec } from "../model/spec.ts";
import type { Command, CommandResult } from "../system/commands.ts";
import type { Clock } from "../system/clock.ts";
import type { AgentClient } from "../wire/client.ts";
import { nodeShell } from "./node-shell.ts";
import { takeApart } from "./take-apart.ts";

const STATE = recorded("pacemaker/crm-mon-3.0.xml").replace(
  '<current_dc present="false"/>',
  '<current_dc present="true" name="n1" with_quorum="true"/>',
);
const STOPPED = STATE.replaceAll('role="Started" active="true"', 'role="Stopped" active="false"');

const clock: Clock = { monotonicMs: () => 0, wallMs: () => 0, sleep: () => Promise.resolve() };

interface World {
  readonly pacemaker: boolean;
  readonly state?: string;
  /** Disks that keep the key, whatever is done. */
  readonly left?: string;
}

/** Every node answers like this; what was asked of it is written down in a few words. */
function run(spec: Spec, world: World) {
  const log: string[] = [];
  let released = false;
  const answer = (node: string, command: Command): CommandResult => {
    const said = (stdout: string, status = 0): CommandResult => ({ status, stdout, stderr: "" });
    const script = String(command.input ?? "");
    if (command.tool === "crm_mon") return said(world.state ?? (released ? STOPPED : STATE));
    if (command.tool === "crm_resource") {
      released = true;
      log.push(`${node} stops ${command.args[1]}`);
      return said("");
    }
    if (script.startsWith("systemctl is-active")) return said("", world.pacemaker ? 0 : 3);
    if (script.startsWith("ls -d"))
      return said(node === "n1" ? "/sys/fs/cgroup/holdfast.slice/holdfast-home.scope\n" : "");
    log.push(`${node} ${script.includes("sg_persist") ? "drops its keys" : "is cleared"}`);
    return said(script.includes("sg_persist") ? (world.left ?? "") : "");
  };
  const agent: Pick<AgentClient, "status" | "release"> = {
    status: () =>
      Promise.resolve({
        node: "n1",
        cluster: "lab",
        version: "",
        specHash: "",
        wallMs: 0,
        fileservers: (["serving", "warm"] as const).map((state, index) => ({
          name: ["home", "media"][index] ?? "",
          state,
          because: [],
          addresses: [],
          connections: 0,
          nfsdThreads: 0,
        })),
      }),
    release: (fileserver) => {
      log.push(`n1 releases ${fileserver}`);
      return Promise.reject(new Error("no timeline here")).catch(() => ({}) as never);
    },
  };
  const notes = takeApart({
    spec,
    shell: (node) => nodeShell(node, { run: (command) => Promise.resolve(answer(node, command)) }),
    withAgent: (_, ask) => ask(agent as AgentClient),
    clock,
    timeScale: 1,
    progress: () => undefined,
  });
  return { notes, log };
}

describe("taking a cluster apart", () => {
  const pacemaker = loadSpec(sampleWith(["engine: standalone", "engine: pacemaker"]), "sample");

  test("releases through the cluster, then clears every node, and drops a key only where its agent is gone", async () => {
    const { notes, log } = run(pacemaker, { pacemaker: true });
    assert.deepEqual(await notes, []);
    assert.deepEqual(log.slice(0, 2), ["n1 stops home", "n1 stops media"]);
    for (const node of ["n1", "n2"]) {
      assert.ok(log.indexOf(`${node} is cleared`) < log.indexOf(`${node} drops its keys`));
    }
    assert.equal(log.length, 6);
  });

  test("touches nothing where the cluster has no quorum", async () => {
    const { notes, log } = run(pacemaker, {
      pacemaker: true,
      state: STATE.replace('with_quorum="true"', 'with_quorum="false"'),
    });
    await assert.rejects(notes, { kind: "refused", code: "no-quorum" });
    assert.deepEqual(log, []);
  });

  test("without Pacemaker has the agents release what they serve, and nothing else", async () => {
    const { notes, log } = run(loadSpec(sampleWith(), "sample"), { pacemaker: false });
    await notes;
    assert.equal(log[0], "n1 releases home");
    assert.equal(log.filter((line) => line.includes("releases")).length, 1);
  });

  test("tells which disks keep a key, and how to take it off", async () => {
    const { notes } = run(pacemaker, { pacemaker: true, left: "/dev/sdb\n" });
    assert.match((await notes).join("\n"), /n2: its key is still on \/dev\/sdb; to take it off: sg_persist --out/);
  });
});
