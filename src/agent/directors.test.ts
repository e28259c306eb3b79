/** What agents tell their directors, and what directors are answered; over doubles, and once over real sockets. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { defined } from "../base/assert.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { hushedAs } from "../linux/hush-filter.ts";
import { systemClock } from "../system/clock.ts";
import { fakeNode } from "../../tests/fake-node.ts";
import { ROLES_PATH, roleAnswerSchema, type Notice } from "../wire/role.ts";
import { askSigned, type SignedCall } from "../wire/signed-http.ts";
import { openDirectors, toldText, type Directors } from "./directors.ts";
import type { Found } from "./observe.ts";
import { directorsBefore, readSecrets, serveRoles } from "./role-endpoint.ts";
import { openRoleTeller } from "./role-teller.ts";
import { linkCommands } from "./steps/warm.ts";

const SPEC = loadSpec(
  `${SAMPLE_SPEC}directors:
  - name: lb
    machines: [{ name: d1, address: 10.77.0.31 }, { name: d2, address: 10.77.0.32 }]
    services: [{ fileserver: home }]
`,
  "sample",
);
const HOME = SPEC.fileservers[0] as FileserverSpec;
const SECRET = "a secret of more than 32 characters";

interface Heard extends Omit<SignedCall, "body"> {
  readonly body: Notice;
}

/** Directors that answer what the test says, in its own time. */
function directorsWith(answer: (call: Heard) => Promise<unknown>, secrets = new Map([["lb", SECRET]])) {
  const heard: Heard[] = [];
  const lines: string[] = [];
  const directors = openDirectors({
    spec: SPEC,
    node: "n1",
    timeScale: 8,
    log: (line) => void lines.push(line),
    secrets,
    ask: (call) => {
      heard.push(call as Heard);
      return answer(call as Heard);
    },
  });
  return { directors: defined(directors, "home has a director"), heard, lines };
}

describe("notices", () => {
  test("nobody where the spec has no director, or none before this node", () => {
    const parts = { node: "n1", timeScale: 1, log: () => undefined, secrets: new Map(), ask: askSigned };
    assert.equal(openDirectors({ ...parts, spec: loadSpec(SAMPLE_SPEC, "sample") }), undefined);
    assert.equal(openDirectors({ ...parts, spec: SPEC, node: "stranger" }), undefined);
  });

  test("every machine is told at the same time, each with the nonce of its own last answer, used once", async () => {
    let number = 0;
    const { directors, heard } = directorsWith(async ({ host }) => ({ nonce: `${host} ${++number}`, followed: true }));
    assert.deepEqual(await directors.say("home", "opening"), { machines: 2, followed: 2, problems: [] });
    await directors.say("home", "serving", 7);
    assert.deepEqual(
      heard.map(({ host, body }) => [host, body.role, body.term, body.nonce]),
      [
        ["10.77.0.31", "opening", undefined, undefined],
        ["10.77.0.32", "opening", undefined, undefined],
        ["10.77.0.31", "serving", 7, "10.77.0.31 1"],
        ["10.77.0.32", "serving", 7, "10.77.0.32 2"],
      ],
    );
    assert.deepEqual(
      new Set(heard.map(({ timeoutMs, secret }) => `${timeoutMs} ${secret}`)),
      new Set([`1200 ${SECRET}`]),
    );
    assert.equal(await directors.say("media", "serving"), undefined);
  });

  test("one that fails is told about and fails nothing; its nonce is not used again", async () => {
    const { directors, heard, lines } = directorsWith(async ({ host, body }) => {
      if (host === "10.77.0.32" && body.role === "serving") throw new Error("no answer within 1200 ms");
      return { nonce: "n", followed: body.role === "serving" };
    });
    await directors.say("home", "opening");
    const told = defined(await directors.say("home", "serving", 1), "home has a director");
    assert.equal(toldText(told), "1 of 2 directors send packets here; d2: no answer within 1200 ms");
    assert.match(lines.join("\n"), /^home: a director was not told that it is serving here: d2: no answer/);
    await directors.say("home", "releasing");
    assert.deepEqual(
      heard.slice(-2).map(({ body }) => body.nonce),
      ["n", undefined],
    );
  });

  test("behind one that is under way only the last waits", async () => {
    const held = Promise.withResolvers<unknown>();
    const { directors, heard } = directorsWith(({ body }) =>
      body.role === "opening" ? held.promise : Promise.resolve({ nonce: "n", followed: true }),
    );
    const first = directors.say("home", "opening");
    await nextTurn();
    const all = [first, directors.say("home", "releasing"), directors.say("home", "standby")];
    held.resolve({ nonce: "first", followed: false });
    await Promise.all(all);
    assert.deepEqual(
      heard.map(({ body }) => [body.role, body.nonce]),
      [
        ["opening", undefined],
        ["opening", undefined],
        ["standby", "first"],
        ["standby", "first"],
      ],
    );
  });

  test("without a secret nothing is sent, and that is said", async () => {
    const { directors, heard } = directorsWith(() => assert.fail("nobody is asked"), new Map());
    const told = defined(await directors.say("home", "serving"), "home has a director");
    assert.deepEqual(told.problems, ["d1: there is no secret for it", "d2: there is no secret for it"]);
    assert.deepEqual(heard, []);
  });
});

