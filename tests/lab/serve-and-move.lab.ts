/** The first thing anyone does: machines, a fileserver, a client at work, a move. Verdicts and counts only, no times. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { DrillDocument } from "../../src/drill/document.ts";
import { holdfast, inMachine, LAB, said, specFile } from "./lab-under-test.ts";

const UP_TIMEOUT_MS = 600_000;
const DRILL_TIMEOUT_MS = 420_000;
const COMMAND_TIMEOUT_MS = 120_000;

interface Status {
  readonly fileservers: readonly { readonly name: string; readonly servedBy: string | null }[];
}

async function servedBy(fileserver: string): Promise<string | null | undefined> {
  const ran = await holdfast(["status", "--json", "-f", specFile()], COMMAND_TIMEOUT_MS);
  return (JSON.parse(ran.stdout) as Status).fileservers.find(({ name }) => name === fileserver)?.servedBy;
}

function move(words: readonly string[]): ReturnType<typeof holdfast> {
  return holdfast(["move", ...words, "--json", "-f", specFile()], COMMAND_TIMEOUT_MS);
}

describe("a lab with two fileservers", () => {
  before(async () => {
    const up = await holdfast(["lab", "up", "--name", LAB, "--cluster", "holdfast"], UP_TIMEOUT_MS);
    assert.equal(up.status, 0, said(up));
  });
  after(async () => {
    const down = await holdfast(["lab", "down", "--name", LAB, "--wipe"], COMMAND_TIMEOUT_MS);
    assert.equal(down.status, 0, said(down));
  });

  test("both are served by one node each", async () => {
    for (const name of ["home", "media"]) assert.match(String(await servedBy(name)), /^n[12]$/, name);
  });

  for (const protocol of ["v4.2", "v3"]) {
    test(`clients over ${protocol} wait through a move there and back, and lose nothing`, async () => {
      const words = ["--lab", LAB, "--protocol", protocol, "--runs", "2", "--tree-files", "300", "--json"];
      const ran = await holdfast(["drill", "planned-move", ...words], DRILL_TIMEOUT_MS);
      assert.equal(ran.status, 0, said(ran));
      const { runs } = JSON.parse(ran.stdout) as { runs: readonly DrillDocument[] };
      assert.equal(runs.length, 2);
      for (const { oracle, timeline, verdict } of runs) {
        assert.equal(verdict, "pass");
        assert.ok(oracle.acknowledgedWrites > 0);
        assert.equal(oracle.lostWrites + oracle.staleReads + oracle.errorsSeenByApplications, 0);
        const steps = timeline.map(({ step }) => step);
        for (const step of ["hold-requests", "silence-address", "release-luns:data", "open-address"])
          assert.ok(steps.includes(step), step);
      }
    });
  }

  test("an agent killed in the middle of a takeover: after the next move one node serves", async () => {
    const from = String(await servedBy("home"));
    const to = from === "n1" ? "n2" : "n1";
    await inMachine(to, "echo start-nfsd > /run/holdfast/crash-at");
    const broken = await move(["home", to]);
    assert.notEqual(broken.status, 0, "the agent was killed while it took over");
    const agent = "until systemctl is-active -q holdfast-agent; do sleep 1; done; sleep 15";
    await inMachine(to, agent, COMMAND_TIMEOUT_MS);
    const repaired = await move(["home", to]);
    assert.ok(repaired.status === 0 || (await servedBy("home")) !== null, said(repaired));
    assert.match(String(await servedBy("home")), /^n[12]$/);
  });

  test("a move to the node that serves already is refused, and changes nothing", async () => {
    const on = String(await servedBy("media"));
    const refused = await move(["media", on]);
    assert.equal(refused.status, 3, said(refused));
    assert.equal(await servedBy("media"), on);
  });

  test("a volume that the other node has reserved is refused, and changes nothing", async () => {
    const on = String(await servedBy("media"));
    const other = on === "n1" ? "n2" : "n1";
    // The pipe stays open until the answer is there: an HTTP server of Node gives up a request whose asker closed its end.
    const request = String.raw`{ printf 'POST /v1/fileservers/media/takeover HTTP/1.0\r\n\r\n'; sleep 20; }`;
    const ran = await inMachine(other, `${request} | socat -t90 - UNIX:/run/holdfast/agent.sock`, COMMAND_TIMEOUT_MS);
    assert.match(ran.stdout, /"code":"(volume-reserved|address-taken)"/, said(ran));
    assert.equal(await servedBy("media"), on);
  });
});
