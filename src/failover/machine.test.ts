import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { matchesGolden } from "../../tests/golden.ts";
import { AssertionError } from "../base/assert.ts";
import {
  EVENTS,
  step,
  STATES,
  TABLE,
  type Cell,
  type Effect,
  type FileserverEvent,
  type FileserverState,
} from "./machine.ts";

interface Row extends Cell {
  readonly state: FileserverState;
  readonly event: FileserverEvent;
}

/** Every cell that can happen. */
const ROWS: readonly Row[] = STATES.flatMap((state) =>
  EVENTS.flatMap((event) => {
    const cell = TABLE[state][event];
    return cell === "impossible" ? [] : [{ state, event, ...cell }];
  }),
);

/** States in which something is under way; their name says which run. */
const RUN_OF: Partial<Record<FileserverState, readonly Effect[]>> = {
  warming: ["run-warm", "run-warm-first"],
  "taking-over": ["run-takeover"],
  releasing: ["run-release", "run-release-first"],
};

const ASKED = EVENTS.filter((event) => event.endsWith("-asked"));
const ENDED = EVENTS.filter((event) => event.startsWith("run-"));

describe("the table", () => {
  test("every state meets every event, and no other", () => {
    assert.deepEqual(Object.keys(TABLE).sort(), [...STATES].sort());
    for (const state of STATES) assert.deepEqual(Object.keys(TABLE[state]).sort(), [...EVENTS].sort());
    assert.deepEqual([...ASKED, ...ENDED].sort(), [...EVENTS].sort());
  });

  test("step says what the table says; what cannot happen is a bug", () => {
    for (const state of STATES) {
      for (const event of EVENTS) {
        const cell = TABLE[state][event];
        if (cell === "impossible") assert.throws(() => step(state, event), AssertionError);
        else assert.deepEqual(step(state, event), cell);
      }
    }
  });

  test("a run ends exactly in the states in which one is under way; everything may be asked at any time", () => {
    for (const state of STATES) {
      for (const event of ENDED)
        assert.equal(TABLE[state][event] !== "impossible", state in RUN_OF, `${state} ${event}`);
      for (const event of ASKED) assert.notEqual(TABLE[state][event], "impossible", `${state} ${event}`);
    }
  });

  test("an effect that starts a run leads to the state of that run, and nothing else does", () => {
    for (const { state, event, next, effect } of ROWS) {
      const starts = effect.startsWith("run-");
      const where = `${state} ${event}`;
      if (starts) assert.ok(RUN_OF[next]?.includes(effect), `${where}: ${effect} is not the run of ${next}`);
      else if (next !== state) assert.ok(!(next in RUN_OF), `${where}: ${next} without its run`);
    }
  });

  test("while a run is under way everything that is asked is refused and changes nothing", () => {
    for (const state of Object.keys(RUN_OF) as FileserverState[]) {
      for (const event of ASKED) assert.deepEqual(TABLE[state][event], { next: state, effect: "refuse-busy" });
    }
    for (const row of ROWS)
      assert.equal(row.effect === "refuse-busy", row.state in RUN_OF && ASKED.includes(row.event));
  });

  test("what is so already is answered without a change", () => {
    for (const { state, next, effect } of ROWS) if (effect === "answer-done") assert.equal(next, state);
  });
});

