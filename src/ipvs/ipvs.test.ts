import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { expectCommands, recorded } from "../../tests/expected-commands.ts";
import { matchesGolden } from "../../tests/golden.ts";
import { Fault } from "../base/fault.ts";
import type { FlowRule, IpvsService } from "../model/director-table.ts";
import { parseConnectionFile } from "./connection-file.ts";
import { flowFilterText } from "./flow-filter.ts";
import { parseDaemons, parseListed, parseSaved, restoreText } from "./ipvsadm.ts";
import {
  applyEdits,
  loadFilter,
  loadIpvs,
  readCounts,
  readTable,
  routeTo,
  setTimeouts,
  startSync,
  tableDiffers,
  takeAddress,
} from "./kernel.ts";

const HOME = 1212580532;
const BACK = "169.254.236.27";
const BACK6 = "fd06:21e6:8ac8:0:e708:88ec:e221:fb75";

describe("what ipvsadm prints", () => {
  test("the table", () => {
    assert.deepEqual(parseSaved(recorded("ipvs/save.txt")), [
      { mark: HOME, family: 4, scheduler: "rr", servers: [{ address: BACK, weight: 1 }] },
      { mark: HOME, family: 6, scheduler: "rr", servers: [{ address: BACK6, weight: 1 }] },
      {
        mark: 101,
        family: 4,
        scheduler: "wlc",
        persistentS: 360,
        servers: [
          { address: "10.77.0.71", weight: 100 },
          { address: "10.77.0.72", weight: 0 },
        ],
      },
    ]);
    assert.deepEqual(parseSaved(""), []);
  });

  test("what it does not print is not taken for an empty table", () => {
    for (const text of [
      "Can't initialize ipvs: Protocol not available",
      "-A -f 7 -s rr\n-a -f 7 -r nonsense -g -w 1",
      "-a -f 7 -r 10.0.0.1:0 -g -w 1",
    ]) {
      assert.throws(
        () => parseSaved(text),
        (error) => error instanceof Fault && error.code === "ipvsadm-not-understood",
      );
    }
  });

  test("connections of each server", () => {
    assert.deepEqual(
      parseListed(recorded("ipvs/list.txt")).map(({ mark, family, address, active, inactive }) => [
        mark,
        family,
        address,
        active,
        inactive,
      ]),
      [
        [101, 4, "10.77.0.71", 2, 1],
        [101, 4, "10.77.0.72", 0, 0],
        [HOME, 4, BACK, 3, 2],
        [HOME, 6, BACK6, 1, 0],
      ],
    );
  });

  test("each connection, without templates", () => {
    const found = parseConnectionFile(recorded("ipvs/connection-file.txt"));
    assert.deepEqual(
      found.map(
        ({ protocol, state, client, virtual }) =>
          `${protocol} ${state} ${client.address} ${client.port} ${virtual.port}`,
      ),
      [
        "tcp ESTABLISHED 10.77.0.21 771 2049",
        "tcp FIN_WAIT 10.77.0.21 40312 111",
        "udp UDP 10.77.0.21 870 662",
        "tcp ESTABLISHED fd77::21 902 2049",
      ],
    );
    assert.equal(found[3]?.server.address, BACK6);
    assert.throws(() => parseConnectionFile("something else"), /not understood/);
  });

  test("sync daemons", () => {
    assert.deepEqual(parseDaemons(recorded("ipvs/daemons.txt")), ["master"]);
    assert.deepEqual(parseDaemons(""), []);
  });
});

const service: fc.Arbitrary<IpvsService> = fc
  .record({
    mark: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    family: fc.constantFrom(4, 6),
    scheduler: fc.constantFrom("rr", "wlc"),
    persistentS: fc.option(fc.integer({ min: 1, max: 900 }), { nil: undefined }),
    last: fc.uniqueArray(fc.integer({ min: 1, max: 254 }), { maxLength: 4 }),
    weight: fc.integer({ min: 0, max: 65_535 }),
  })
  .map(({ mark, family, scheduler, persistentS, last, weight }) => ({
    mark,
    family,
    scheduler,
    ...(persistentS === undefined ? {} : { persistentS }),
    servers: last.map((number) => ({
      address: family === 4 ? `10.0.0.${number}` : `fd77::${number.toString(16)}`,
      weight,
    })),
  }));

