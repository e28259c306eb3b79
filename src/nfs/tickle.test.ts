import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProcNetTcp } from "../linux/proc-net-tcp.ts";
import { recorded } from "../../tests/expected-commands.ts";
import { connectionsOf, tickleInput } from "./tickle.ts";

const connections = ["linux/tcp.txt", "linux/tcp6.txt"].flatMap((name) => parseProcNetTcp(recorded(name)));

test("connections of the ports that clients keep open; mountd's are left out", () => {
  const served = connectionsOf(connections, [2049, 4001]);
  assert.deepEqual(
    served.map((one) => `${one.remoteAddress} ${one.localPort}`),
    ["10.77.0.21 2049", "10.77.0.21 4001", "fd77::21 2049"],
  );
});

test("connections of the node with itself are left out", () => {
  const local = parseProcNetTcp(recorded("linux/tcp6-mapped.txt"));
  assert.deepEqual(connectionsOf(local, [43913]), []);
});

test("a line per connection, the fileserver first; IPv6 without brackets", () => {
  assert.equal(
    tickleInput(connectionsOf(connections, [2049, 4001])),
    "10.77.0.50:2049 10.77.0.21:60024\n10.77.0.50:4001 10.77.0.21:57386\nfd77::50:2049 fd77::21:41864\n",
  );
  assert.equal(tickleInput([]), "");
});
