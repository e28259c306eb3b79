import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { Fault } from "../base/fault.ts";
import { TEXT_BYTES_MAX } from "../model/source.ts";
import { defaultPlaces, fileOption, readSpecFile, readSpecText, type SpecPlaces } from "./spec-file.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-spec-"));
after(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function places(candidates: readonly string[], lab = join(folder, "none")): SpecPlaces & { readonly notes: string[] } {
  const notes: string[] = [];
  return { candidates, lab, notes, note: (line) => void notes.push(line) };
}

const refuses = (path: string | undefined, code: string, says: RegExp, where = places([])) =>
  assert.rejects(
    readSpecFile(path, where),
    (error) =>
      error instanceof Fault &&
      error.kind === "invalid" &&
      error.code === code &&
      says.test(`${error.message} ${error.remedy}`),
  );

describe("a spec is found", () => {
  const good = write("good.yaml", SAMPLE_SPEC);

  test("by its name, and read", async () => {
    const file = await readSpecFile(good);
    assert.equal(file.path, good);
    assert.equal(file.text, SAMPLE_SPEC);
    assert.equal(file.spec.cluster.name, "lab");
    assert.equal(fileOption({ file: good }), good);
    assert.equal(fileOption({}), undefined);
  });

  test("in the first of the usual places that has one", async () => {
    assert.equal((await readSpecText(undefined, places([join(folder, "none"), good]))).path, good);
    assert.deepEqual(defaultPlaces().candidates, ["holdfast.yaml", "/etc/holdfast/holdfast.yaml"]);
  });

  test("in a running lab, and that is said", async () => {
    const where = places([join(folder, "none")], good);
    assert.equal((await readSpecText(undefined, where)).path, good);
    assert.deepEqual(where.notes, [`using the lab's spec ${good}`]);
  });

  test("nowhere: says where it looked", () =>
    refuses(undefined, "spec-missing", /neither x\.yaml.*-f FILE/, places(["x.yaml"])));
});

describe("what cannot be read is refused", () => {
  test("no such file", () => refuses(join(folder, "none"), "spec-missing", /there is no file/));
  test("a folder", () => {
    mkdirSync(join(folder, "sub"));
    return refuses(join(folder, "sub"), "spec-unreadable", /is a folder.*sub\/holdfast\.yaml/);
  });
  test("more than a mebibyte, by its size alone", () =>
    refuses(write("large", new Uint8Array(TEXT_BYTES_MAX + 1)), "spec-too-large", /larger than/));
  test("an endless device", () => refuses("/dev/zero", "spec-too-large", /larger than/));
  test("not UTF-8", () => refuses(write("latin", new Uint8Array([0x61, 0xe9, 0x0a])), "spec-not-text", /UTF-8/));
  test("not a spec, with its problems", () =>
    refuses(
      write("bad.yaml", sampleWith(["name: home", "name: Home"])),
      "invalid-spec",
      /bad\.yaml:10:11 {2}fileservers\[0\]\.name/,
    ));
});

test("the ssh configuration lies beside the spec, in the home folder, or where it says", async () => {
  const configOf = async (config: string) =>
    (await readSpecFile(write("a.yaml", sampleWith(["ssh_config", config])))).spec.cluster.ssh.config;
  assert.equal(await configOf("ssh_config"), join(folder, "ssh_config"));
  assert.equal(await configOf("~/x"), join(homedir(), "x"));
  assert.equal(await configOf("/etc/x"), "/etc/x");
  const without = await readSpecFile(write("a.yaml", sampleWith(["  ssh: { config: ssh_config }\n", ""])));
  assert.deepEqual(without.spec.cluster.ssh, {});
});
