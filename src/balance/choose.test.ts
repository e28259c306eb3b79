import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { chooseServers, type ServerView, type ServiceView } from "./choose.ts";
import { HEALTH_EVENTS, HEALTH_STATES, mayBegin, mayStay, nextHealth, type HealthState } from "./health.ts";

const NAMES = ["a", "b", "c"];

const servers: fc.Arbitrary<readonly ServerView[]> = fc
  .array(
    fc.record(
      {
        state: fc.constantFrom(...HEALTH_STATES),
        weight: fc.integer({ min: 1, max: 3 }),
        term: fc.integer({ min: 1, max: 3 }),
      },
      { requiredKeys: ["state", "weight"] },
    ),
    { minLength: 1, maxLength: NAMES.length },
  )
  .map((list) => list.map((server, index) => ({ name: NAMES[index] ?? "", ...server })));

const services: fc.Arbitrary<ServiceView> = fc
  .record({
    decidedBy: fc.constantFrom("cluster", "director"),
    spread: fc.boolean(),
    failback: fc.constantFrom("manual", "preferred"),
    servers,
    inForce: fc.subarray([...NAMES, "last"], { maxLength: 1 }),
    withLast: fc.boolean(),
  })
  .map(({ withLast, ...view }): ServiceView => ({
    ...view,
    spread: view.spread && view.decidedBy === "director",
    ...(withLast && view.decidedBy === "director" ? { lastResort: "last" } : {}),
  }));

function stateOf(service: ServiceView, name: string): HealthState | undefined {
  return service.servers.find((server) => server.name === name)?.state;
}

describe("properties of every choice", () => {
  test("never two servers for one fileserver, nor for any service with failover", () => {
    fc.assert(
      fc.property(services, (service) => {
        const { serving } = chooseServers(service);
        assert.ok(service.spread || serving.length <= 1);
        assert.equal(new Set(serving).size, serving.length);
      }),
    );
  });

  test("the server of last resort only when nobody serves, and never beside another", () => {
    fc.assert(
      fc.property(services, (service) => {
        const { serving } = chooseServers(service);
        if (!serving.includes("last")) return;
        assert.deepEqual(serving, ["last"]);
        assert.ok(service.servers.every(({ state }) => !mayBegin(state)));
      }),
    );
  });

  test("whoever is down or in the wrong role gets nothing", () => {
    fc.assert(
      fc.property(services, (service) => {
        for (const name of chooseServers(service).serving) {
          const state = stateOf(service, name);
          assert.ok(name === "last" || (state !== undefined && mayStay(state)), name);
        }
      }),
    );
  });

  test("who did not have it gets it only when it may begin", () => {
    fc.assert(
      fc.property(services, (service) => {
        for (const name of chooseServers(service).serving) {
          if (service.inForce.includes(name) || name === "last") continue;
          assert.ok(mayBegin(stateOf(service, name) ?? "down"), name);
        }
      }),
    );
  });

  test("the choice is stable: asked again with it in force, nothing changes", () => {
    fc.assert(
      fc.property(services, (service) => {
        const { serving } = chooseServers(service);
        assert.deepEqual(chooseServers({ ...service, inForce: serving }).serving, serving);
      }),
    );
  });

  test("while nothing is known anew, a fileserver does not go to another node", () => {
    // Agents are away: a partition between director and cluster, or all agents restart.
    const silence = fc.constantFrom(...HEALTH_EVENTS.filter((event) => /unvouched|unchecked/.test(event)));
    const quiet = fc.array(fc.array(silence, { minLength: 3, maxLength: 3 }), { maxLength: 8 });
    fc.assert(
      fc.property(services, quiet, (service, rounds) => {
        let view: ServiceView = {
          ...service,
          decidedBy: "cluster",
          spread: false,
          servers: service.servers.map((server) => ({ ...server, state: "checking" })),
        };
        for (const round of rounds) {
          const servers = view.servers.map((server, index) => ({
            ...server,
            state: nextHealth(server.state, round[index] ?? "unchecked"),
          }));
          const { serving } = chooseServers({ ...view, servers });
          for (const name of serving) assert.ok(view.inForce.includes(name) || name === view.lastResort, name);
          view = { ...view, servers, inForce: serving };
        }
      }),
    );
  });
});

