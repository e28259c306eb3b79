import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault, type FaultKind } from "../base/fault.ts";
import type { Clock } from "../system/clock.ts";
import type { Timeline } from "../wire/timeline.ts";
import { giveBack, whenFree, type MoveEnd } from "./half-move.ts";

/** Time goes on only by waiting. */
function patientClock(): Clock {
  let nowMs = 0;
  return {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: async (durationMs) => void (nowMs += durationMs),
  };
}

const DONE: Timeline = {
  id: "t",
  kind: "takeover",
  fileserver: "home",
  node: "n1",
  startedAtMs: 0,
  outcome: "done",
  steps: [],
};

function fault(code: string, kind: FaultKind = "failed"): Fault {
  return new Fault({ kind, code, what: code });
}

/** Answers the takeovers in turn, the last for ever; writes down what it is asked. */
function node(name: string, said: string[], takeovers: readonly (Fault | "done")[], release?: () => void): MoveEnd {
  let at = 0;
  return {
    name,
    agent: {
      takeover: async () => {
        said.push(`${name} takeover`);
        const answer = takeovers[Math.min(at++, takeovers.length - 1)] ?? "done";
        if (answer !== "done") throw answer;
        return DONE;
      },
      release: async () => {
        said.push(`${name} release`);
        release?.();
        return DONE;
      },
    },
  };
}

describe("a move that failed half way", () => {
  test("is taken back at once where nothing stands in the way; the kind of the cause stays", async () => {
    const said: string[] = [];
    const half = {
      fileserver: "home",
      source: node("n1", said, ["done"]),
      destination: node("n2", said, []),
      clock: patientClock(),
    };
    await assert.rejects(giveBack(half, "n2 could not", fault("filesystem-needs-repair", "refused")), (error) => {
      assert.ok(error instanceof Fault);
      assert.deepEqual([error.code, error.kind], ["move-undone", "refused"]);
      assert.match(error.message, /^n2 could not; n1 serves it again$/);
      return true;
    });
    assert.deepEqual(said, ["n1 takeover"]);
  });

  test("waits for an agent that died, and releases what the target has got", async () => {
    const said: string[] = [];
    const half = {
      fileserver: "home",
      source: node("n1", said, [fault("agent-unreachable"), fault("volume-reserved", "refused"), "done"]),
      destination: node("n2", said, []),
      clock: patientClock(),
    };
    await assert.rejects(giveBack(half, "n2 could not", fault("agent-unreachable")), /n1 serves it again/);
    assert.deepEqual(said, ["n1 takeover", "n1 takeover", "n2 release", "n1 takeover"]);
  });

  test("a target that does not answer is asked again, for a while; then nobody serves, and that is said", async () => {
    const said: string[] = [];
    const half = {
      fileserver: "home",
      source: node("n1", said, [fault("volume-reserved", "refused")]),
      destination: node("n2", said, [], () => {
        throw fault("agent-unreachable");
      }),
      clock: patientClock(),
    };
    await assert.rejects(giveBack(half, "n2 could not", fault("step-timed-out")), (error) => {
      assert.ok(error instanceof Fault);
      assert.deepEqual([error.code, error.kind, error.why], ["move-not-undone", "failed", "step-timed-out"]);
      assert.match(error.message, /nobody serves home$/);
      return true;
    });
    assert.ok(said.length > 20 && said.length < 1000, `${said.length} questions`);
  });

  test("what does not pass by itself is not tried again", async () => {
    const said: string[] = [];
    const half = {
      fileserver: "home",
      source: node("n1", said, [fault("mount-failed")]),
      destination: node("n2", said, []),
      clock: patientClock(),
    };
    await assert.rejects(giveBack(half, "n2 could not", fault("x")), /nobody serves home/);
    assert.deepEqual(said, ["n1 takeover"]);
  });
});

describe("a busy node", () => {
  test("is asked again until it is free", async () => {
    let turns = 0;
    const ask = async (): Promise<string> => {
      turns += 1;
      if (turns < 4) throw fault("fileserver-busy", "refused");
      return "prepared";
    };
    assert.equal(await whenFree(patientClock(), ask), "prepared");
    assert.equal(turns, 4);
  });

  test("is not waited for without end, and other refusals are told at once", async () => {
    const busy = fault("fileserver-busy", "refused");
    await assert.rejects(
      whenFree(patientClock(), () => Promise.reject(busy)),
      busy,
    );
    let turns = 0;
    const refuse = (): Promise<never> => {
      turns += 1;
      return Promise.reject(fault("address-taken", "refused"));
    };
    await assert.rejects(whenFree(patientClock(), refuse), /address-taken/);
    assert.equal(turns, 1);
  });
});
