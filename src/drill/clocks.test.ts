import assert from "node:assert/strict";
import { test } from "node:test";
import { parseClockOffsetMs, timelineZeroUs } from "./clocks.ts";

/** As ping of iputils (Debian 13) printed it in a lab. */
const PRINTED = `PING 10.77.0.11 (10.77.0.11) 56(124) bytes of data.
64 bytes from 10.77.0.11: icmp_seq=1 ttl=64 time=16.9 ms
TS: \t10.77.0.21\t32325167 absolute
\t10.77.0.11\t-1531
\t10.77.0.11\t3
\t10.77.0.21\t1544

64 bytes from 10.77.0.11: icmp_seq=2 ttl=64 time=2.47 ms
TS: \t10.77.0.21\t32325467 absolute
\t10.77.0.11\t-1541
\t10.77.0.11\t0
\t10.77.0.21\t1544

64 bytes from 10.77.0.11: icmp_seq=3 ttl=64 time=4.80 ms
TS: \t10.77.0.21\t32325769 absolute
\t10.77.0.11\t-1540
\t10.77.0.11\t1
\t10.77.0.21\t1544

--- 10.77.0.11 ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 604ms
`;

test("the offset is the median over the replies", () => assert.equal(parseClockOffsetMs(PRINTED), -1542));

test("no reply, or one without the four stamps, tells nothing", () => {
  assert.equal(parseClockOffsetMs("3 packets transmitted, 0 received\n"), undefined);
  assert.equal(parseClockOffsetMs("TS: \t10.77.0.21\t32325167 absolute\n\t10.77.0.11\t-1531\n"), undefined);
  assert.equal(parseClockOffsetMs(PRINTED.replaceAll("-15", "-864015")), undefined);
});

test("a timeline's zero on the client's clock", () => {
  const header = { kind: "write", intervalMs: 40, startUs: 5_000_000, wallMs: 1_000_000 };
  const timeline = { id: "m", kind: "move", fileserver: "home", node: "n1", outcome: "done", steps: [] } as const;
  // The node's clock is 2 s behind: what it calls 1,008.5 s the client calls 1,010.5 s, 10.5 s after its start.
  assert.equal(timelineZeroUs({ ...timeline, startedAtMs: 1_008_500 }, -2000, header), 15_500_000);
});