function view(more: Partial<ServiceView> & Pick<ServiceView, "servers">): ServiceView {
  return { decidedBy: "cluster", spread: false, failback: "manual", inForce: [], ...more };
}

const server = (name: string, state: HealthState, more: Partial<ServerView> = {}): ServerView => ({
  name,
  state,
  weight: 1,
  ...more,
});

describe("behind a cluster", () => {
  const cases: Readonly<Record<string, readonly [ServiceView, readonly string[], RegExp]>> = {
    "the one that serves": [view({ servers: [server("n1", "up"), server("n2", "wrong-role")] }), ["n1"], /n1 is up/],
    "the one that is being released, while the other is not open yet": [
      view({ servers: [server("n1", "leaving"), server("n2", "starting")], inForce: ["n1"] }),
      ["n1"],
      /n1 is leaving/,
    ],
    "the one that leaves keeps its packets until the other opens": [
      view({ servers: [server("n1", "leaving"), server("n2", "wrong-role")], inForce: ["n1"] }),
      ["n1"],
      /n1 is leaving, and no other serves/,
    ],
    "of two the one that took over last": [
      view({ servers: [server("n1", "up", { term: 6 }), server("n2", "up", { term: 7 })], inForce: ["n1"] }),
      ["n2"],
      /took over last \(term 7\)/,
    ],
    "of two of whom nothing is known the one before": [
      view({ servers: [server("n1", "up"), server("n2", "up")], inForce: ["n2"] }),
      ["n2"],
      /n2 did before/,
    ],
    "of two of whom nothing is known neither": [
      view({ servers: [server("n1", "up"), server("n2", "up")] }),
      [],
      /nothing says which/,
    ],
    nobody: [
      view({ servers: [server("n1", "down"), server("n2", "wrong-role")], inForce: ["n1"] }),
      [],
      /n1 is down, n2 is wrong-role/,
    ],
    "one whose agent is away and who had it": [
      view({ servers: [server("n1", "answering"), server("n2", "checking")], inForce: ["n1"] }),
      ["n1"],
      /answering/,
    ],
    "one whose agent is away and who had it not": [view({ servers: [server("n1", "answering")] }), [], /nobody/],
  };
  for (const [name, [service, serving, because]] of Object.entries(cases)) {
    test(name, () => {
      const choice = chooseServers(service);
      assert.deepEqual(choice.serving, serving);
      assert.match(choice.because, because);
    });
  }
});

describe("servers of their own", () => {
  const own = (more: Partial<ServiceView> & Pick<ServiceView, "servers">) => view({ decidedBy: "director", ...more });
  const cases: Readonly<Record<string, readonly [ServiceView, readonly string[]]>> = {
    "the heaviest": [own({ servers: [server("a", "up"), server("b", "up", { weight: 9 })] }), ["b"]],
    "not before all are heard": [own({ servers: [server("a", "up"), server("b", "checking", { weight: 9 })] }), []],
    "the one in place stays": [
      own({ servers: [server("a", "up"), server("b", "up", { weight: 9 })], inForce: ["a"] }),
      ["a"],
    ],
    "unless the heaviest is preferred": [
      own({ servers: [server("a", "up"), server("b", "up", { weight: 9 })], inForce: ["a"], failback: "preferred" }),
      ["b"],
    ],
    "last resort": [own({ servers: [server("a", "down")], lastResort: "old" }), ["old"]],
    "no last resort while somebody is not heard yet": [
      own({ servers: [server("a", "checking")], lastResort: "old" }),
      [],
    ],
    "back from the last resort": [own({ servers: [server("a", "up")], lastResort: "old", inForce: ["old"] }), ["a"]],
    "spread over all that are up": [
      own({ servers: [server("a", "up"), server("b", "down"), server("c", "up")], spread: true }),
      ["a", "c"],
    ],
  };
  for (const [name, [service, serving]] of Object.entries(cases)) {
    test(name, () => assert.deepEqual(chooseServers(service).serving, serving));
  }
});
