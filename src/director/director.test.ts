/** The parts of the director together, with a kernel that is only a table and a clock that goes on by sleeping. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { defined } from "../base/assert.ts";
import { known, unknown } from "../base/observed.ts";
import { Fault } from "../base/fault.ts";
import type { HealthState } from "../balance/health.ts";
import type { ServerNews } from "../balance/outlook.ts";
import type { IpvsConnection } from "../model/director-table.ts";
import { loadSpec } from "../model/load.ts";
import type { Clock } from "../system/clock.ts";
import type { Command, Commands } from "../system/commands.ts";
import type { Notice } from "../wire/role.ts";
import { makeApplier } from "./applier.ts";
import type { Role } from "./ask-server.ts";
import { checkEveryMs, checkServer } from "./check.ts";
import { makeCore, type Core } from "./core.ts";
import { noticeTaker } from "./notices.ts";
import { directorOf } from "./program.ts";
import { serviceStatus, startText } from "./status.ts";
import { watchServer } from "./watch.ts";

const spec = loadSpec(
  `${SAMPLE_SPEC.replaceAll("[10.77.0.50/24, fd77::50/64]", "10.77.0.50/24")}directors:
  - name: lb
    machines: [{ name: d1, address: 10.77.0.31 }]
    services:
      - fileserver: home
        servers: [{ name: n1, address: 10.77.0.61 }, { name: n2, address: 10.77.0.62 }]
`,
  "spec",
);
const director = defined(spec.directors[0], "the director");
const home = defined(director.services[0], "home");

/** Restored lines, and the table that they make. */
function fakeKernel(refuse: (line: string) => boolean = () => false) {
  const done: string[] = [];
  const servers = new Set<string>();
  let there = false;
  const answer = (command: Command): string => {
    const input = String(command.input ?? "").trim();
    if (command.tool === "nft") done.push("filter");
    if (command.args.includes("--save")) {
      return there
        ? [`-A -f ${home.mark} -s rr`, ...[...servers].map((each) => `-a -f ${home.mark} -r ${each}:0 -g -w 1`)].join(
            "\n",
          )
        : "";
    }
    if (command.args.includes("--restore")) {
      for (const line of input.split("\n")) {
        if (refuse(line)) throw new Fault({ code: "command-failed", what: `refused: ${line}` });
        done.push(line.replace(String(home.mark), "MARK"));
        there = true;
        const address = /-r (\S+):0/.exec(line)?.[1] ?? "";
        if (line.startsWith("-a")) servers.add(address);
        if (line.startsWith("-d")) servers.delete(address);
      }
    }
    if (command.tool === "tickle_tcp") done.push(`tickle ${input.replaceAll("\n", ", ")}`);
    return "";
  };
  const commands: Commands = {
    run: async (command) => {
      await Promise.resolve();
      return { status: 0, stdout: answer(command), stderr: "" };
    },
  };
  return { commands, done, servers };
}

/** Sleeping takes no time, but lets others go on. */
function fakeClock(): Clock {
  let nowMs = 0;
  return {
    monotonicMs: () => nowMs,
    wallMs: () => 1_000_000 + nowMs,
    sleep: (durationMs) =>
      new Promise((resolve) =>
        setImmediate(() => {
          nowMs += durationMs;
          resolve();
        }),
      ),
  };
}

const CONNECTION: IpvsConnection = {
  protocol: "tcp",
  state: "ESTABLISHED",
  client: { address: "10.77.0.21", port: 771 },
  virtual: { address: "10.77.0.50", port: 2049 },
  server: { address: "10.77.0.61", port: 2049 },
};

function makeWorld(kernel = fakeKernel(), connections: readonly IpvsConnection[] = [CONNECTION]) {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const clock = fakeClock();
  const readConnections = () => Promise.resolve(connections);
  const applier = makeApplier({ director, commands: kernel.commands, clock, timeScale: 1, readConnections, log });
  const core = makeCore({ director, applier, clock, log, inForce: [] });
  return { core, lines, kernel, clock };
}

const N1_SERVES: ServerNews = { server: "n1", event: "answers", term: 1 };

async function serving(core: Core, ...news: readonly ServerNews[]): Promise<readonly string[]> {
  for (const one of news) await core.hear("home", [one]);
  return core.outlook("home").choice.serving;
}

