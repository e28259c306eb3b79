import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Fault } from "../base/fault.ts";
import { expectCommands, recorded } from "../../tests/expected-commands.ts";
import { openSystemId } from "./system-id.ts";

const folder = mkdtempSync(join(tmpdir(), "hf-system-id-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const asked = { run: "lvm systemid", stdout: recorded("lvm/systemid.txt") };

describe("this machine's system ID", () => {
  test("as LVM says it; asked once", async () => {
    const commands = expectCommands(asked);
    const systemId = openSystemId(commands, [join(folder, "none")]);
    assert.equal(await systemId(), "n1");
    assert.equal(await systemId(), "n1");
    commands.assertAllRan();
  });

  test("asked again when the configuration was written", async () => {
    const path = join(folder, "lvmlocal.conf");
    const commands = expectCommands(asked, { ...asked, stdout: "  system ID: other\n" });
    const systemId = openSystemId(commands, [path]);
    assert.equal(await systemId(), "n1");
    writeFileSync(path, 'local { system_id = "other" }');
    assert.equal(await systemId(), "other");
    commands.assertAllRan();
  });

  test("a machine without one is refused, each time anew: its groups would be everybody's", async () => {
    const commands = expectCommands({ ...asked, stdout: "  system ID: \n" }, { ...asked, stdout: "" });
    const systemId = openSystemId(commands, []);
    for (const turn of [1, 2])
      await assert.rejects(
        systemId(),
        (error) => error instanceof Fault && error.code === "system-id-missing",
        `${turn}`,
      );
    commands.assertAllRan();
  });
});
