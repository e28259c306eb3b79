import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { loadSpec } from "../model/load.ts";
import { inconsistencies, type Wanted } from "./consistent.ts";
import { crashPoints } from "./crash-points.ts";
import { parseNodeFacts, type NodeFacts } from "./node-facts.ts";

const SPEC = loadSpec(SAMPLE_SPEC, "sample");
const HOME = SPEC.fileservers[0];
if (HOME === undefined) throw new Error("the sample has no fileserver");

/** As the script printed it on a node that serves home and media, in the lab. */
const SERVING = `status {"node":"n1","fileservers":[{"name":"home","state":"serving","nfsdThreads":16},{"name":"media","state":"serving","nfsdThreads":16}]}

nfsd 32
process sh net:[4026532305]
process rpcbind net:[4026532305]
process rpc.statd net:[4026532305]
process rpc.mountd net:[4026532305]
process nfsdcld net:[4026532305]
address 10.77.0.50 UP net:[4026532305]
address fd77::50 UP net:[4026532305]
active data
mount data mnt:[4026532303]
disk /dev/sda
key 0xd0900fc5899755e5
holder 0xd0900fc5899755e5
`;
const WARM = `status {"node":"n2","fileservers":[{"name":"home","state":"warm","nfsdThreads":0}]}
nfsd 0
process sh net:[4026532305]
process rpcbind net:[4026532305]
process rpc.statd net:[4026532305]
process rpc.mountd net:[4026532305]
address 10.77.0.50 DOWN net:[4026532305]
address fd77::50 DOWN net:[4026532305]
disk /dev/sda
key 0xd0900fc5899755e5
holder 0xd0900fc5899755e5
`;
const WANTED: Wanted = {
  fileserver: HOME,
  serving: "n1",
  keyOf: (node) => (node === "n1" ? "0xd0900fc5899755e5" : "0x2"),
};

function judged(serving: string, warm: string): readonly string[] {
  const nodes: readonly NodeFacts[] = [parseNodeFacts("n1", "home", serving), parseNodeFacts("n2", "home", warm)];
  return inconsistencies(WANTED, nodes);
}

describe("one consistent state", () => {
  test("is what was printed by two nodes of which one serves", () => assert.deepEqual(judged(SERVING, WARM), []));

  test("telling clients may still be under way", () => {
    const line = "process sm-notify net:[4026532305]\n";
    assert.deepEqual(judged(SERVING + line, WARM), []);
    assert.equal(judged(SERVING, WARM + line).length, 1);
  });

  const LEFT: readonly (readonly [what: string, add: string, says: string])[] = [
    ["a mount", "mount data mnt:[1]", "n2: volume data is mounted there too"],
    ["an active volume", "active data", "n2: volume data is active there too"],
    ["a key of its own", "key 0x2", "n2: /dev/sda has other keys registered: 0x2"],
    [
      "a file of a request",
      "left /run/holdfast/fs/home/request.a-1",
      "n2: /run/holdfast/fs/home/request.a-1 was left behind",
    ],
    ["a daemon of nobody", "stray rpcbind", "n2: rpcbind belongs to nobody"],
    ["a second link with the address", "address 10.77.0.50 DOWN net:[7]", "n2: 10.77.0.50 is configured in 2 places"],
    ["a crash that did not come", "crash-pending", "n2: the crash that was asked for has not come"],
  ];
  for (const [what, add, says] of LEFT) {
    test(`is not: ${what} on the other node`, () => assert.deepEqual(judged(SERVING, `${WARM}${add}\n`), [says]));
  }

  test("is not: an address that is up, threads that nobody knows, a second namespace, an agent that is silent", () => {
    assert.deepEqual(judged(SERVING, WARM.replace("fd77::50 DOWN", "fd77::50 UP")), ["n2: the link of fd77::50 is up"]);
    assert.match(
      judged(SERVING, WARM.replace("nfsd 0", "nfsd 16")).join(),
      /n2: nfsd runs 16 threads, the agent knows of 0/,
    );
    assert.match(
      judged(SERVING, WARM.replace("rpcbind net:[4026532305]", "rpcbind net:[9]")).join(),
      /2 network namespaces/,
    );
    assert.match(judged(SERVING, WARM.replace(/^status .*/, "status")).join(), /its agent says nothing, not warm/);
  });

  test("is not: served by nobody, or mounted twice, or reserved by the other", () => {
    assert.match(judged(WARM, WARM).join(), /n1: its agent says warm, not serving/);
    assert.match(
      judged(`${SERVING}mount data mnt:[8]\n`, WARM).join(),
      /n1: volume data is mounted in 2 mount namespaces/,
    );
    assert.match(judged(SERVING.replace("holder 0xd0900fc5899755e5", "holder 0x2"), WARM).join(), /is reserved by 0x2/);
    assert.match(
      judged(SERVING.replace("process rpcbind net:[4026532305]\n", ""), WARM).join(),
      /n1: its processes are/,
    );
  });

  test("cannot be told from what is not understood", () => {
    assert.throws(() => parseNodeFacts("n1", "home", `${SERVING}sh: 1: pvs: not found\n`), /n1 printed "sh: 1: pvs/);
  });
});

test("every step of the three runs is a crash point, once", () => {
  const points = crashPoints(HOME).map(({ run, step }) => `${run} ${step}`);
  assert.equal(new Set(points).size, points.length);
  for (const point of ["takeover open-address", "release hand-over-volume-group:data", "warm remove-namespaces"])
    assert.ok(points.includes(point), point);
});
