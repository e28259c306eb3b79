/** What can be seen of a fileserver on a machine that has none of it; the rest needs a node, and is tested in the lab. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fakeNode } from "../../tests/fake-node.ts";
import { expectCommands, recorded } from "../../tests/expected-commands.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { REPORT } from "../lvm/volume-group.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverName } from "../model/names.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { systemClock } from "../system/clock.ts";
import type { Commands } from "../system/commands.ts";
import type { Node } from "./context.ts";
import { controlFileserver } from "./fileserver.ts";
import { RunFault } from "./history.ts";
import { observe } from "./observe.ts";
import { runAgent } from "./program.ts";
import { lookAtVolumes } from "./volume-facts.ts";

/** Names that no machine on which tests run has anything of. */
const ABSENT: FileserverSpec = {
  ...(loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec),
  name: "not-on-this-machine" as FileserverName,
  interface: "hf-none0",
};

function nodeWith(commands: Commands, log: (line: string) => void = () => undefined): Node {
  return fakeNode({ commands, clock: systemClock, log });
}

function hasCode(code: string) {
  return (error: unknown): boolean => error instanceof Fault && error.code === code;
}

describe("a fileserver of which nothing is here", () => {
  test("is seen to be absent", async () => {
    const found = await observe(ABSENT);
    assert.ok(found.known, found.known ? "" : found.why);
    assert.deepEqual(found.value.judgement, { state: "absent", lacks: [] });
    assert.equal(found.value.insidePid, undefined);
  });

  test("says so, and a release of it is done already, without a step", async () => {
    const lines: string[] = [];
    const control = controlFileserver(
      nodeWith(expectCommands(), (line) => void lines.push(line)),
      ABSENT,
    );
    assert.deepEqual(await control.status(), {
      name: ABSENT.name,
      state: "absent",
      because: [],
      addresses: ["10.77.0.50/24", "fd77::50/64"],
      connections: 0,
      nfsdThreads: 0,
    });
    const timeline = await control.release();
    assert.deepEqual([timeline.outcome, timeline.steps, timeline.node], ["done", [], "n1"]);
    assert.deepEqual(control.history(), [timeline]);
    assert.deepEqual(lines, [`${ABSENT.name}: release on n1 done, 0 ms`]);
  });

  test("is refused before anything is done where its interface is missing; and the refusal blocks nothing", async () => {
    const control = controlFileserver(nodeWith(expectCommands()), ABSENT);
    for (const turn of [1, 2]) await assert.rejects(control.prepare(), hasCode("interface-missing"), `turn ${turn}`);
  });

  test("one run at a time: another is refused, not queued", async () => {
    const control = controlFileserver(nodeWith(expectCommands()), ABSENT);
    const [first, second] = await Promise.allSettled([control.prepare(), control.prepare()]);
    assert.ok(first.status === "rejected" && hasCode("interface-missing")(first.reason));
    assert.ok(second.status === "rejected" && hasCode("fileserver-busy")(second.reason));
  });
});

describe("the disks behind the volumes", () => {
  test("of a volume group: its disks and its owner", async () => {
    const commands = expectCommands({ run: REPORT, stdout: recorded("lvm/fullreport.txt") });
    const facts = await lookAtVolumes(nodeWith(commands), ABSENT);
    assert.deepEqual([...facts.keys()], ["data"]);
    assert.deepEqual(facts.get("data")?.disks, ["/dev/sda"]);
    assert.equal(facts.get("data")?.group?.systemId, "n1");
    commands.assertAllRan();
  });

  test("a logical volume or a disk that is not there is refused", async () => {
    const stdout = recorded("lvm/fullreport.txt").replaceAll('"lv_name":"data"', '"lv_name":"other"');
    const commands = expectCommands({ run: REPORT, stdout });
    await assert.rejects(lookAtVolumes(nodeWith(commands), ABSENT), hasCode("device-missing"));
    const onDisk: FileserverSpec = {
      ...ABSENT,
      volumes: ABSENT.volumes.map((volume) => ({ ...volume, device: { kind: "disk", path: "/dev/hf-none" } })),
    };
    await assert.rejects(lookAtVolumes(nodeWith(expectCommands()), onDisk), hasCode("device-missing"));
  });
});

test("a fault of a run is the fault that it was, with the run's timeline", () => {
  const fault = new Fault({ kind: "refused", code: "a", what: "b", why: "c", remedy: "d", cause: new Error("e") });
  const timeline = {
    id: "1",
    kind: "release",
    fileserver: "home",
    node: "n1",
    startedAtMs: 0,
    outcome: "failed",
    steps: [],
  } as const;
  const both = new RunFault(fault, timeline);
  assert.deepEqual(
    [both.kind, both.code, both.message, both.why, both.remedy, both.cause],
    [fault.kind, fault.code, fault.message, fault.why, fault.remedy, fault.cause],
  );
  assert.equal(both.timeline, timeline);
});

test("an agent without a spec does not start, and changes nothing", async () => {
  const settings = {
    specPath: "/nonexistent/holdfast.yaml",
    socket: "/nonexistent/agent.sock",
    version: "0",
    timeScale: 1,
  };
  await assert.rejects(runAgent(settings), hasCode("spec-unreadable"));
});
