import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Timeline } from "../../wire/timeline.ts";
import type { MeasuredRun, World } from "../measure.ts";
import type { Recorded, Recorder } from "../ports.ts";
import { forgetRecordings, recordWayBack, type RunToRecord } from "./record-way-back.ts";

const PCAP = readFileSync(join(import.meta.dirname, "../../../tests/recorded/nfs/way-back-v4.2.pcap"));
/** The node's clock is this much behind the recording's, by the pings in it. */
const BEHIND_MS = 370;
const OPENED_AT_MS = 1_795_296_829_352;

const step = { node: "n1", outcome: "done" } as const;
const TIMELINE: Timeline = {
  id: "m",
  kind: "move",
  fileserver: "home",
  node: "n1",
  startedAtMs: OPENED_AT_MS - BEHIND_MS - 900,
  outcome: "done",
  steps: [
    { ...step, step: "hold-requests", startMs: 90, endMs: 100 },
    { ...step, step: "open-address", startMs: 880, endMs: 900 },
  ],
};

const WANTED: RunToRecord = {
  settings: {
    target: { name: "home", host: "home.lab.example", exportPath: "/srv/home", devices: [] },
    protocol: "v4.2",
    recordsWayBack: true,
  },
  name: "planned-move-1",
  client: "c1",
};

interface Stage {
  readonly world: World;
  readonly told: string[];
  readonly done: string[];
}

function stage(parts: Partial<Recorder> & { stop?: () => Promise<Recorded> } = {}): Stage {
  const told: string[] = [];
  const done: string[] = [];
  const stop = parts.stop ?? (() => Promise.resolve({ path: "/tmp/a.pcap", pcap: PCAP }));
  const recorder: Recorder = {
    start: (name) => {
      done.push(`start ${name}`);
      return Promise.resolve({
        stop: () => {
          done.push("stop");
          return stop();
        },
      });
    },
    remove: (path) => {
      done.push(`remove ${path}`);
      return Promise.resolve();
    },
    ...parts,
  };
  const printed: Readonly<Record<string, string>> = { getent: "10.77.0.50 STREAM home\n", hostname: "10.77.0.21\n" };
  const world: Pick<World, "machines" | "recorder" | "progress"> = {
    machines: {
      exec: (_, argv) => Promise.resolve({ status: 0, stdout: printed[argv[0] ?? ""] ?? "", stderr: "" }),
      copyTo: () => Promise.reject(new Error("nothing is copied")),
    },
    recorder,
    progress: (line) => void told.push(line),
  };
  // The rest of a world is not looked at.
  return { world: world as World, told, done };
}

function measuredRun(timeline: Timeline | undefined): MeasuredRun {
  return { run: 1, timeline } as MeasuredRun;
}

const recorded = async ({ world }: Stage, wanted = WANTED, timeline: Timeline | undefined = TIMELINE) =>
  recordWayBack(world, wanted, () => Promise.resolve(measuredRun(timeline)));

