import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { expectCommands } from "../../tests/expected-commands.ts";
import { recordRun } from "../../tests/recorded-io.ts";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { execute } from "../apply/execute.ts";
import { nodeShell } from "../apply/node-shell.ts";
import { Fault } from "../base/fault.ts";
import { known } from "../base/observed.ts";
import { unknownNode } from "../model/observed.ts";
import { systemClock } from "../system/clock.ts";
import { applyCommand, type ApplyParts } from "./apply.ts";
import { confirm } from "./confirm.ts";
import { destroyCommand } from "./destroy.ts";
import type { SurveyCluster } from "./survey-cluster.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-apply-"));
const path = join(folder, "holdfast.yaml");
after(() => rmSync(folder, { recursive: true }));

const bare: SurveyCluster = ({ spec }) =>
  Promise.resolve({
    observed: {
      nodes: spec.cluster.nodes.map((node) => ({
        node: node.name,
        agent: known({ state: "absent" }),
        spec: known(undefined),
        fileservers: known([]),
      })),
    },
    looks: new Map(),
  });

const oneAway: SurveyCluster = async (file, choice) => {
  const { observed, looks } = await bare(file, choice);
  const [first] = observed.nodes;
  return { observed: { nodes: first === undefined ? [] : [first, unknownNode("n2", "no route")] }, looks };
};

/** Everything that would be done is only written down; nothing is started. */
function recordingParts(survey: SurveyCluster, more: Partial<ApplyParts> = {}) {
  const done: string[] = [];
  const surveys: string[] = [];
  const parts: ApplyParts = {
    survey: (file, choice) => {
      surveys.push(file.path);
      return survey(file, choice);
    },
    deeds: (file, { design }, plan) => ({
      spec: file.spec,
      specText: file.text,
      plan,
      design: design ?? {
        version: "",
        packages: [],
        maskedUnits: [],
        files: [],
        pacemaker: undefined,
        consents: [],
      },
      wanted: { properties: [], primitives: [], constraints: [], levels: [] },
      shell: (node) => nodeShell(node, expectCommands()),
      withAgent: () => Promise.reject(new Error("not here")),
      program: { kind: "none", why: "" },
      clock: systemClock,
      timeScale: 1,
      progress: () => undefined,
    }),
    carryOut: (plan, each) =>
      execute(plan, { ...each, run: (action) => Promise.resolve(void done.push(`${action.kind} ${action.node}`)) }),
    ask: () => Promise.resolve("y"),
    ...more,
  };
  return { command: applyCommand(parts), done, surveys };
}

describe("holdfast apply", () => {
  test("shows the plan, asks, carries it out and says what was done", async () => {
    writeFileSync(path, SAMPLE_SPEC);
    const { command, done } = recordingParts(bare);
    const run = await recordRun(command, { file: path });
    assert.equal(run.status, 0);
    assert.equal(done.length, 8);
    assert.match(run.said[0] ?? "", /^plan for cluster lab, generation [0-9a-f]{8}: 8 actions$/);
    assert.match(run.said.at(-1) ?? "", /^8 actions done in /);
    const [document] = run.documents as [{ actions: readonly { outcome: string }[]; complete: boolean }];
    assert.equal(document.complete, true);
    assert.ok(document.actions.every(({ outcome }) => outcome === "done"));
  });

  test("does nothing without a yes, and is refused where nobody can be asked", async () => {
    writeFileSync(path, SAMPLE_SPEC);
    for (const [answer, what] of [
      ["n", /nothing was changed$/],
      ["", /nothing was changed$/],
      [undefined, /no terminal to ask on/],
    ] as const) {
      const { command, done } = recordingParts(bare, { ask: () => Promise.resolve(answer) });
      await assert.rejects(recordRun(command, { file: path }), {
        kind: "refused",
        code: "not-confirmed",
        message: what,
      });
      assert.deepEqual(done, []);
    }
    const { command, done } = recordingParts(bare, { ask: () => Promise.reject(new Error("must not ask")) });
    await recordRun(command, { file: path, yes: true });
    assert.equal(done.length, 8);
  });

  test("is refused as a whole where something stands in the way, and does the rest with --partly", async () => {
    writeFileSync(path, SAMPLE_SPEC);
    const whole = recordingParts(oneAway);
    await assert.rejects(recordRun(whole.command, { file: path, yes: true }), {
      kind: "refused",
      code: "plan-incomplete",
      message: /nothing is done to n2: no route/,
    });
    assert.deepEqual(whole.done, []);
    const part = recordingParts(oneAway);
    const run = await recordRun(part.command, { file: path, yes: true, partly: true });
    assert.equal(run.status, 1);
    assert.deepEqual(part.done, ["install-agent n1", "write-spec n1", "start-agent n1"]);
  });

  test("a failed action is the command's failure, with what was done so far", async () => {
    writeFileSync(path, SAMPLE_SPEC);
    const { command } = recordingParts(bare, {
      carryOut: (plan, each) =>
        execute(plan, {
          ...each,
          run: ({ kind }) =>
            kind === "start-agent"
              ? Promise.reject(new Fault({ code: "x", what: "it does not start", remedy: "look" }))
              : Promise.resolve(),
        }),
    });
    await assert.rejects(recordRun(command, { file: path, yes: true }), { code: "x", remedy: "look" });
  });

  test("a consent for a device that the spec does not have is an error", async () => {
    writeFileSync(path, SAMPLE_SPEC);
    const { command, done } = recordingParts(bare);
    await assert.rejects(recordRun(command, { file: path, yes: true, consentFormat: ["/dev/sda"] }), {
      code: "consent-unknown",
    });
    assert.deepEqual(done, []);
    await recordRun(command, { file: path, yes: true, consentFormat: ["home/data"] });
  });
});

