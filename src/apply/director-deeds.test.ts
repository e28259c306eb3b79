/** Deeds on directors' machines, over shells that keep what they are given. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { loadSpec } from "../model/load.ts";
import { DIRECTOR_STAMP_PATH } from "../plan/directors.ts";
import { makeDesign, questionsFor } from "./design.ts";
import { questionsForDirector } from "./design-directors.ts";
import { shareDirectorSecret, startDirector, writeDirectorFiles } from "./director-deeds.ts";
import { lookScript, readLook } from "./look.ts";
import type { NodeShell } from "./node-shell.ts";
import { packagedTexts } from "./packaging.ts";

const spec = loadSpec(
  `${SAMPLE_SPEC}directors:
  - name: lb
    machines: [{ name: d1, address: 10.77.0.31 }, { name: d2, address: 10.77.0.32 }]
    services: [{ fileserver: home }]
`,
  "sample",
);
const packaged = await packagedTexts();
const design = makeDesign(spec, new Map(), { version: "0.1.0", packaged, timeScale: 10, consents: [] });

function shells() {
  const files = new Map<string, { readonly content: string; readonly mode: number }>();
  const scripts: string[] = [];
  const shell = (node: string): NodeShell => ({
    node,
    commands: { run: () => assert.fail("no program is started") },
    run: () => assert.fail("every script has to succeed"),
    must: async (script) => {
      scripts.push(script);
      return "";
    },
    put: async (path, content, mode) =>
      void files.set(`${node}:${path}`, { content: Buffer.from(content).toString(), mode }),
    read: async (path) => Buffer.from(files.get(`${node}:${path}`)?.content ?? assert.fail(`no ${path} on ${node}`)),
  });
  return { files, scripts, shell };
}

const share = { kind: "share-director-secret", node: "n1", file: "/s", because: "" } as const;

describe("on directors' machines", () => {
  test("the secret is made once, the same for all, for root alone; later ones get that of who has it", async () => {
    const { files, shell } = shells();
    await shareDirectorSecret({ ...share, from: undefined, to: ["n1", "d1"] }, { shell });
    const first = files.get("n1:/s");
    assert.match(first?.content ?? "", /^[A-Za-z0-9+/]{43}=\n$/);
    assert.deepEqual([files.get("d1:/s"), first?.mode], [first, 0o600]);
    await shareDirectorSecret({ ...share, from: "d1", to: ["d2"] }, { shell });
    assert.deepEqual(files.get("d2:/s"), first);
  });

  test("files are those of the machine; one that the design does not have is a fault", async () => {
    const { files, shell } = shells();
    const write = { kind: "write-director-files", node: "d1", because: "" } as const;
    const conf = "/etc/keepalived/keepalived.conf";
    await writeDirectorFiles({ ...write, files: [conf, "/etc/holdfast/director.env"] }, { shell, design });
    assert.match(files.get(`d1:${conf}`)?.content ?? "", /10\.77\.0\.31/);
    assert.equal(files.get("d1:/etc/holdfast/director.env")?.content, "HOLDFAST_TIME_SCALE=10\n");
    await assert.rejects(
      writeDirectorFiles({ ...write, files: ["/etc/passwd"] }, { shell, design }),
      (error) => error instanceof Fault && error.code === "file-unknown",
    );
  });

  test("units are enabled and begin in their order; what they were started by is kept when they have started", async () => {
    const { files, scripts, shell } = shells();
    const units = ["holdfast-director.service", "keepalived.service"];
    await startDirector(shell("d1"), { units, restart: units, stamp: "by this\n" }, 1);
    const [script = ""] = scripts;
    assert.equal(spawnSync("sh", ["-n"], { input: script }).status, 0);
    assert.match(
      script,
      /enable --quiet '?holdfast-director.service'? '?keepalived.service'?\n[^]*restart '?holdfast[^]*restart '?keepalived/,
    );
    assert.equal(files.get(`d1:${DIRECTOR_STAMP_PATH}`)?.content, "by this\n");
    const failing = { ...shell("d2"), must: () => Promise.reject(new Error("it did not start")) };
    await assert.rejects(startDirector(failing, { units, restart: [], stamp: "by this\n" }, 1));
    assert.equal(files.has(`d2:${DIRECTOR_STAMP_PATH}`), false);
  });
});

describe("the look at a director's machine", () => {
  const [director] = spec.directors;
  assert.ok(director !== undefined);
  const questions = questionsForDirector(director);

  test("asks for what a design is compared with, by a script that the shell takes", () => {
    for (const machine of design.directors ?? []) {
      for (const { path } of machine.files) assert.ok(questions.files.includes(path), path);
      for (const name of machine.packages) assert.ok(questions.packages.includes(name), name);
    }
    assert.ok(questions.files.includes(DIRECTOR_STAMP_PATH));
    assert.equal(spawnSync("sh", ["-n"], { input: lookScript(questions) }).status, 0);
    assert.deepEqual(questionsFor(spec).sharedSecrets, questions.sharedSecrets);
  });

  test("reads whether a secret is the same, and whether others may read it; never the secret", () => {
    const lines = ["shared /a\t600 0 aa", "shared /b\t640 0 bb", "shared /c\t600 1000 cc", "end\tend", ""];
    const { sharedSecrets } = readLook("d1", lines.join("\n"), [0, 0]).system;
    assert.deepEqual(
      [...(sharedSecrets ?? [])],
      [
        ["/a", { digest: "aa", private: true }],
        ["/b", { digest: "bb", private: false }],
        ["/c", { digest: "cc", private: false }],
      ],
    );
    assert.doesNotMatch(lookScript(questions), /cat "?\/etc\/holdfast\/director.secret/);
  });
});