describe("the role endpoint", () => {
  test("says what was said last, with its term; before that, that nothing is known", async () => {
    const { directors } = directorsWith(async () => ({ nonce: "n", followed: true }));
    const lines: string[] = [];
    const specs = directorsBefore(SPEC, "n1").map((one) => ({ ...one, ports: { ...one.ports, roles: 0 } }));
    const secrets = new Map([["lb", SECRET]]);
    const [server] = await serveRoles(specs, secrets, directors, (line) => void lines.push(line), "127.0.0.1");
    assert.ok(server !== undefined, lines.join());
    const { port } = server.address() as AddressInfo;
    const call = { host: "127.0.0.1", port, method: "GET", path: ROLES_PATH, timeoutMs: 2_000 } as const;
    const asked = async () => roleAnswerSchema.parse(await askSigned({ ...call, secret: SECRET }));
    try {
      const first = await asked();
      assert.deepEqual(first, { cluster: "lab", node: "n1", fileservers: [{ name: "home", role: "unclear" }] });
      await directors.say("home", "serving", 4);
      assert.deepEqual((await asked()).fileservers, [{ name: "home", role: "serving", term: 4 }]);
      await directors.say("home", "standby");
      assert.deepEqual((await asked()).fileservers, [{ name: "home", role: "standby" }]);
      await assert.rejects(
        askSigned({ ...call, secret: "another secret of 32 characters!" }),
        /does not know our secret/,
      );
    } finally {
      server.close();
    }
  });

  test("a secret that cannot be read keeps no node from serving", async () => {
    const lines: string[] = [];
    const specs = directorsBefore(SPEC, "n2").map((one) => ({ ...one, secret: "/nonexistent/secret" }));
    assert.equal(specs.length, 1);
    const secrets = await readSecrets(specs, (line) => void lines.push(line));
    assert.equal(secrets.size, 0);
    assert.match(lines.join(), /^director lb is told nothing and learns nothing here: .*cannot be read.*umask 077/);
    const { directors } = directorsWith(() => assert.fail("nobody is asked"));
    assert.deepEqual(await serveRoles(specs, secrets, directors, (line) => void lines.push(line)), []);
    assert.deepEqual(directorsBefore(loadSpec(SAMPLE_SPEC, "sample"), "n1"), []);
  });
});