describe("what ipvsadm restores from", () => {
  test("every kind of line", () => {
    const key = { mark: 7, family: 4 } as const;
    const six = { mark: 7, family: 6 } as const;
    assert.equal(
      restoreText([
        { edit: "add-service", service: { ...key, scheduler: "rr" } },
        { edit: "change-service", service: { ...six, scheduler: "wlc", persistentS: 360 } },
        { edit: "delete-service", service: six },
        { edit: "delete-server", service: key, server: { address: "10.0.0.1" } },
        { edit: "add-server", service: six, server: { address: "fd77::1", weight: 3 } },
        { edit: "change-server", service: key, server: { address: "10.0.0.2", weight: 0 } },
      ]),
      `-A -f 7 -s rr
-E -f 7 -6 -s wlc -p 360
-D -f 7 -6
-d -f 7 -r 10.0.0.1:0
-a -f 7 -6 -r [fd77::1]:0 -g -w 3
-e -f 7 -r 10.0.0.2:0 -g -w 0
`,
    );
  });

  test("what builds a table is what a table is saved as", () => {
    fc.assert(
      fc.property(fc.uniqueArray(service, { selector: ({ mark, family }) => `${mark} ${family}` }), (table) => {
        const text = restoreText(
          table.flatMap(({ servers, ...settings }) => [
            { edit: "add-service" as const, service: settings },
            ...servers.map((server) => ({ edit: "add-server" as const, service: settings, server })),
          ]),
        );
        assert.deepEqual(parseSaved(text), table);
      }),
    );
  });
});

const RULES: readonly FlowRule[] = [
  {
    mark: HOME,
    interface: "eth1",
    addresses: [
      { family: 4, address: "10.77.0.50" },
      { family: 6, address: "fd77::50" },
    ],
    held: false,
    resets: true,
  },
  { mark: 1212561035, interface: "eth1", addresses: [{ family: 4, address: "10.77.0.60" }], held: true, resets: true },
];

describe("the packet filter", () => {
  test("as text", () => matchesGolden("ipvs/flow-filter.txt", flowFilterText(RULES)));

  test("without resets nothing is answered", () => {
    const text = flowFilterText(RULES.map((rule) => ({ ...rule, resets: false })));
    assert.ok(!text.includes("reject"));
  });
});

describe("deeds", () => {
  test("looking", async () => {
    const commands = expectCommands(
      { run: "ipvsadm --save --numeric", stdout: recorded("ipvs/save.txt") },
      { run: "ipvsadm --list --numeric", stdout: recorded("ipvs/list.txt") },
    );
    assert.equal((await readTable(commands)).length, 3);
    assert.equal((await readCounts(commands)).length, 4);
    commands.assertAllRan();
  });

  test("edits: none starts nothing, and a refused line is a fault whatever the status says", async () => {
    const edits = [{ edit: "delete-service", service: { mark: 7, family: 4 } }] as const;
    await applyEdits(expectCommands(), []);
    await applyEdits(expectCommands({ run: "ipvsadm --restore" }), edits);
    await assert.rejects(
      applyEdits(expectCommands({ run: "ipvsadm --restore", stderr: "No such service\n" }), edits),
      /No such service/,
    );
  });

  test("a machine is made ready", async () => {
    const commands = expectCommands(
      { run: "modprobe -a ip_vs ip_vs_rr" },
      { run: "ipvsadm --set 900 30 60" },
      { run: "ipvsadm --list --daemon", stdout: recorded("ipvs/daemons.txt") },
      { run: "ipvsadm --start-daemon backup --mcast-interface eth1 --syncid 229" },
      { run: "ip address replace 10.77.0.50/32 dev eth1" },
      { run: "ip address replace fd77::50/128 dev eth1 nodad preferred_lft 0" },
      { run: `ip route replace ${BACK}/32 dev eth1 src 10.77.0.31` },
      { run: `ip -6 route replace ${BACK6}/128 dev eth1` },
      { run: "nft -f -" },
    );
    await loadIpvs(commands);
    const kernel = {
      expireNodestConn: true,
      expireQuiescentTemplate: true,
      tcpTimeoutS: 900,
      tcpFinTimeoutS: 30,
      udpTimeoutS: 60,
    };
    await setTimeouts(commands, kernel);
    await startSync(commands, "eth1", 229);
    await takeAddress(commands, "eth1", "10.77.0.50");
    await takeAddress(commands, "eth1", "fd77::50");
    await routeTo(commands, "eth1", BACK, "10.77.0.31");
    await routeTo(commands, "eth1", BACK6, "10.77.0.31");
    await loadFilter(commands, flowFilterText(RULES));
    commands.assertAllRan();
    assert.equal(tableDiffers().code, "table-differs");
  });
});
