import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { SAMPLE_SPEC, sampleWith } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { exportsText, foldersAbove, hostsText, nfsConfText, nfsdStart, servedPorts } from "./configuration.ts";

function firstOf(text: string): FileserverSpec {
  const [first] = loadSpec(text, "sample").fileservers;
  assert.ok(first !== undefined);
  return first;
}

const SAMPLE = firstOf(SAMPLE_SPEC);

/** Two volumes, one mounted deep, a folder below a volume exported, clients of both families. */
const LARGE = firstOf(
  sampleWith([
    `      - { name: data, device: home/data, filesystem: xfs }
    exports:
      - path: /export/data
        volume: data
        clients: [{ match: 10.77.0.0/24, options: [rw] }]
`,
    `      - { name: data, device: home/data, filesystem: xfs }
      - { name: deep, device: home/deep, filesystem: ext4, mount: /srv/a/b }
    exports:
      - path: /export/data
        volume: data
        clients: [{ match: 10.77.0.0/24, options: [rw] }, { match: "fd77::/64", options: [ro] }]
      - path: /export/data/sub
        volume: data
        clients: [{ match: "*.lab.example", options: [rw, no_root_squash] }]
      - path: /srv/a/b
        volume: deep
        fsid: 11111111-2222-8333-8444-555555555555
        clients: [{ match: 10.77.0.0/24, options: [rw] }]
`,
  ]),
);

/** "path client(options)" of each client of each line, as exports(5) reads them. */
function entriesOf(text: string): readonly { path: string; client: string; options: readonly string[] }[] {
  return text
    .trimEnd()
    .split("\n")
    .flatMap((line) => {
      const [path = "", ...clients] = line.split(" ");
      return clients.map((word) => {
        const match = /^(.+)\((.*)\)$/.exec(word);
        assert.ok(match !== null, `${word} is no client of exports(5)`);
        return { path, client: match[1] ?? "", options: (match[2] ?? "").split(",") };
      });
    });
}

describe("exports", () => {
  test("of the sample, and of one with several volumes, folders and families", () => {
    matchesGolden("nfs/exports.txt", exportsText(SAMPLE, "lab"));
    matchesGolden("nfs/exports-large.txt", exportsText(LARGE, "lab"));
  });

  test("every entry has its fsid, and no two paths share one", () => {
    const entries = entriesOf(exportsText(LARGE, "lab"));
    const pathOf = new Map<string, string>();
    for (const { path, options } of entries) {
      const fsids = options.filter((option) => option.startsWith("fsid="));
      assert.equal(fsids.length, 1, `${path} has one fsid`);
      const [fsid = ""] = fsids;
      assert.equal(pathOf.get(fsid) ?? path, path, `${fsid} stands for two paths`);
      pathOf.set(fsid, path);
    }
  });

  test("folders above are read-only, for every client of any export", () => {
    const entries = entriesOf(exportsText(LARGE, "lab"));
    const clients = new Set(entries.map(({ client }) => client));
    for (const folder of foldersAbove(LARGE)) {
      const own = entries.filter(({ path }) => path === folder);
      assert.deepEqual(new Set(own.map(({ client }) => client)), clients);
      for (const { options } of own) assert.ok(options.includes("ro") && options.includes("root_squash"));
    }
  });

  test("the same on every node, and another cluster's or fileserver's folders differ", () => {
    assert.equal(exportsText(LARGE, "lab"), exportsText(LARGE, "lab"));
    const [folder] = exportsText(SAMPLE, "lab").split("\n");
    assert.notEqual(folder, exportsText(SAMPLE, "other").split("\n")[0]);
    assert.notEqual(folder, exportsText(firstOf(sampleWith(["name: home", "name: house"])), "lab").split("\n")[0]);
  });
});

test("folders above: proper parents once each, parents before children, without the root", () => {
  assert.deepEqual(foldersAbove(LARGE), ["/export", "/srv", "/srv/a"]);
});

test("nfs.conf", () => {
  matchesGolden("nfs/nfs.conf", nfsConfText(SAMPLE));
  const only4 = nfsConfText(firstOf(sampleWith(["interface: eth1", "interface: eth1\n    protocols: [v4]"])));
  assert.match(only4, /^vers3=n$/m);
  assert.match(only4, /^vers4=y$/m);
});

test("hosts: the fileserver's name first, for both families", () => {
  assert.equal(
    hostsText(SAMPLE, "127.0.0.1 localhost\n"),
    "10.77.0.50 home.lab.example\nfd77::50 home.lab.example\n127.0.0.1 localhost\n",
  );
});

test("what starts nfsd: its threads last", () => {
  assert.deepEqual(nfsdStart(SAMPLE), [
    ["nfsv4leasetime", "15"],
    ["nfsv4gracetime", "20"],
    ["versions", "-2 +3 +4 -4.0 +4.1 +4.2"],
    ["portlist", "tcp 2049"],
    ["threads", "16"],
  ]);
  const versions = (change: Partial<typeof SAMPLE>): string | undefined =>
    new Map(nfsdStart({ ...SAMPLE, ...change })).get("versions");
  assert.equal(versions({ protocols: ["v3"] }), "-2 +3 -4");
  assert.equal(versions({ protocols: ["v4"] }), "-2 -3 +4 -4.0 +4.1 +4.2");
  assert.equal(versions({ nfs: { ...SAMPLE.nfs, allowV40: true } }), "-2 +3 +4 +4.0 +4.1 +4.2");
});

test("ports of lasting connections: lockd's only with NFSv3", () => {
  assert.deepEqual(servedPorts(SAMPLE), [2049, 4001]);
  assert.deepEqual(servedPorts({ ...SAMPLE, protocols: ["v4"] }), [2049]);
});