describe("core and kernel", () => {
  test("from nothing to a served fileserver, and through a takeover", async () => {
    const { core, kernel, lines } = makeWorld();
    assert.equal(await core.begin(), true);
    assert.deepEqual(kernel.done.splice(0), ["filter", "-A -f MARK -s rr"]);
    assert.deepEqual(await serving(core, N1_SERVES, { server: "n2", event: "serves-not" }), ["n1"]);
    assert.deepEqual(kernel.done.splice(0), ["-a -f MARK -r 10.77.0.61:0 -g -w 1", "filter"]);
    // Nothing for the kernel to do until the other one serves.
    assert.deepEqual(await serving(core, { server: "n2", event: "told-opening", term: 2 }), ["n1"]);
    assert.deepEqual(kernel.done, []);
    assert.deepEqual(await serving(core, { server: "n2", event: "told-serving", term: 2 }), ["n2"]);
    assert.deepEqual(kernel.done.splice(0).slice(0, 3), [
      "-d -f MARK -r 10.77.0.61:0",
      "-a -f MARK -r 10.77.0.62:0 -g -w 1",
      "tickle 10.77.0.50:2049 10.77.0.21:771",
    ]);
    assert.ok(lines.includes("home: served by n2, before by n1: n2 took over last (term 2)"), lines.join("\n"));
  });

  test("a server that is lost: packets are held first, clients are woken when another one serves", async () => {
    const { core, kernel } = makeWorld();
    await core.begin();
    await serving(core, N1_SERVES, { server: "n2", event: "serves-not" });
    kernel.done.splice(0);
    assert.deepEqual(await serving(core, { server: "n1", event: "silent-unvouched" }), []);
    assert.deepEqual(kernel.done.splice(0), ["filter", "-d -f MARK -r 10.77.0.61:0"]);
    await serving(core, { server: "n2", event: "told-serving" });
    assert.deepEqual(kernel.done.slice(0, 3), [
      "-a -f MARK -r 10.77.0.62:0 -g -w 1",
      "filter",
      "tickle 10.77.0.50:2049 10.77.0.21:771",
    ]);
  });

  test("only established connections of the lost server are woken", async () => {
    const others: readonly IpvsConnection[] = [
      { ...CONNECTION, state: "CLOSE" },
      { ...CONNECTION, protocol: "udp", state: "UDP" },
      { ...CONNECTION, server: { address: "10.77.0.62", port: 2049 } },
    ];
    const { core, kernel } = makeWorld(fakeKernel(), others);
    await serving(core, N1_SERVES, { server: "n2", event: "told-serving", term: 2 });
    assert.ok(!kernel.done.some((line) => line.startsWith("tickle")), kernel.done.join("\n"));
  });

  test("what the kernel refuses is a problem until it takes it", async () => {
    let refused = true;
    const kernel = fakeKernel((line) => refused && line.startsWith("-a"));
    const { core } = makeWorld(kernel);
    assert.equal(await core.hear("home", [N1_SERVES]), false);
    assert.match(core.problems()[0] ?? "", /refused: -a/);
    refused = false;
    assert.equal(await core.hear("home", [N1_SERVES]), true);
    assert.deepEqual(core.problems(), []);
    assert.deepEqual([...kernel.servers], ["10.77.0.61"]);
  });

  test("a table that somebody else has changed is mended, and it is told", async () => {
    const { core, kernel, lines } = makeWorld();
    await core.hear("home", [N1_SERVES]);
    await core.verify();
    assert.ok(!lines.some((line) => line.includes("IPVS table is not")));
    kernel.servers.clear();
    await core.verify();
    assert.deepEqual([...kernel.servers], ["10.77.0.61"]);
    assert.ok(lines.some((line) => line.includes("IPVS table is not")));
  });

  test("who served when the director starts goes on", async () => {
    const kernel = fakeKernel();
    const applier = makeApplier({
      director,
      commands: kernel.commands,
      clock: fakeClock(),
      timeScale: 1,
      readConnections: () => Promise.resolve([]),
      log: () => undefined,
    });
    const inForce = [
      { mark: home.mark, family: 4, scheduler: "rr", servers: [{ address: "10.77.0.62", weight: 1 }] },
    ] as const;
    const core = makeCore({ director, applier, clock: fakeClock(), log: () => undefined, inForce });
    assert.match(
      startText(director, "d1", (service) => core.outlook(service)),
      /in force: home by n2/,
    );
    assert.deepEqual(await serving(core, { server: "n1", event: "silent-unvouched" }), ["n2"]);
  });
});

