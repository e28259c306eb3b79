import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { expectCommands } from "../../tests/expected-commands.ts";
import { matchesGolden } from "../../tests/golden.ts";
import { sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { VolumeAction } from "../plan/plan.ts";
import { LRM_SECRETS } from "./look.ts";
import { nodeShell, nodeShells, REFUSED_STATUS } from "./node-shell.ts";
import { putProgram } from "./program-source.ts";
import {
  AUTHKEY_BYTES,
  authkeyFrom,
  installScript,
  makeVolumeScript,
  secretsScript,
  systemIdScript,
  writeSpec,
} from "./system-deeds.ts";
import { dropKeysScript, retireScript } from "./retire.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-deeds-"));
after(() => rmSync(folder, { recursive: true }));

const volume: VolumeAction = {
  kind: "make-volume",
  node: "n1",
  fileserver: "home",
  volume: "data",
  device: "home/data",
  disks: ["/dev/disk/by-id/wwn-0x1"],
  filesystem: "xfs",
  overwrites: [],
  because: "it does not exist",
};

describe("scripts for a node", () => {
  const scripts = {
    "install-packages": installScript(["corosync", "pacemaker"]),
    "set-system-id": systemIdScript("n1"),
    "make-volume": makeVolumeScript(volume),
    "make-volume-consented": makeVolumeScript({ ...volume, overwrites: volume.disks }),
    "make-disk": makeVolumeScript({ ...volume, device: "/dev/disk/by-id/wwn-0x2", disks: [], filesystem: "ext4" }),
    retire: retireScript(),
    "drop-keys": dropKeysScript(loadSpec(sampleWith(), "sample"), "00ab"),
  };
  for (const [name, text] of Object.entries(scripts)) {
    test(`${name} is what it was, and every POSIX shell takes it`, () => {
      matchesGolden(`apply/${name}.sh.txt`, text);
      assert.equal(spawnSync("sh", ["-n"], { input: text }).status, 0);
    });
  }

  test("a disk that nobody consented to losing is looked at once more before anything is written", () => {
    assert.match(scripts["make-volume"], /\nclean \/dev\/disk\/by-id\/wwn-0x1\n/);
    assert.doesNotMatch(scripts["make-volume"], /wipefs/);
    assert.match(scripts["make-volume-consented"], /\nwipefs --all --quiet \/dev\/disk\/by-id\/wwn-0x1\n/);
    assert.ok(scripts["make-volume"].indexOf("\nclean ") < scripts["make-volume"].indexOf("vgcreate"));
  });
});

describe("secrets of fence devices", () => {
  const file = join(folder, "ipmi.secret");
  const lrm = join(folder, "secrets");
  const run = (mode: number) => {
    writeFileSync(file, 'username=root\n# a comment\nn1.password=it\'s = "one"\nn2.password=two\nb/d=x\n');
    chmodSync(file, mode);
    const script = secretsScript(file, [
      { id: "fence-ipmilan-n1", nodes: ["n1"] },
      { id: "fence-pdu", nodes: ["n1", "n2"] },
    ]);
    return spawnSync("sh", ["-s"], { input: script.replaceAll(LRM_SECRETS, lrm), encoding: "utf8" });
  };

  test("go from the file to where fenced looks, each device's own, as cibsecret writes them", () => {
    const result = run(0o600);
    assert.equal(result.status, 0, result.stderr);
    const read = (path: string): string => readFileSync(join(lrm, path), "utf8");
    assert.equal(read("fence-ipmilan-n1/password"), 'it\'s = "one"\n');
    assert.match(read("fence-ipmilan-n1/password.sign"), /^[0-9a-f]{32}\n$/);
    assert.equal(read("fence-ipmilan-n1/username"), "root\n");
    assert.throws(() => read("fence-pdu/password"), "an option for one node is nobody else's");
    assert.equal(result.stdout, "", "nothing of them is printed");
  });

  test("are refused where others can read them", () => {
    const result = run(0o640);
    assert.equal(result.status, REFUSED_STATUS);
    assert.match(result.stderr, /can be read by others/);
  });
});

describe("a node's shell", () => {
  test("writes a file whole, over stdin, with its mode", async () => {
    const door = expectCommands({
      run: {
        tool: "sh",
        args: [
          "-c",
          'set -e; umask 022; mkdir -p "$(dirname "/etc/x")"; umask 077; cat > "/etc/x.holdfast-new"; chmod 0400 "/etc/x.holdfast-new"; mv -f "/etc/x.holdfast-new" "/etc/x"',
        ],
      },
    });
    await nodeShell("n1", door).put("/etc/x", "secret", 0o400);
    door.assertAllRan();
  });

  test("says which node it was, and a script's refusal is a refusal", async () => {
    const failing = nodeShell("n1", expectCommands({ run: "sh -s", status: 1, stderr: "no space" }));
    await assert.rejects(failing.must("true\n", 1000, "writing"), {
      kind: "failed",
      message: /n1: writing .*no space/,
    });
    const refusing = nodeShell("n1", expectCommands({ run: "sh -s", status: REFUSED_STATUS, stderr: "older" }));
    await assert.rejects(refusing.must("true\n", 1000, "writing"), { kind: "refused", code: "node-refused" });
  });

  test("is reached by ssh with the spec's own configuration", async () => {
    const door = expectCommands({
      run: "ssh -F ssh_config -T -o BatchMode=yes n1 -- LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/bin/sh -s",
      stdout: "hello",
    });
    const open = nodeShells(loadSpec(sampleWith(), "sample"), door);
    assert.equal(await open("n1").must("echo hello\n", 1000, "greeting"), "hello");
  });

  test("refuses a spec that is older than what another apply wrote", async () => {
    const path = join(folder, "holdfast.yaml");
    const generation = join(folder, "generation");
    const door = {
      run: (command: { readonly args: readonly string[]; readonly input?: string | Uint8Array }) => {
        const local = (text: string): string =>
          text.replaceAll("/etc/holdfast/generation", generation).replaceAll("/etc/holdfast/holdfast.yaml", path);
        const args = command.args.map(local);
        const input = command.args[0] === "-s" ? local(String(command.input)) : command.input;
        const { status, stdout, stderr } = spawnSync("sh", args, { input, encoding: "utf8" });
        return Promise.resolve({ status: status ?? 1, stdout, stderr });
      },
    };
    const shell = nodeShell("n1", door);
    await writeSpec(shell, "first\n", "aaaa", 1);
    await writeSpec(shell, "second\n", "bbbb", 2);
    await assert.rejects(writeSpec(shell, "older\n", "cccc", 2), { kind: "refused" });
    assert.equal(readFileSync(path, "utf8"), "second\n");
    assert.equal(readFileSync(generation, "utf8"), "2 bbbb\n");
  });
});

test("a key is made of 2048 random bits", async () => {
  const [one, two] = await Promise.all([authkeyFrom(undefined, "x"), authkeyFrom(undefined, "x")]);
  assert.equal(one.length, AUTHKEY_BYTES);
  assert.notDeepEqual(one, two);
});

test("without a program to copy nothing is copied", async () => {
  const shell = nodeShell("n1", expectCommands());
  await assert.rejects(putProgram(shell, { kind: "none", why: "not built" }), { code: "program-missing" });
});
