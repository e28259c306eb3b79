/** Who gets a filter on its parent, and how it is loaded and taken away. What it does was tried in network namespaces. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { expectCommands } from "../../tests/expected-commands.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { Directors } from "./directors.ts";
import { installParentMute, parentMuteText, removeParentMute, type HushedNode } from "./parent-mute.ts";
import { standbyFingerprint } from "./standby.ts";

const HOME = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;
const NODE: HushedNode = { engine: "pacemaker", reservationKey: "0xff00000000000011", timeScale: 10 };
const BEHIND_DIRECTOR = { ...NODE, directors: { side: () => ({}) } as unknown as Directors };
const V6_ONLY = { ...HOME, addresses: [{ family: 6, address: "fd77::50", prefixLength: 64 }] } as FileserverSpec;

describe("who has one", () => {
  test("a fileserver of a cluster that fences, on its own parent and for as long as a slow node needs", () => {
    const text = parentMuteText(NODE, HOME) ?? "";
    assert.match(text, new RegExp(`^table netdev holdfast_mute_${HOME.name}$`, "m"));
    assert.equal(text.match(new RegExp(`device "${HOME.interface}"`, "g"))?.length, 2);
    assert.match(text, /arp daddr ip 0\.0\.0\.17 /);
    assert.match(text, /timeout 50s$/m);
  });

  test("one with IPv6 addresses only, too", () => {
    assert.equal(parentMuteText(NODE, V6_ONLY), parentMuteText(NODE, HOME));
  });

  test("none behind a director, or where nobody is fenced", () => {
    assert.equal(parentMuteText(BEHIND_DIRECTOR, HOME), undefined);
    assert.equal(parentMuteText({ ...NODE, engine: "standalone" }, HOME), undefined);
  });

  test("a standby that was made with another one is made anew", () => {
    const made = standbyFingerprint(NODE, HOME);
    assert.notEqual(standbyFingerprint({ ...NODE, timeScale: 1 }, HOME), made);
    assert.notEqual(standbyFingerprint({ ...NODE, engine: "standalone" }, HOME), made);
    assert.equal(standbyFingerprint({ ...NODE }, HOME), made);
  });
});

describe("on the node", () => {
  let folder = "";
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "holdfast-mute-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const load = (): string => `nft --file ${folder}/parent-mute.nft`;

  test("it is loaded from a file beside the holder, again as often as is asked", async () => {
    const commands = expectCommands({ run: load() }, { run: load() });
    for (const _ of [1, 2]) assert.equal(await installParentMute({ ...NODE, commands }, HOME, folder), undefined);
    commands.assertAllRan();
    assert.equal(readFileSync(`${folder}/parent-mute.nft`, "utf8"), parentMuteText(NODE, HOME));
  });

  test("a kernel without egress hooks is told of, and is no reason to have no standby", async () => {
    const stderr = "Error: Could not process rule: Operation not supported";
    const commands = expectCommands({ run: load(), status: 1, stderr });
    const why = await installParentMute({ ...NODE, commands }, HOME, folder);
    assert.match(why ?? "", new RegExp(`^${HOME.interface} hears no hush: .*Operation not supported`));
  });

  test("where there should be none, nothing is started and nothing is said", async () => {
    const node = { ...BEHIND_DIRECTOR, commands: expectCommands() };
    assert.equal(await installParentMute(node, HOME, folder), undefined);
    assert.deepEqual(readdirSync(folder), []);
  });

  test("it is taken away by its name; what nft refuses is told", async () => {
    const args = [`add table netdev holdfast_mute_home; delete table netdev holdfast_mute_home`];
    const commands = expectCommands(
      { run: { tool: "nft", args } },
      { run: { tool: "nft", args }, status: 1, stderr: "busy" },
    );
    await removeParentMute({ commands }, "home");
    await assert.rejects(removeParentMute({ commands }, "home"), /busy/);
  });
});
