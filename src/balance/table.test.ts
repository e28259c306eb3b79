import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { defined } from "../base/assert.ts";
import type { DirectorSpec } from "../model/director-spec.ts";
import type { IpvsEdit, IpvsService } from "../model/director-table.ts";
import { loadSpec } from "../model/load.ts";
import { changeText, firstOutlook, takeNews, type ServerNews, type ServiceOutlook } from "./outlook.ts";
import { flowRules, isOurMark, serversInForce, serversTakenOut, tableEdits, wantedTable } from "./table.ts";

const director: DirectorSpec = defined(
  loadSpec(
    `${SAMPLE_SPEC}directors:
  - name: lb
    machines: [{ name: d1, address: 10.77.0.31 }]
    services:
      - fileserver: home
        servers: [{ name: n1, address: [10.77.0.61, fd77::61] }, { name: n2, address: [10.77.0.62, fd77::62] }]
      - name: copies
        flow: { interface: eth1, address: 10.77.0.60/24 }
        scheduler: wrr
        servers: [{ name: a, address: 10.77.0.71 }, { name: b, address: 10.77.0.72, weight: 50 }]
`,
    "spec",
  ).directors[0],
  "the director",
);
const home = defined(director.services[0], "home");
const copies = defined(director.services[1], "copies");

/** What becomes of a service that hears this, one after the other. */
function after(news: readonly ServerNews[], service = home, inForce: readonly string[] = []): ServiceOutlook {
  return news.reduce((outlook, one) => takeNews(service, outlook, [one]).outlook, firstOutlook(service, inForce));
}

function outlooks(one: ServiceOutlook, two = firstOutlook(copies, [])): ReadonlyMap<string, ServiceOutlook> {
  return new Map([
    ["home", one],
    ["copies", two],
  ]);
}

const SERVES: readonly ServerNews[] = [
  { server: "n1", event: "answers", term: 3 },
  { server: "n2", event: "serves-not" },
];

describe("the wanted table", () => {
  test("one server for each family of a fileserver's address", () => {
    const table = wantedTable(director, outlooks(after(SERVES)));
    assert.deepEqual(
      table
        .filter(({ mark }) => mark === home.mark)
        .map(({ family, scheduler, servers }) => [family, scheduler, servers]),
      [
        [4, "rr", [{ address: "10.77.0.61", weight: 1 }]],
        [6, "rr", [{ address: "fd77::61", weight: 1 }]],
      ],
    );
  });

  test("spread: all that are up, with their weights, and each client stays with one", () => {
    const both = after(
      [
        { server: "a", event: "answers" },
        { server: "b", event: "answers" },
      ],
      copies,
    );
    const service = wantedTable(director, outlooks(after([]), both)).find(({ mark }) => mark === copies.mark);
    assert.equal(service?.scheduler, "wrr");
    assert.equal(service.persistentS, 360);
    assert.deepEqual(
      service.servers.map(({ weight }) => weight),
      [100, 50],
    );
  });

  test("a service that nobody serves is held", () => {
    const rules = flowRules(director, outlooks(after(SERVES)));
    assert.deepEqual(
      rules.map(({ held }) => held),
      [false, true],
    );
    assert.deepEqual(rules[0]?.addresses, [
      { family: 4, address: "10.77.0.50" },
      { family: 6, address: "fd77::50" },
    ]);
  });

  test("who serves is found in the table in force", () => {
    const table = wantedTable(director, outlooks(after(SERVES)));
    assert.deepEqual(serversInForce(home, table), ["n1"]);
    assert.deepEqual(serversInForce(copies, table), []);
  });
});

describe("a takeover", () => {
  const before = after(SERVES);
  const { outlook, changes } = takeNews(home, before, [
    { server: "n1", event: "serves-not" },
    { server: "n2", event: "told-opening", term: 4 },
    { server: "n2", event: "told-serving" },
  ]);

  test("is told in words", () => {
    assert.deepEqual(changes.map(changeText), [
      "home: n1 is wrong-role, was up: its agent says that it does not serve it",
      "home: n2 is starting, was wrong-role: its agent says that it is about to serve",
      "home: n2 is up, was starting: its agent has just opened it",
      "home: served by n2, before by n1: n2 is up",
    ]);
  });

  test("takes the old server out before the new one comes in, and names whose connections are reset", () => {
    const edits = tableEdits(wantedTable(director, outlooks(before)), wantedTable(director, outlooks(outlook)));
    assert.deepEqual(
      edits.map((edit) => `${edit.edit} ${"server" in edit ? edit.server.address : ""}`),
      ["delete-server 10.77.0.61", "add-server 10.77.0.62", "delete-server fd77::61", "add-server fd77::62"],
    );
    assert.deepEqual(serversTakenOut(edits), [
      { mark: home.mark, address: "10.77.0.61" },
      { mark: home.mark, address: "fd77::61" },
    ]);
  });
});

