import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { matchesGolden } from "../../tests/golden.ts";
import { recordRun } from "../../tests/recorded-io.ts";
import { Fault } from "../base/fault.ts";
import { parseSpec } from "../model/load.ts";
import type { Scouted } from "../apply/scout.ts";
import { askOn, gatherAnswers, INIT, type Ask, type Surroundings } from "./init.ts";
import { initText, type InitAnswers } from "./init-text.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-init-"));
after(() => rmSync(folder, { recursive: true }));

const here: Surroundings = {
  hostname: "n1",
  domain: "lab.example",
  links: [
    { interface: "eth1", cidr: "10.77.0.11/24" },
    { interface: "eth2", cidr: "10.78.0.11/24" },
  ],
};
const nobody: Ask = () => Promise.resolve(undefined);

describe("answers", () => {
  test("come from options and from the machine; nobody is asked what can be found out", async () => {
    const asked: string[] = [];
    const ask: Ask = (question, suggestion) => {
      asked.push(question);
      return Promise.resolve(suggestion);
    };
    const answers = await gatherAnswers({ address: "10.77.0.50", device: "home/data" }, here, ask);
    assert.deepEqual(answers, {
      cluster: "holdfast",
      engine: "standalone",
      nodes: [{ name: "n1", addresses: ["10.77.0.11"] }],
      fileserver: "home",
      hostname: "home.lab.example",
      address: "10.77.0.50/24",
      interface: "eth1",
      device: "home/data",
      filesystem: "xfs",
      client: "10.77.0.0/24",
    });
    assert.deepEqual(asked, ["name by which clients mount, with its domain"]);
  });

  test("that are missing are named as options, all at once", async () => {
    await assert.rejects(
      gatherAnswers({}, { ...here, domain: undefined }, nobody),
      (error) =>
        error instanceof Fault && error.kind === "invalid" && error.message.includes("--hostname, --address, --device"),
    );
  });

  test("for an address elsewhere include the interface", async () => {
    const elsewhere = gatherAnswers({ address: "192.0.2.5/24", device: "a/b" }, here, nobody);
    await assert.rejects(elsewhere, /--interface/);
  });

  test("name nodes with their addresses", async () => {
    const given = {
      address: "10.77.0.50",
      device: "a/b",
      node: ["n1=10.77.0.11,10.78.0.11", "n2=10.77.0.12,10.78.0.12"],
    };
    const answers = await gatherAnswers(given, here, nobody);
    assert.deepEqual(answers.nodes[1], { name: "n2", addresses: ["10.77.0.12", "10.78.0.12"] });
    await assert.rejects(gatherAnswers({ ...given, node: ["n1="] }, here, nobody), /--node n1= is not a node/);
  });
});

describe("questions", () => {
  const conversation = (...typed: readonly string[]) => {
    let shown = "";
    async function* lines(): AsyncGenerator<string> {
      yield* typed;
    }
    const ask = askOn(lines(), (text) => (shown += text));
    return { ask, shown: () => shown };
  };

  test("are asked again after a wrong answer; an empty one takes the suggestion; lines typed ahead are kept", async () => {
    const { ask, shown } = conversation("home", "files.lab.example", "10.77.0.50", "a/b");
    const answers = await gatherAnswers({}, here, ask);
    assert.equal(answers.hostname, "files.lab.example");
    assert.equal(answers.address, "10.77.0.50/24");
    assert.equal(answers.device, "a/b");
    assert.match(shown(), /\[home\.lab\.example\]: {3}"home" has no domain: .*\n.*\[home\.lab\.example\]: address/);
    const empty = conversation("", "10.77.0.50", "a/b");
    assert.equal((await gatherAnswers({}, here, empty.ask)).hostname, "home.lab.example");
  });

  test("end after three useless answers, or with the input, and nothing is written", async () => {
    await assert.rejects(
      gatherAnswers({}, here, conversation("x", "y", "z", "files.lab.example").ask),
      /no answer to: name/,
    );
    await assert.rejects(gatherAnswers({}, here, conversation("files.lab.example").ask), /no answer to: address/);
  });
});

