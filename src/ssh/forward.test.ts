import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

  test("a node that cannot be reached: what ssh said, and how to try by hand", async () => {
    const configPath = configWith("/bin/sh -c 'echo no way there >&2; exit 1'");
    await assert.rejects(
      forwardSocket({ host: "n1", remoteSocket: "/run/x.sock", configPath, timeoutMs: BOUND_MS }),
      (error) => {
        assert.ok(error instanceof Fault && error.code === "node-unreachable");
        assert.match(error.message, /^n1 cannot be reached by ssh: .*no way there/s);
        assert.equal(error.remedy, `try: ssh -F ${configPath} n1 true`);
        return true;
      },
    );
  });

  test("a node that says nothing is given up at the bound", async () => {
    // Ends with its input, so with ssh.
    const configPath = configWith("/bin/sh -c 'cat >/dev/null'");
    await assert.rejects(
      forwardSocket({ host: "n1", remoteSocket: "/run/x.sock", configPath, timeoutMs: 300 }),
      (error) => error instanceof Fault && error.code === "node-unreachable",
    );
  });
});
