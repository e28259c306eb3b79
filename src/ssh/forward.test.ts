import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { forwardSocket } from "./forward.ts";

const BOUND_MS = 20_000;

describe("forwardSocket", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hf-ssh-test-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** ssh as it is installed, but with a program of ours where the network would be. */
  function configWith(proxyCommand: string): string {
    const path = join(folder, "ssh_config");
    writeFileSync(path, `Host n1\n  ProxyCommand ${proxyCommand}\n`);
    return path;
  }

  test("a node that cannot be reached: what ssh said, how to try by hand, and nothing left behind", async () => {
    const configPath = configWith("/bin/sh -c 'echo no way there >&2; exit 1'");
    const before = leftovers();
    await assert.rejects(
      forwardSocket({ host: "n1", remoteSocket: "/run/x.sock", configPath, timeoutMs: BOUND_MS }),
      (error) => {
        assert.ok(error instanceof Fault && error.code === "node-unreachable");
        assert.match(error.message, /^n1 cannot be reached by ssh: .*no way there/s);
        assert.equal(error.remedy, `try: ssh -F ${configPath} n1 true`);
        return true;
      },
    );
    assert.deepEqual(leftovers(), before);
  });

  test("a node that says nothing: given up at the bound, and ssh is ended", async () => {
    const pidFile = join(folder, "pid");
    const configPath = configWith(`/bin/sh -c 'echo $$ >${pidFile}; exec sleep 600'`);
    await assert.rejects(
      forwardSocket({ host: "n1", remoteSocket: "/run/x.sock", configPath, timeoutMs: 300 }),
      (error) => error instanceof Fault && error.code === "node-unreachable",
    );
  });
});

function leftovers(): readonly string[] {
  return readdirSync(tmpdir()).filter((name) => /^hf-[A-Za-z0-9]{6}$/.test(name));
}