describe("the text", () => {
  test("of a cluster that told of itself needs an address and a name only", async () => {
    const scouted: Scouted = {
      nodes: ["n1", "n2"].map((name, index) => ({
        name,
        addresses: [`10.77.0.1${index + 1}`, `10.78.0.1${index + 1}`],
      })),
      links: here.links,
      emptyDisks: ["/dev/disk/by-id/wwn-0x1"],
    };
    const answers = await gatherAnswers({ address: "10.77.0.50" }, here, nobody, scouted);
    const text = initText({ ...answers, sshConfig: "ssh_config" });
    const parsed = parseSpec(text);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    assert.equal(parsed.spec.cluster.engine, "pacemaker");
    assert.deepEqual(parsed.spec.fileservers[0]?.volumes[0]?.disks, ["/dev/disk/by-id/wwn-0x1"]);
    matchesGolden("init/cluster.yaml", text);
  });

  test("takes nodes by their names or with their addresses, not mixed", async () => {
    const wrong = { json: true, node: ["n1", "n2=10.77.0.12"], file: join(folder, "mixed.yaml") };
    await assert.rejects(recordRun(INIT, wrong), { kind: "invalid", code: "init-node" });
    const hostile = { json: true, node: ["-oProxyCommand"], file: join(folder, "hostile.yaml") };
    await assert.rejects(recordRun(INIT, hostile), { kind: "invalid", code: "init-node" });
  });

  test("is a valid spec with comments", async () => {
    const answers = await gatherAnswers({ address: "10.77.0.50", device: "home/data" }, here, nobody);
    const text = initText(answers);
    const parsed = parseSpec(text);
    assert.deepEqual(parsed.ok ? [] : parsed.problems, []);
    matchesGolden("init/holdfast.yaml", text);
  });

  test("never becomes anything but texts, whatever the answers", () => {
    const piece = fc.constantFrom(
      "a",
      "1",
      ":",
      " #x",
      "\n",
      "{",
      "]",
      "&a",
      "*",
      "'",
      '"',
      "\\",
      "true",
      "null",
      "0x1",
      "é",
      "- ",
    );
    const answer = fc.array(piece, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(answer, answer, (one, other) => {
        const answers: InitAnswers = {
          cluster: one,
          engine: other,
          disks: [one],
          sshConfig: other,
          nodes: [{ name: other, addresses: [one] }],
          fileserver: other,
          hostname: one,
          address: other,
          interface: one,
          device: other,
          filesystem: one,
          client: other,
        };
        const parsed = parseSpec(initText(answers));
        assert.ok(!parsed.ok);
        const structural = parsed.problems.filter((problem) =>
          ["not-yaml", "unknown-key", "wrong-type", "yaml-alias", "yaml-tag", "missing-key"].includes(problem.code),
        );
        assert.deepEqual(structural, []);
      }),
    );
  });
});

describe("holdfast init", () => {
  const options = {
    hostname: "home.lab.example",
    address: "10.77.0.50/24",
    interface: "eth1",
    device: "home/data",
    node: ["n1=10.77.0.11"],
    json: true,
  };

  test("writes the file once and never again", async () => {
    const file = join(folder, "holdfast.yaml");
    const run = await recordRun(INIT, { ...options, file });
    assert.equal(run.status, 0);
    assert.ok(parseSpec(readFileSync(file, "utf8")).ok);
    writeFileSync(file, "mine\n");
    await assert.rejects(
      recordRun(INIT, { ...options, file }),
      (error) => error instanceof Fault && error.kind === "refused",
    );
    assert.equal(readFileSync(file, "utf8"), "mine\n");
  });

  test("refuses wrong answers before it writes", async () => {
    const file = join(folder, "wrong.yaml");
    await assert.rejects(recordRun(INIT, { ...options, device: "/dev/sda", file }), /bad|not a device/);
    await assert.rejects(async () => readFileSync(file), /ENOENT/);
  });

  test("says when the folder is not there", () =>
    assert.rejects(recordRun(INIT, { ...options, file: join(folder, "none", "a.yaml") }), /cannot write/));
});
