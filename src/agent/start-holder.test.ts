/** What is waited for before a holder is used, or another one is started in its place. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { manualClock } from "../../tests/manual-clock.ts";
import { Fault } from "../base/fault.ts";
import { settleCommands, type HolderSight } from "./start-holder.ts";

const BOUND_MS = 10_000;
const HOLDER = { pid: 10, name: "sh" };
/** The command's own shell: it has its output open, and lives on without the holder. */
const COMMAND = { pid: 11, name: "sh" };
const STATD = { pid: 12, name: "rpc.statd" };

interface Scene {
  scope: readonly (typeof HOLDER)[];
  files: readonly string[];
}

function sightOf(scene: Scene): HolderSight {
  return {
    scope: () => Promise.resolve(scene.scope),
    holder: (scope) => Promise.resolve(scope.includes(HOLDER) ? HOLDER.pid : undefined),
    files: () => Promise.resolve(scene.files),
    open: (pid) => Promise.resolve(pid === COMMAND.pid ? ["/run/holdfast/fs/home/output.a-1"] : ["/dev/null"]),
  };
}

describe("commands of an agent that is gone", () => {
  for (const [what, others, living] of [
    ["of a living holder", [HOLDER, STATD], HOLDER.pid],
    ["of a holder that has died meanwhile", [STATD], undefined],
    ["of which nothing else is left", [], undefined],
  ] as const) {
    test(`${what} are waited for`, async () => {
      const clock = manualClock();
      const scene: Scene = { scope: [COMMAND, ...others], files: ["commands", "output.a-1"] };
      let settled: Awaited<ReturnType<typeof settleCommands>> | undefined;
      const waiting = settleCommands(clock, "home", BOUND_MS, sightOf(scene)).then((value) => (settled = value));
      await clock.pass(1_000);
      assert.equal(settled, undefined);
      scene.scope = others;
      await clock.pass(100);
      await waiting;
      assert.deepEqual(settled, { scope: others, living }, "what is there is seen after the last of them");
    });
  }

  test("that do not end are a fault", async () => {
    const clock = manualClock();
    const sight = sightOf({ scope: [COMMAND], files: ["output.a-1"] });
    const waiting = settleCommands(clock, "home", BOUND_MS, sight).then(
      () => undefined,
      (error: unknown) => error,
    );
    await clock.pass(BOUND_MS + 100);
    const error = await waiting;
    assert.ok(error instanceof Fault && error.code === "holder-busy");
  });

  test("whose output nobody has open have ended", async () => {
    const scene: Scene = { scope: [HOLDER], files: ["output.a-1"] };
    assert.deepEqual(await settleCommands(manualClock(), "home", BOUND_MS, sightOf(scene)), {
      scope: [HOLDER],
      living: HOLDER.pid,
    });
  });
});