describe("a check", () => {
  const ground = (role: Role | undefined, nfs: "answers" | "silent") => ({
    cluster: "lab",
    rolePort: 7409,
    secret: "",
    timeScale: 2,
    xid: 1,
    questions: {
      askNfs: (question: { readonly timeoutMs: number }) => {
        assert.equal(question.timeoutMs, 500);
        return Promise.resolve(nfs);
      },
      askRole: () => Promise.resolve(role === undefined ? unknown("no answer") : known(role)),
    },
  });
  const server = defined(home.servers[0], "n1");
  const check = (state: HealthState, role: Role | undefined, nfs: "answers" | "silent", service = home) =>
    checkServer(service, server, state, ground(role, nfs));

  test("a server that fails right after one is out within the interval", () => {
    const { check: one } = home;
    assert.equal(checkEveryMs(one), 500);
    assert.ok(checkEveryMs(one) + one.tries * one.timeoutMs <= one.intervalMs);
  });

  test("joins role and answer", async () => {
    assert.deepEqual(await check("up", { role: "serving", term: 3 }, "answers"), {
      server: "n1",
      event: "answers",
      term: 3,
    });
    assert.deepEqual(await check("up", { role: "serving" }, "silent"), { server: "n1", event: "silent" });
    assert.deepEqual(await check("up", undefined, "answers"), { server: "n1", event: "answers-unvouched" });
  });

  test("a server that stands by is asked for NFS only when its agent says that it serves", async () => {
    assert.equal((await check("wrong-role", { role: "standby" }, "silent")).event, "serves-not");
    assert.equal((await check("wrong-role", { role: "serving" }, "answers")).event, "answers");
    assert.equal((await check("wrong-role", undefined, "answers")).event, "unchecked");
  });

  test("without roles only NFS counts: that is what a TCP check misses", async () => {
    const tcp = { ...home, check: { ...home.check, how: "tcp" as const } };
    assert.equal((await check("up", { role: "standby" }, "answers", tcp)).event, "answers");
  });
});

describe("a watch", () => {
  const watched = (events: readonly ServerNews["event"][], state: () => HealthState = () => "up") => {
    const heard: string[] = [];
    const left = [...events];
    const clock = fakeClock();
    const watch = watchServer("n1", {
      clock,
      timeScale: 1,
      intervalMs: 1000,
      state,
      check: async () => {
        await clock.sleep(10);
        const event = left.shift();
        if (left.length === 0) watch.stop();
        return { server: "n1", event: event ?? "unchecked" };
      },
      hear: (news) => Promise.resolve(heard.push(news.event)),
    });
    return { watch, heard, clock };
  };

  test("asks once in each interval", async () => {
    const { watch, heard, clock } = watched(["answers", "silent", "answers", "answers"]);
    await watch.ended;
    // What the last check found came after the end.
    assert.deepEqual(heard, ["answers", "silent", "answers"]);
    assert.equal(clock.monotonicMs(), 3010);
  });

  test("what it was told meanwhile is newer than what the check under way finds", async () => {
    const { watch, heard } = watched(["serves-not", "answers", "answers"]);
    await watch.tell({ server: "n1", event: "told-serving" });
    await watch.ended;
    assert.deepEqual(heard, ["told-serving", "answers"]);
  });

  test("looks at once when asked", async () => {
    const { watch, clock } = watched(["answers", "answers", "answers"]);
    await watch.look();
    assert.ok(clock.monotonicMs() <= 20, String(clock.monotonicMs()));
    watch.stop();
    await watch.look();
  });

  test("an announced start that does not come is over after its bound", async () => {
    let state: HealthState = "starting";
    const heard: string[] = [];
    const clock = fakeClock();
    const watch = watchServer("n1", {
      clock,
      timeScale: 1,
      intervalMs: 1000,
      state: () => state,
      check: () => Promise.resolve({ server: "n1", event: "unchecked" }),
      hear: (news) => {
        if (news.event === "start-overdue") {
          heard.push(news.event);
          state = "down";
          watch.stop();
        }
        return Promise.resolve();
      },
    });
    await watch.ended;
    assert.deepEqual(heard, ["start-overdue"]);
    assert.ok(clock.monotonicMs() > 15_000);
  });
});

