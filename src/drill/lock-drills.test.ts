/**
 * The lock drills as a whole, on one machine without NFS (tests/local-drill.ts). Two programs hold and want the same
 * locks of this kernel; each loss that a drill can cause on purpose has to be found by the oracle that it is named after.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { localDrill, type FakeDrill, type LocalDrill } from "../../tests/local-drill.ts";
import type { DrillDocument } from "./document.ts";
import type { World } from "./measure.ts";
import { LOSSES, type Loss } from "./names.ts";
import type { MachineFaults } from "./ports.ts";
import type { DrillSettings } from "./scenario.ts";
import { findScenario } from "./scenarios.ts";

const NOTHING = (): Promise<void> => Promise.resolve();

async function withDrill<T>(body: (drill: LocalDrill) => Promise<T>): Promise<T> {
  const drill = await localDrill();
  try {
    return await body(drill);
  } finally {
    drill.remove();
  }
}

interface Choice {
  readonly settings?: Partial<DrillSettings>;
  readonly world?: (fake: FakeDrill) => Partial<World>;
}

async function runDrill(drill: LocalDrill, name: string, choice: Choice = {}): Promise<readonly DrillDocument[]> {
  const fake = drill.fake(NOTHING);
  const world = { ...fake.world, ...choice.world?.(fake) };
  return (await findScenario(name).run(world, { ...fake.settings, intervalMs: 2, ...choice.settings })).documents;
}

describe("locks over moves", () => {
  let documents: readonly DrillDocument[] = [];
  let left: readonly string[] = [];
  before(() =>
    withDrill(async (drill) => {
      documents = await runDrill(drill, "locks-over-moves", { settings: { runs: 2 } });
      left = ["client", "client-c2", "mnt", "mnt-c2"].flatMap((name) => readdirSync(join(drill.folder, name)));
    }),
  );

  test("nothing is lost where nothing was done, and all that has to be counted is counted", () => {
    assert.equal(documents.length, 2);
    for (const { because, oracle, oraclesFailed, clients, protocol } of documents) {
      assert.deepEqual(because, []);
      assert.deepEqual([oraclesFailed, clients, protocol], [[], ["c1", "c2"], "v4.2"]);
      assert.deepEqual([oracle.locksHeld, oracle.locksLost, oracle.grantedTwice, oracle.tornWrites], [200, 0, 0, 0]);
      assert.ok(oracle.acknowledgedWrites >= 64, `${oracle.acknowledgedWrites}`);
    }
    assert.equal(typeof documents[0]?.newLockAfterReturnMsByProtocol?.["v4.2"], "number");
  });

  test("nothing stays on the clients", () => assert.deepEqual(left, []));
});

describe("a loss that is caused on purpose is found by its oracle", () => {
  const found = new Map<Loss, readonly DrillDocument[]>();
  // Side by side: most of each drill is waiting.
  before(() =>
    Promise.all(
      LOSSES.map((inject) =>
        withDrill(async (drill) => {
          found.set(inject, await runDrill(drill, "locks-over-moves", { settings: { inject } }));
        }),
      ),
    ),
  );

  for (const loss of LOSSES) {
    test(loss, () => {
      const [document] = found.get(loss) ?? [];
      assert.equal(document?.verdict, "fail");
      assert.equal(document.injected, loss);
      assert.ok(document.oraclesFailed.includes(loss), document.because.join("\n"));
    });
  }

  test("and by no other, but for what follows from it", () => {
    const also = LOSSES.map((loss) => found.get(loss)?.[0]?.oraclesFailed.filter((one) => one !== loss));
    // A lock that was lost is got by the one who tries it.
    assert.deepEqual(also, [[], [], ["granted-twice"], [], [], []]);
  });
});

/** Notes what is done to which machine. */
function noting(done: string[]): MachineFaults {
  return {
    powerOff: async (machine) => void done.push(`off ${machine}`),
    powerOn: async (machine) => void done.push(`on ${machine}`),
  };
}

test("over a power-off the takeover is called by hand, and the next run waits for the machine to be warm again", async () => {
  const done: string[] = [];
  await withDrill(async (drill) => {
    const documents = await runDrill(drill, "locks-over-power-off", {
      settings: { runs: 2 },
      world: ({ world: { mover } }) => ({
        faults: noting(done),
        mover: {
          ...mover,
          takeOver: async (fileserver, node, fenced) => {
            done.push(`takeover ${node} fenced ${fenced}`);
            return { ...(await mover.move(fileserver, node)), kind: "takeover" };
          },
          waitWarm: async (_, node) => void done.push(`warm ${node}`),
        },
      }),
    });
    assert.deepEqual(
      documents.map(({ because }) => because),
      [[], []],
    );
    assert.deepEqual(
      documents.map(({ from, to }) => [from, to]),
      [
        ["n1", "n2"],
        ["n2", "n1"],
      ],
    );
  });
  assert.deepEqual(done, [
    "off n1",
    "takeover n2 fenced n1",
    "on n1",
    "warm n1",
    "off n2",
    "takeover n1 fenced n2",
    "on n2",
    "warm n2",
  ]);
});

test("a client that died is no loss; what was asked of the node about its grace stands in the document", async () => {
  const done: string[] = [];
  await withDrill(async (drill) => {
    const documents = await runDrill(drill, "dead-client", {
      settings: { runs: 1 },
      world: ({ world: { mover }, kill }) => {
        let asked = 0;
        const reason = (): string => `v4: waiting for c2: silent for ${(asked += 1)} s`;
        const faults = noting(done);
        const powerOff: MachineFaults["powerOff"] = async (machine) => {
          kill(machine);
          await faults.powerOff(machine);
        };
        return { faults: { ...faults, powerOff }, mover: { ...mover, graceReasons: async () => [reason()] } };
      },
    });
    const [document] = documents;
    assert.deepEqual(document?.because, []);
    assert.equal(document?.oracle.locksHeld, 100, "the living client's");
    assert.equal(document?.graceReasons?.length, 1);
    assert.match(document?.graceReasons?.[0] ?? "", /^v4: waiting for c2: silent for \d+ s$/);
  });
  assert.deepEqual(done, ["off c2", "on c2"]);
});

test("what a drill lacks is said before anything is started", async () => {
  await withDrill(async (drill) => {
    const one = { settings: { clients: ["c1"] } };
    await assert.rejects(runDrill(drill, "locks-over-moves", one), { code: "drill-needs-clients", kind: "invalid" });
    await assert.rejects(runDrill(drill, "locks-over-power-off"), { code: "drill-needs-lab", kind: "invalid" });
    await assert.rejects(runDrill(drill, "dead-client"), { code: "drill-needs-lab" });
  });
});