function without(service: IpvsService, address: string, wanted: boolean): IpvsService["servers"] {
  assert.equal(
    service.servers.some((server) => server.address === address),
    wanted,
    address,
  );
  return service.servers.filter((server) => server.address !== address);
}

/** What the kernel would make of the edits. */
function applied(table: readonly IpvsService[], edits: readonly IpvsEdit[]): readonly IpvsService[] {
  let now = [...table];
  const change = (key: { mark: number; family: 4 | 6 }, make: (service: IpvsService) => IpvsService) => {
    assert.ok(
      now.some((each) => each.mark === key.mark && each.family === key.family),
      "the service is there",
    );
    now = now.map((each) => (each.mark === key.mark && each.family === key.family ? make(each) : each));
  };
  for (const edit of edits) {
    const { service } = edit;
    if (edit.edit === "add-service") now.push({ ...edit.service, servers: [] });
    else if (edit.edit === "delete-service")
      now = now.filter((each) => each.mark !== service.mark || each.family !== service.family);
    else if (edit.edit === "change-service") change(service, (each) => ({ ...edit.service, servers: each.servers }));
    else if (edit.edit === "delete-server") {
      const { address } = edit.server;
      change(service, (each) => ({ ...each, servers: without(each, address, true) }));
    } else if (edit.edit === "add-server" || edit.edit === "change-server") {
      const { server } = edit;
      change(service, (each) => ({
        ...each,
        servers: [...without(each, server.address, edit.edit === "change-server"), server],
      }));
    }
    for (const each of now.filter(({ mark }) => mark === home.mark)) assert.ok(each.servers.length <= 1, "never two");
  }
  return now;
}

const someTable: fc.Arbitrary<readonly IpvsService[]> = fc
  .record({
    home: fc.option(fc.constantFrom("10.77.0.61", "10.77.0.62"), { nil: undefined }),
    homeThere: fc.boolean(),
    copies: fc.uniqueArray(
      fc.record({ address: fc.constantFrom("10.77.0.71", "10.77.0.72"), weight: fc.integer({ min: 0, max: 2 }) }),
      {
        selector: ({ address }) => address,
      },
    ),
    scheduler: fc.constantFrom("rr", "wrr"),
    stale: fc.boolean(),
  })
  .map(({ home: address, homeThere, copies: servers, scheduler, stale }) => [
    ...(homeThere
      ? [
          {
            mark: home.mark,
            family: 4 as const,
            scheduler: "rr",
            servers: address === undefined ? [] : [{ address, weight: 1 }],
          },
        ]
      : []),
    { mark: copies.mark, family: 4, scheduler, servers },
    ...(stale
      ? [{ mark: 0x4846ffff, family: 6 as const, scheduler: "wlc", servers: [{ address: "fd77::9", weight: 1 }] }]
      : []),
  ]);

describe("edits", () => {
  const canonical = (table: readonly IpvsService[]) =>
    table
      .map((service) => ({
        ...service,
        servers: service.servers.toSorted((a, b) => a.address.localeCompare(b.address)),
      }))
      .toSorted((a, b) => a.mark - b.mark || a.family - b.family);

  test("lead from any table to any other, and never through two servers for one fileserver", () => {
    fc.assert(
      fc.property(someTable, someTable, (from, to) => {
        assert.equal(JSON.stringify(canonical(applied(from, tableEdits(from, to)))), JSON.stringify(canonical(to)));
      }),
    );
  });

  test("no edit where nothing differs", () => {
    fc.assert(fc.property(someTable, (table) => assert.deepEqual(tableEdits(table, table), [])));
  });

  test("services of others are left alone", () => {
    const foreign: IpvsService = { mark: 101, family: 4, scheduler: "wlc", servers: [] };
    assert.ok(!isOurMark(foreign.mark) && isOurMark(home.mark));
    assert.deepEqual(tableEdits([foreign], []), []);
  });
});
