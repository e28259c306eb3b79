import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import type { Action, Plan } from "../plan/plan.ts";
import { systemClock } from "../system/clock.ts";
import { batchesOf, execute } from "./execute.ts";

const on = (node: string, kind: "write-spec" | "start-agent"): Action => ({ kind, node, because: "" });
const start = (node: string): Action => ({ kind: "start-cluster", node, because: "" });
const volume: Action = {
  kind: "make-volume",
  node: "n1",
  fileserver: "home",
  volume: "data",
  device: "home/data",
  disks: [],
  filesystem: "xfs",
  overwrites: [],
  because: "",
};

const ACTIONS: readonly Action[] = [
  on("n1", "write-spec"),
  on("n2", "write-spec"),
  volume,
  on("n1", "start-agent"),
  on("n2", "start-agent"),
  start("n1"),
  start("n2"),
];
const plan: Plan = { generation: "0".repeat(32), number: 1, actions: ACTIONS };
const label = (action: Action): string => `${action.kind} ${action.node}`;

describe("carrying out a plan", () => {
  test("nodes go on side by side; what concerns all waits for all, and so does the cluster's start for the agents", () => {
    assert.deepEqual(
      batchesOf(ACTIONS).map((batch) => batch.map((lane) => lane.map(label))),
      [
        [["write-spec n1"], ["write-spec n2"]],
        [["make-volume n1"]],
        [["start-agent n1"], ["start-agent n2"]],
        [["start-cluster n1"], ["start-cluster n2"]],
      ],
    );
  });

  test("everything is done once, in order", async () => {
    const done: string[] = [];
    const { outcomes, failure } = await execute(plan, {
      run: (action) => Promise.resolve(void done.push(label(action))),
      clock: systemClock,
      progress: () => undefined,
    });
    assert.equal(failure, undefined);
    assert.deepEqual(done, ACTIONS.map(label));
    assert.ok(outcomes.every(({ outcome }) => outcome === "done"));
  });

  test("the first failure ends it, and says what was not begun", async () => {
    const lines: string[] = [];
    const { outcomes, failure } = await execute(plan, {
      run: (action) =>
        action.kind === "make-volume"
          ? Promise.reject(new Fault({ code: "x", what: "the disk is full", remedy: "empty it" }))
          : Promise.resolve(),
      clock: systemClock,
      progress: (line) => void lines.push(line),
    });
    assert.equal(failure?.remedy, "empty it");
    assert.deepEqual(
      outcomes.map(({ outcome }) => outcome),
      ["done", "done", "failed", "not-begun", "not-begun", "not-begun", "not-begun"],
    );
    assert.match(lines.at(-1) ?? "", /3\/7 make xfs on home\/data for home: FAILED, .*: the disk is full/);
  });

  test("a failure on one node lets the other end what it does, and begin nothing more", async () => {
    const began: string[] = [];
    const actions = [on("n1", "write-spec"), on("n1", "start-agent"), on("n2", "write-spec"), on("n2", "start-agent")];
    await execute(
      { ...plan, actions },
      {
        run: (action) => {
          began.push(label(action));
          return action.node === "n1" ? Promise.reject(new Error("no")) : Promise.resolve();
        },
        clock: systemClock,
        progress: () => undefined,
      },
    );
    assert.deepEqual(began, ["write-spec n1", "write-spec n2"]);
  });
});