describe("what a fileserver is, after a look", () => {
  const found = (state: Found["judgement"]["state"], linkUp: boolean): Observed<Found> =>
    known({
      judgement: { state, lacks: [] },
      sighting: {
        processes: [],
        holder: true,
        nfsdThreads: 0,
        linkUp,
        requestsHeld: false,
        volumes: 1,
        volumesMounted: 0,
        volumesActive: 0,
      },
      insidePid: 1,
    });

  function tellerFor(seen: Observed<Found>, readTerm: () => Promise<number> = () => Promise.resolve(3)) {
    const said: string[] = [];
    const directors: Directors = {
      side: (name) => (name === "home" ? directorsWith(async () => ({})).directors.side("home") : undefined),
      roles: () => assert.fail("nobody asks"),
      say: async (_, role, term) => void said.push(`${role} ${term ?? "-"}`),
    };
    const node = fakeNode({ clock: systemClock, directors });
    return { said, teller: openRoleTeller(node, HOME, { observe: () => Promise.resolve(seen), readTerm }), node };
  }

  test("what could not be seen is unclear, and so is what is neither served nor silent", async () => {
    const cases: readonly (readonly [Observed<Found>, string])[] = [
      [found("serving", true), "serving 3"],
      [found("warm", false), "standby -"],
      [found("absent", false), "standby -"],
      [found("partial", false), "standby -"],
      [found("partial", true), "unclear -"],
      [unknown("no answer"), "unclear -"],
    ];
    for (const [seen, word] of cases) {
      const { said, teller } = tellerFor(seen);
      await teller.settle();
      assert.deepEqual(said, [word]);
    }
  });

  test("a term that cannot be read, or was never written, is left out", async () => {
    for (const readTerm of [() => Promise.reject(new Error("no number")), () => Promise.resolve(0)]) {
      const { said, teller } = tellerFor(found("serving", true), readTerm);
      await teller.settle();
      assert.deepEqual(said, ["serving -"]);
    }
  });

  test("a run that began during the look knows better", async () => {
    const { said, teller } = tellerFor(found("warm", false));
    const settling = teller.settle();
    teller.say("opening");
    await settling;
    assert.deepEqual(said, ["opening -"]);
  });

  test("nothing is said, or looked at, where no director stands before it", async () => {
    const { said, node } = tellerFor(found("serving", true));
    const media = SPEC.fileservers[1] as FileserverSpec;
    const teller = openRoleTeller(node, media, {
      observe: () => assert.fail("nobody looks"),
      readTerm: () => assert.fail("nobody reads"),
    });
    teller.say("opening");
    await teller.settle();
    assert.deepEqual([said, teller.behindDirector], [[], false]);
  });
});

test("the link behind a director: IPv6 on lo, back addresses beside the clients' address, settings before addresses", () => {
  const side = directorsWith(async () => ({})).directors.side("home");
  const lines = linkCommands(HOME, side).map((command) => command.join(" "));
  const addresses = lines.filter((line) => line.includes(" address "));
  assert.deepEqual(
    addresses.map((line) =>
      line.replace(/^\S+ /, "").replace(/169\.254\.\d+\.\d+|fd[0-9a-f:]+(?=\/128 dev eth0)/, "BACK"),
    ),
    [
      "address replace 10.77.0.50/24 dev eth0",
      "address replace fd77::50/128 dev lo nodad",
      "address replace BACK/32 dev eth0",
      "address replace BACK/128 dev eth0 nodad",
    ],
  );
  const settings = lines.slice(0, lines.indexOf(addresses[0] ?? "")).join("\n");
  assert.match(settings, /write_file \/proc\/sys\/net\/ipv6\/conf\/eth0\/accept_dad 0/);
  const plain = linkCommands(HOME).map((command) => command.join(" "));
  assert.deepEqual(
    plain.filter((line) => line.includes(" address ")).map((line) => line.replace(/^\S+ /, "")),
    ["address replace 10.77.0.50/24 dev eth0", "address replace fd77::50/64 dev eth0 nodad"],
  );
});

test("a link with IPv6 addresses only has one more, which hushes come from", () => {
  const v6 = { ...HOME, addresses: HOME.addresses.filter(({ family }) => family === 6) };
  const lines = linkCommands(v6).map((command) => command.join(" ").replace(/^\S+ /, ""));
  const [own, hushed, ...more] = lines.filter((line) => line.startsWith("address "));
  assert.equal(own, "address replace fd77::50/64 dev eth0 nodad");
  assert.equal(hushed, `address replace ${hushedAs(v6).join()}/32 dev eth0`);
  assert.deepEqual(more, []);
});