describe("a hundred invalid specs", () => {
  /** Each makes the sample invalid by itself, whatever stands around it. */
  const slip = fc.oneof(
    fc.constantFrom<readonly [string, string]>(
      ["engine: standalone", "engine: pacemaker\n  fencing: []"],
      ["engine: standalone", "engine: pacemaker\n  stonith-enabled: false"],
      ["engine: standalone", 'engine: pacemaker\n  fencing: [{ agent: scsi, options: { stonith-enabled: "false" } }]'],
      ["engine: standalone", "engine: pacemaker\n  fencing: [{ agent: ipmilan, options: { password: x } }]"],
      ["engine: standalone", 'engine: pacemaker\n  fencing: [{ agent: "x; reboot" }]'],
      ["name: home", "name: ../home"],
      ["device: home/data", "device: /dev/sda"],
      ["interface: eth1", "interface: $(reboot)"],
      ["10.77.0.50/24", "10.77.0.50"],
      ["[10.77.0.11, 10.78.0.11]", "[]"],
    ),
    fc
      .tuple(fc.constantFrom("cluster:", "fileservers:", "    volumes:"), fc.stringMatching(/^[a-z]{5,12}$/))
      .map(([find, key]) => [find, `zz${key}: 1\n${find}`] as const),
    fc.stringMatching(/^[^a-z0-9\n:]{1,12}$/).map((name) => ["name: n1", `name: ${JSON.stringify(name)}`] as const),
    fc
      .string({ minLength: 1, maxLength: 20 })
      .map((text) => ["apiVersion: holdfast/v1", `apiVersion: ${JSON.stringify(`${text}!`)}`] as const),
  );

  test("are refused with status 2 before any node is looked at, and nothing is done", async () => {
    await fc.assert(
      fc.asyncProperty(slip, async (change) => {
        writeFileSync(path, sampleWith(change));
        const { command, done, surveys } = recordingParts(bare);
        await assert.rejects(recordRun(command, { file: path, yes: true }), (error) => {
          assert.ok(error instanceof Fault, String(error));
          assert.equal(error.kind, "invalid");
          assert.ok((error.remedy ?? "") !== "");
          return true;
        });
        assert.deepEqual([...done, ...surveys], []);
      }),
      { numRuns: 100 },
    );
  });
});

describe("holdfast destroy", () => {
  test("says what ends, asks, and takes nothing apart without a yes", async () => {
    writeFileSync(path, SAMPLE_SPEC);
    const taken: string[] = [];
    const take = destroyCommand(
      ({ spec }) => {
        taken.push(spec.cluster.name);
        return Promise.resolve(["n2: its key is still on /dev/sdb"]);
      },
      () => Promise.resolve("no"),
    );
    await assert.rejects(recordRun(take, { file: path }), { code: "not-confirmed" });
    assert.deepEqual(taken, []);
    const run = await recordRun(take, { file: path, yes: true });
    assert.deepEqual(taken, ["lab"]);
    assert.match(run.said.join("\n"), /home, media will end for its clients/);
    assert.match(run.said.join("\n"), /its key is still on/);
  });
});

test("a yes is a yes in any case, and nothing else is", async () => {
  const io = { json: false } as Parameters<typeof confirm>[2];
  for (const word of ["y", "Y", " yes ", "YES"]) await confirm("?", {}, io, () => Promise.resolve(word));
  for (const word of ["yep", "ja", "1"]) {
    await assert.rejects(
      confirm("?", {}, io, () => Promise.resolve(word)),
      { kind: "refused" },
    );
  }
  const json = { json: true } as Parameters<typeof confirm>[2];
  await assert.rejects(
    confirm("?", {}, json, () => Promise.resolve("y")),
    { code: "not-confirmed" },
  );
});