describe("a run that is recorded", () => {
  test("has the client's steps on its timeline's clock", async () => {
    const played = stage();
    const { wayBack, recordedIn } = await recorded(played);
    assert.deepEqual(
      wayBack?.map((one) => [one.step, one.node, Math.round(one.startMs / 10) * 10, Math.round(one.endMs / 10) * 10]),
      [
        ["client-reconnect", "c1", 900, 940],
        ["client-session", "c1", 940, 960],
        ["client-reclaim", "c1", 960, 1150],
        ["client-reclaim-complete", "c1", 1150, 1230],
      ],
    );
    assert.equal(recordedIn, "/tmp/a.pcap");
    assert.deepEqual(played.done, ["start planned-move-1", "stop"]);
    assert.deepEqual(played.told, []);
  });

  test("is like every other where nothing can be recognized", async () => {
    const silent = { ...TIMELINE, steps: TIMELINE.steps.slice(1) };
    const later = { ...TIMELINE, startedAtMs: TIMELINE.startedAtMs + 5_000 };
    const elsewhere = { ...WANTED, settings: { ...WANTED.settings, protocol: "v3" } } as const;
    const together = { ...WANTED, settings: { ...WANTED.settings, protocol: "all" } } as const;
    // pcap-savefile(5): the header alone.
    const empty = stage({ stop: () => Promise.resolve({ path: "", pcap: PCAP.subarray(0, 24) }) });
    const runs = [
      await recorded(stage(), WANTED, silent),
      await recorded(stage(), WANTED, later),
      await recorded(stage(), elsewhere),
      await recorded(stage(), together),
      await recorded(empty),
    ];
    for (const run of runs) assert.ok(!("wayBack" in run));
    const failed = await recordWayBack(stage().world, WANTED, () => Promise.resolve(measuredRun(undefined)));
    assert.ok(!("wayBack" in failed));
  });

  test("is not recorded where nobody asks, or nothing can", async () => {
    for (const settings of [{ ...WANTED.settings, recordsWayBack: false }, WANTED.settings]) {
      const played = stage();
      const { recorder: _, ...without } = played.world;
      const world = settings.recordsWayBack === true ? without : played.world;
      const run = await recordWayBack(world, { ...WANTED, settings }, () => Promise.resolve(measuredRun(TIMELINE)));
      assert.deepEqual(run, measuredRun(TIMELINE));
      assert.deepEqual(played.done, []);
    }
  });
});

describe("a recording that fails", () => {
  const broken: readonly (readonly [string, Parameters<typeof stage>[0], RegExp])[] = [
    ["to begin", { start: () => Promise.reject(new Error("it is recorded already")) }, /could not be recorded: it is/],
    [
      "to end",
      { stop: () => Promise.reject(new Error("the switch is gone")) },
      /could not be ended: the switch is gone/,
    ],
    [
      "to be read",
      { stop: () => Promise.resolve({ path: "", pcap: new Uint8Array(3) }) },
      /tells no way back: .*3 bytes/,
    ],
    [
      "before its end",
      { stop: () => Promise.resolve({ path: "", pcap: PCAP.subarray(0, 24), endedBecause: "it is full" }) },
      /ended early: it is full/,
    ],
  ];
  for (const [name, parts, words] of broken) {
    test(`${name} is told, and the run goes on`, async () => {
      const played = stage(parts);
      const run = await recorded(played);
      assert.equal(run.run, 1);
      assert.equal(run.wayBack, undefined);
      assert.match(played.told.join("\n"), words);
    });
  }

  test("a run that fails ends its recording, and with its own words", async () => {
    const stuck = stage({ stop: () => Promise.reject(new Error("the switch is gone")) });
    for (const played of [stage(), stuck]) {
      const failing = recordWayBack(played.world, WANTED, () => Promise.reject(new Error("the client is gone")));
      await assert.rejects(failing, /the client is gone/);
      assert.deepEqual(played.done, ["start planned-move-1", "stop"]);
      assert.equal(played.told.length, 1);
    }
  });
});

test("recordings of runs that passed are taken away; the others are named, and so is what cannot be taken away", async () => {
  const played = stage();
  const runs = [{ run: 1, recordedIn: "/tmp/1" }, { run: 2 }, { run: 3, recordedIn: "/tmp/3" }];
  const documents = (["pass", "pass", "fail"] as const).map((verdict) => ({ verdict }));
  await forgetRecordings(played.world, { runs }, documents);
  assert.deepEqual(played.done, ["remove /tmp/1"]);
  assert.deepEqual(played.told, ["run 3 was recorded in /tmp/3"]);
  const stuck = stage({ remove: () => Promise.reject(new Error("read-only")) });
  await forgetRecordings(stuck.world, { runs }, documents);
  assert.equal(stuck.told[0], "/tmp/1 stays: read-only");
});
