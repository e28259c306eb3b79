/** The link as files of sysfs: a double that writes down what is written, in order. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hushGroup } from "../linux/hush-filter.ts";
import { hushLink, type LinkFiles } from "./address.ts";
import { seeLink } from "./observe.ts";

const GROUP = hushGroup(0);

interface FakeLink extends LinkFiles {
  readonly written: string[];
  readonly state: Map<string, string>;
}

function fakeLink(flags: string, group: string, fails: (write: string) => boolean = () => false): FakeLink {
  const written: string[] = [];
  const state = new Map([
    ["flags", `${flags}\n`],
    ["netdev_group", `${group}\n`],
  ]);
  return {
    written,
    state,
    read: (name) => Promise.resolve(state.get(name) ?? ""),
    write: (name, text) => {
      written.push(`${name} ${text}`);
      if (fails(`${name} ${text}`)) return Promise.reject(new Error(`${name}: EBUSY`));
      state.set(name, text);
      return Promise.resolve();
    },
    filtered: () => Promise.resolve(),
  };
}

describe("a hush", () => {
  test("into the group, up, down, out of the group", async () => {
    const link = fakeLink("0x1002", "0");
    assert.equal(await hushLink(1, GROUP, link), true);
    assert.deepEqual(link.written, ["netdev_group 16", "flags 0x1003", "flags 0x1002", "netdev_group 0"]);
  });

  test("is not sent by a link that serves, or holds requests: nothing is touched", async () => {
    for (const group of ["0", "7"]) {
      const link = fakeLink("0x1003", group);
      assert.equal(await hushLink(1, GROUP, link), false);
      assert.deepEqual(link.written, []);
    }
  });

  test("without its filter the link stays down", async () => {
    const link = { ...fakeLink("0x1002", "0"), filtered: () => Promise.reject(new Error("not loaded")) };
    await assert.rejects(hushLink(1, GROUP, link), /not loaded/);
    assert.deepEqual(link.written, []);
  });

  test("a link that an agent has left up in a hush goes down first: only a link that comes up is heard", async () => {
    const link = fakeLink("0x1003", "8");
    assert.equal(await hushLink(1, GROUP, link), true);
    assert.deepEqual(link.written, [
      "flags 0x1002",
      "netdev_group 16",
      "flags 0x1003",
      "flags 0x1002",
      "netdev_group 0",
    ]);
  });

  test("that fails anywhere leaves the link down, or up in a group where nothing gets through", async () => {
    for (const failing of ["netdev_group 16", "flags 0x1003", "flags 0x1002", "netdev_group 0"]) {
      const link = fakeLink("0x1002", "0", (write) => write === failing);
      await assert.rejects(hushLink(1, GROUP, link), /EBUSY/, failing);
      const up = (Number(link.state.get("flags")) & 1) === 1;
      assert.ok(!up || link.state.get("netdev_group") === "16", failing);
    }
  });
});

test("a link is not taken for serving in a hush, whenever in it one looks", async () => {
  // The states that a hush goes through; each question is answered by a later one or the same.
  const during = [
    [false, 0],
    [false, GROUP],
    [true, GROUP],
    [false, GROUP],
    [false, 0],
  ] as const;
  const ats = during.map((_, index) => index);
  for (const first of ats)
    for (const second of ats.slice(first))
      for (const third of ats.slice(second)) {
        const order = [first, second, third];
        const next = (): (typeof during)[number] => during[order.shift() ?? 0] ?? [true, 0];
        const seen = await seeLink({
          isUp: () => Promise.resolve(next()[0]),
          group: () => Promise.resolve(next()[1]),
        });
        assert.equal(seen.up, false, `${first} ${second} ${third}`);
      }
  const serving = { isUp: () => Promise.resolve(true), group: () => Promise.resolve(0) };
  assert.deepEqual(await seeLink(serving), { up: true, group: 0 });
});
