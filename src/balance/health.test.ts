import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { known, unknown } from "../base/observed.ts";
import {
  EVENT_WORDS,
  healthEvent,
  HEALTH_EVENTS,
  HEALTH_STATES,
  mayBegin,
  mayStay,
  nextHealth,
  type HealthEvent,
} from "./health.ts";

/** What nobody vouches for: the agent was silent, or the director itself could not ask. */
const WITHOUT_WORD: readonly HealthEvent[] = ["answers-unvouched", "silent-unvouched", "unchecked", "start-overdue"];

describe("the table of a server's health", () => {
  test("as text", () => {
    const width = Math.max(...HEALTH_EVENTS.map((event) => event.length)) + 2;
    const row = (cells: readonly string[]) =>
      cells
        .map((cell, index) => cell.padEnd(index === 0 ? width : 12))
        .join("")
        .trimEnd();
    const lines = HEALTH_EVENTS.map((event) => row([event, ...HEALTH_STATES.map((state) => nextHealth(state, event))]));
    matchesGolden("balance/health.txt", [row(["", ...HEALTH_STATES]), ...lines].join("\n"));
  });

  test("nothing but its own word, or its own answer, lets a server begin", () => {
    for (const state of HEALTH_STATES) {
      for (const event of WITHOUT_WORD) {
        const next = nextHealth(state, event);
        assert.ok(!mayBegin(next) || mayBegin(state), `${state} ${event}`);
      }
    }
  });

  test("what the director could not find out itself changes nothing", () => {
    for (const state of HEALTH_STATES) assert.equal(nextHealth(state, "unchecked"), state);
  });

  test("every state can be reached and left", () => {
    const reached = new Set(["checking"]);
    for (const state of HEALTH_STATES) for (const event of HEALTH_EVENTS) reached.add(nextHealth(state, event));
    assert.deepEqual([...reached].toSorted(), [...HEALTH_STATES].toSorted());
    for (const state of HEALTH_STATES) {
      assert.ok(
        HEALTH_EVENTS.some((event) => nextHealth(state, event) !== state),
        state,
      );
    }
  });

  test("who may begin may stay", () => {
    for (const state of HEALTH_STATES) assert.ok(!mayBegin(state) || mayStay(state));
  });

  test("every event has its words", () => {
    for (const event of HEALTH_EVENTS) assert.ok(EVENT_WORDS[event].length > 10);
  });
});

describe("the event of a check", () => {
  test("a server of its own is judged by its answer", () => {
    assert.equal(healthEvent(undefined, "answers"), "answers");
    assert.equal(healthEvent(undefined, "silent"), "silent");
    assert.equal(healthEvent(undefined, "refuses"), "refuses");
    assert.equal(healthEvent(undefined, "not-asked"), "unchecked");
  });

  test("the agent's word comes before the answer", () => {
    assert.equal(healthEvent(known("standby"), "answers"), "serves-not");
    assert.equal(healthEvent(known("opening"), "silent"), "told-opening");
    assert.equal(healthEvent(known("releasing"), "answers"), "told-releasing");
    assert.equal(healthEvent(known("serving"), "silent"), "silent");
    assert.equal(healthEvent(known("serving"), "refuses"), "refuses");
    assert.equal(healthEvent(known("serving"), "not-asked"), "unchecked");
  });

  test("an agent that does not answer, or does not know, vouches for nobody", () => {
    for (const role of [unknown("no answer"), known("unclear" as const)]) {
      assert.equal(healthEvent(role, "answers"), "answers-unvouched");
      assert.equal(healthEvent(role, "silent"), "silent-unvouched");
      assert.equal(healthEvent(role, "refuses"), "silent-unvouched");
      assert.equal(healthEvent(role, "not-asked"), "unchecked");
    }
  });
});
