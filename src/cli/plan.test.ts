import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { recordRun } from "../../tests/recorded-io.ts";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { known } from "../base/observed.ts";
import { unknownNode } from "../model/observed.ts";
import type { SurveyCluster } from "./survey-cluster.ts";
import { planCommand } from "./plan.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-plan-"));
const path = join(folder, "holdfast.yaml");
after(() => rmSync(folder, { recursive: true }));

const freshNodes: SurveyCluster = ({ spec }) =>
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

const noWay: SurveyCluster = ({ spec }) =>
  Promise.resolve({
    observed: { nodes: spec.cluster.nodes.map((node) => unknownNode(node.name, "no way to the nodes")) },
    looks: new Map(),
  });

describe("holdfast plan", () => {
  test("prints the plan made from what was observed, with status 0 when it is complete", async () => {
    writeFileSync(path, SAMPLE_SPEC);
    const run = await recordRun(planCommand(freshNodes), { file: path });
    assert.equal(run.status, 0);
    assert.match(run.said[0] ?? "", /^plan for cluster lab, generation [0-9a-f]{8}: 8 actions$/);
    const [document] = run.documents as [
      { generation: string; actions: readonly object[]; report: { blocked: readonly object[] } },
    ];
    assert.equal(document.actions.length, 8);
    assert.deepEqual(document.report.blocked, []);
  });

  test("plans nothing where nothing is known, says why, and ends with status 1", async () => {
    writeFileSync(path, SAMPLE_SPEC);
    const run = await recordRun(planCommand(noWay), { file: path });
    assert.equal(run.status, 1);
    assert.match(run.said.join("\n"), /nothing is done to n1: no way to the nodes/);
  });

  test("passes the spec's warnings on, and refuses an invalid one", async () => {
    writeFileSync(path, sampleWith(["options: [rw]", "options: [rw, no_root_squash]"]));
    const run = await recordRun(planCommand(freshNodes), { file: path });
    assert.match(run.progress.join("\n"), /warning: .*no_root_squash/);
    writeFileSync(path, "a: 1\n");
    await assert.rejects(recordRun(planCommand(freshNodes), { file: path }), /is not a valid spec/);
  });
});