describe("notices", () => {
  const makeTaker = (serving?: readonly string[]) => {
    const events: string[] = [];
    let made = 0;
    const take = noticeTaker({
      cluster: "lab",
      services: director.services,
      makeNonce: () => `nonce ${(made += 1)}`,
      tell: (service, news) =>
        Promise.resolve(events.push(`${service} ${news.server} ${news.event} ${news.term ?? ""}`.trim())),
      look: (service, server) => Promise.resolve(events.push(`look ${service} ${server}`)),
      serving: () => serving,
      within: (work) => work,
    });
    return { take, events };
  };
  const notice: Notice = { cluster: "lab", node: "n2", fileserver: "home", role: "serving", term: 4 };

  test("the first makes the director ask, the next one with its nonce is believed, once", async () => {
    const { take, events } = makeTaker();
    const { nonce } = await take(notice);
    await take({ ...notice, nonce });
    await take({ ...notice, nonce });
    assert.deepEqual(events, ["look home n2", "home n2 told-serving 4", "look home n2"]);
  });

  test("each role is its event", async () => {
    const { take, events } = makeTaker();
    let { nonce } = await take(notice);
    events.splice(0);
    for (const role of ["opening", "releasing", "standby", "unclear"] as const)
      ({ nonce } = await take({ ...notice, role, nonce }));
    assert.deepEqual(events, [
      "home n2 told-opening 4",
      "home n2 told-releasing 4",
      "home n2 serves-not 4",
      "look home n2",
    ]);
  });

  test("an agent learns whether its word is in force", async () => {
    const followed = async (serving: readonly string[] | undefined, role: Notice["role"]) =>
      (await makeTaker(serving).take({ ...notice, role })).followed;
    assert.equal(await followed(["n2"], "serving"), true);
    assert.equal(await followed(["n1"], "serving"), false);
    assert.equal(await followed(["n2"], "standby"), false);
    assert.equal(await followed(["n1"], "standby"), true);
    assert.equal(await followed(["n2"], "releasing"), true);
    assert.equal(await followed(undefined, "opening"), false);
  });

  test("old nonces are forgotten", async () => {
    const { take, events } = makeTaker();
    const { nonce } = await take(notice);
    for (let count = 0; count < 256; count += 1) await take(notice);
    events.splice(0);
    await take({ ...notice, nonce });
    assert.deepEqual(events, ["look home n2"]);
  });

  test("what is not behind this director is refused", async () => {
    const { take } = makeTaker();
    for (const wrong of [{ cluster: "other" }, { node: "n9" }, { fileserver: "media" }]) {
      await assert.rejects(
        take({ ...notice, ...wrong }),
        (error) => error instanceof Fault && error.code === "notice-not-ours",
      );
    }
  });
});

describe("who and what", () => {
  test("a machine finds its director", () => {
    assert.equal(directorOf(spec, "d1").name, "lb");
    assert.throws(
      () => directorOf(spec, "n1"),
      (error) => error instanceof Fault && error.code === "machine-not-in-spec",
    );
  });

  test("status: servers with their connections", async () => {
    const { core } = makeWorld();
    await core.hear("home", [N1_SERVES]);
    const counts = [{ mark: home.mark, family: 4, address: "10.77.0.61", weight: 1, active: 3, inactive: 2 }] as const;
    const status = serviceStatus(home, { outlook: core.outlook("home"), counts, own: ["10.77.0.50"] });
    assert.equal(status.here, true);
    assert.deepEqual(status.serving, ["n1"]);
    assert.deepEqual(
      status.servers.map(({ name, state, active, inactive, term }) => [name, state, active, inactive, term]),
      [
        ["n1", "up", 3, 2, 1],
        ["n2", "checking", 0, 0, undefined],
      ],
    );
    const blind = serviceStatus(home, { outlook: core.outlook("home"), counts: undefined, own: [] });
    assert.equal(blind.here, false);
    assert.ok(blind.servers.every(({ active }) => active === undefined));
  });
});