describe("the invariants", () => {
  test("only a takeover that ended well leads to serving", () => {
    const entries = ROWS.filter((row) => row.next === "serving" && row.state !== "serving");
    assert.deepEqual(entries, [{ state: "taking-over", event: "run-done", next: "serving", effect: "none" }]);
  });

  test("a takeover begins only from warm", () => {
    const entries = ROWS.filter((row) => row.effect === "run-takeover");
    assert.deepEqual(
      entries.map((row) => row.state),
      ["warm"],
    );
    assert.deepEqual(
      new Set(ROWS.filter((row) => row.next === "taking-over" && row.state !== "taking-over").map((row) => row.state)),
      new Set(["warm"]),
    );
  });

  test("whatever is half done is undone by a release before anything else", () => {
    for (const { effect, next } of ROWS.filter((row) => row.state === "partial")) {
      assert.equal(next, "releasing");
      assert.match(effect, /^run-release/);
    }
    assert.deepEqual(TABLE["taking-over"]["run-failed"], { next: "releasing", effect: "run-release" });
    for (const state of ["warming", "releasing"] as const)
      assert.deepEqual(TABLE[state]["run-failed"], { next: "partial", effect: "none" });
  });

  test("every state is reached from absent, and serving is reached from every state", () => {
    const reach = (from: FileserverState): ReadonlySet<FileserverState> => {
      const found = new Set([from]);
      for (const state of found) for (const row of ROWS) if (row.state === state) found.add(row.next);
      return found;
    };
    assert.deepEqual([...reach("absent")].sort(), [...STATES].sort());
    for (const state of STATES) {
      assert.ok(reach(state).has("serving"), `from ${state} no way to serving`);
      assert.ok(reach(state).has("warm"), `from ${state} no way to warm`);
    }
  });
});

test("a random walk: a volume is touched by one run at a time, and after every failure comes a release", () => {
  const walk = fc.array(fc.record({ pick: fc.nat(), fails: fc.boolean() }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(walk, (turns) => {
      let state: FileserverState = "absent";
      /** Something of the volume may be here. */
      let touched = false;
      for (const { pick, fails } of turns) {
        const ends = state in RUN_OF && pick % 3 === 0;
        const event = ends ? (fails ? "run-failed" : "run-done") : (ASKED[pick % ASKED.length] ?? "warm-asked");
        const { next, effect } = step(state, event);
        if (effect === "run-takeover") {
          assert.ok(!touched, "a takeover over the remains of another run");
          touched = true;
        }
        if (state === "releasing" && event === "run-done") touched = false;
        if (next === "warm" || next === "absent") assert.ok(!touched, `${next} with the volume still here`);
        if (next === "serving") assert.ok(touched);
        state = next;
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});

const EVENT_WORDS: Record<FileserverEvent, string> = {
  "takeover-asked": "takeover asked",
  "release-asked": "release asked",
  "warm-asked": "warm asked",
  "run-done": "done",
  "run-failed": "failed",
};

/** Refusals and answers change nothing and are left out; cells with the same arrow share its text. */
function diagram(): string {
  const arrows = Map.groupBy(
    ROWS.filter((row) => row.next !== row.state || row.effect.startsWith("run-")),
    (row) => `    ${word(row.state)} --> ${word(row.next)}`,
  );
  const lines = [...arrows].map(([arrow, rows]) => `${arrow}: ${rows.map(label).join(" or ")}`);
  return ["stateDiagram-v2", "    [*] --> absent", ...lines].join("\n");
}

/** Mermaid reads a hyphen as part of an arrow. */
function word(state: FileserverState): string {
  return state.replaceAll("-", "_");
}

function label(row: Row): string {
  return row.effect === "none" ? EVENT_WORDS[row.event] : `${EVENT_WORDS[row.event]} / ${row.effect}`;
}

test("the page in docs/ shows this table", () => {
  const cells = STATES.map((state) => {
    const texts = EVENTS.map((event) => {
      const cell = TABLE[state][event];
      if (cell === "impossible") return "";
      return cell.effect === "none"
        ? `→ ${cell.next}`
        : cell.next === state
          ? cell.effect
          : `${cell.effect} → ${cell.next}`;
    });
    return `| ${[state, ...texts].join(" | ")} |`;
  });
  const page = [
    "# States of a fileserver on a node",
    "",
    "Made from the table in `src/failover/machine.ts` by its test; refresh it with `UPDATE_GOLDEN=1 ./test --unit`, do not edit it.",
    "",
    "```mermaid",
    diagram(),
    "```",
    "",
    "Every state meets every event; an empty cell cannot happen.",
    "",
    `| state | ${EVENTS.join(" | ")} |`,
    `|${" --- |".repeat(EVENTS.length + 1)}`,
    ...cells,
  ].join("\n");
  matchesGolden("states.md", page, { folder: new URL("../../docs", import.meta.url).pathname });
});
