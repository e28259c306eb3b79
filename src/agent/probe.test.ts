import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fakeNode } from "../../tests/fake-node.ts";
import { expectCommands, type ExpectedCommand } from "../../tests/expected-commands.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { defined } from "../base/assert.ts";
import { Fault } from "../base/fault.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { systemClock } from "../system/clock.ts";
import { toolPath } from "../system/tools.ts";
import type { Node } from "./context.ts";
import { openDirectors } from "./directors.ts";
import { addressesToProbe, probeAddress, probeBeforeMove, refuseTaken } from "./probe.ts";

const SAMPLE = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;
const RUN = `timeout 0.3 ${toolPath("arping")} -D -I eth1 -c 1 -w 1 10.77.0.50`;

/** arping -D of iputils when somebody answers. */
const answered = (mac: string): ExpectedCommand => ({
  run: RUN,
  status: 1,
  stdout: `ARPING 10.77.0.50 from 0.0.0.0 eth1\nUnicast reply from 10.77.0.50 [${mac}]  1.003ms\nSent 1 probes (1 broadcast(s))\n`,
});

const RUN_ALL = `timeout --preserve-status --signal=INT 0.3 ${toolPath("arping")} -b -s 0.0.0.0 -I eth1 -c 5 10.77.0.50`;

/** As recorded in the lab; the status says nothing. */
const heard = (...macs: readonly string[]): ExpectedCommand => ({
  run: RUN_ALL,
  status: 1,
  stdout: [
    "ARPING 10.77.0.50 from 0.0.0.0 eth1",
    ...macs.map((mac) => `Unicast reply from 10.77.0.50 [${mac}]  45.365ms`),
    "Sent 1 probes (1 broadcast(s))",
    `Received ${macs.length} response(s)\n`,
  ].join("\n"),
});

/** home behind a director: asked for is the back address, because the director answers for the other one. */
const BEHIND = loadSpec(
  `${SAMPLE_SPEC}directors:
  - name: lb
    machines: [{ name: d1, address: 10.77.0.31 }]
    services: [{ fileserver: home }]
`,
  "sample",
);

function behindDirector(node: Node): Node {
  const parts = { spec: BEHIND, node: "n1", timeScale: 1, log: () => undefined, secrets: new Map() };
  const directors = openDirectors({ ...parts, ask: () => assert.fail("nobody is told anything") });
  return { ...node, directors: defined(directors, "the director") };
}

function nodeWith(...expected: readonly ExpectedCommand[]): Node {
  return fakeNode({ commands: expectCommands(...expected), clock: systemClock });
}

describe("probeAddress", () => {
  test("nobody answers: arping's own end, or the shorter wait", async () => {
    for (const status of [0, 124])
      assert.equal(await probeAddress(nodeWith({ run: RUN, status }), SAMPLE, "10.77.0.50"), undefined);
  });

  test("somebody answers, with this hardware address", async () => {
    assert.equal(
      await probeAddress(nodeWith(answered("52:54:00:AB:CD:EF")), SAMPLE, "10.77.0.50"),
      "52:54:00:ab:cd:ef",
    );
  });

  test("a question that could not be asked is not the answer that nobody is there", async () => {
    const node = nodeWith({ run: RUN, status: 2, stderr: "arping: Interface eth1 is down" });
    await assert.rejects(probeAddress(node, SAMPLE, "10.77.0.50"), /Interface eth1 is down/);
  });
});

describe("before a move", () => {
  test("the fileserver itself may answer, or nobody: that settles it", async () => {
    assert.equal(await probeBeforeMove(nodeWith(heard(SAMPLE.mac.toUpperCase())), SAMPLE), true);
    assert.equal(await probeBeforeMove(nodeWith(heard()), SAMPLE), true);
  });

  test("anybody else is refused, by name, whoever answers first", async () => {
    const stranger = "52:54:00:AB:CD:EF";
    for (const answers of [heard(stranger), heard(stranger, SAMPLE.mac), heard(SAMPLE.mac, stranger)]) {
      await assert.rejects(probeBeforeMove(nodeWith(answers), SAMPLE), (error) => {
        assert.ok(error instanceof Fault && error.code === "address-taken" && error.kind === "refused");
        assert.match(error.message, /52:54:00:ab:cd:ef/);
        return true;
      });
    }
  });

  test("a question that could not be asked is refused too", async () => {
    const node = nodeWith({ run: RUN_ALL, status: 2, stderr: "arping: Interface eth1 is down" });
    await assert.rejects(probeBeforeMove(node, SAMPLE), /could not be found out: arping: Interface eth1 is down/);
  });

  test("an ipvlan has its parent's hardware address: nothing is asked and nothing is settled", async () => {
    assert.equal(await probeBeforeMove(nodeWith(), { ...SAMPLE, link: "ipvlan" }), false);
  });
});

test("at the takeover even the fileserver's own answer is one too many", () => {
  assert.doesNotThrow(() => refuseTaken(SAMPLE, "10.77.0.50", undefined));
  const remedyFor = (mac: string): string => {
    try {
      refuseTaken(SAMPLE, "10.77.0.50", mac);
    } catch (error) {
      if (error instanceof Fault) return error.remedy ?? "";
    }
    return assert.fail("not refused");
  };
  assert.match(remedyFor(SAMPLE.mac), /another node still serves it/);
  assert.match(remedyFor("52:54:00:ab:cd:ef"), /find that machine/);
});

describe("behind a director", () => {
  test("the back address is asked for; without one, the fileserver's own", () => {
    assert.deepEqual(addressesToProbe(nodeWith(), SAMPLE), ["10.77.0.50"]);
    const [back, ...more] = addressesToProbe(behindDirector(nodeWith()), SAMPLE);
    assert.match(back ?? "", /^169\.254\./);
    assert.deepEqual(more, []);
  });

  test("a machine that has the back address already is refused before the move", async () => {
    const [back = ""] = addressesToProbe(behindDirector(nodeWith()), SAMPLE);
    const run = RUN_ALL.replace("10.77.0.50", back);
    const stdout = heard("02:00:00:00:00:09").stdout ?? "";
    await assert.rejects(
      probeBeforeMove(behindDirector(nodeWith({ run, status: 0, stdout })), SAMPLE),
      (error) => error instanceof Fault && error.code === "address-taken" && error.message.includes(back),
    );
    assert.equal(await probeBeforeMove(behindDirector(nodeWith({ run, stdout: "Sent 1 probes\n" })), SAMPLE), true);
  });
});
