/** The watch with a service that is made up: what it does when, in a test's own time. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fakeNode } from "../../tests/fake-node.ts";
import { manualClock, type ManualClock } from "../../tests/manual-clock.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { known } from "../base/observed.ts";
import { RECLAIM_QUIET_MS, type Inheritance } from "../failover/grace.ts";
import type { Ledger } from "../failover/ledger.ts";
import { TELL_AGAIN_MS } from "../failover/watch.ts";
import { loadSpec } from "../model/load.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { ServiceLook } from "./look-at-service.ts";
import type { ServiceDeeds } from "./service-deeds.ts";
import { watchService, type ServiceWatch } from "./service-watch.ts";

const HOME = loadSpec(SAMPLE_SPEC, "sample").fileservers[0] as FileserverSpec;
const C1 = { name: "c1", addresses: ["10.77.0.21"] };

function connection(localPort: number): ServiceLook["connections"][number] {
  return { localAddress: "10.77.0.50", localPort, remoteAddress: "10.77.0.21", remotePort: 700 };
}

const NOTHING: ServiceLook = {
  connections: [],
  monitored: [],
  unnotified: [],
  v4Clients: [],
  v3Locks: [],
  problems: [],
};
const BACK: ServiceLook = { ...NOTHING, connections: [connection(HOME.nfs.ports.lockd)], v3Locks: ["a"] };

interface Service {
  /** Undefined: it hangs. */
  look: ServiceLook | undefined;
  reachable: boolean;
  looks: number;
  readonly done: string[];
  readonly written: Ledger[];
}

/** After a crash that left one lock, unless said otherwise. */
const CRASHED: Inheritance = {
  ledger: known({
    node: "n2",
    writtenAtMs: 1,
    final: false,
    connections: [],
    v3Clients: [{ ...C1, sinceMs: 1 }],
    v4Clients: [],
    v3Locks: [{ key: "a", steady: true }],
  }),
  monitored: known([C1]),
};

function watching(
  first: Partial<Service> = {},
  v3GraceLasts = true,
  late?: Ledger["late"],
): { readonly clock: ManualClock; readonly service: Service; readonly watch: ServiceWatch } {
  const clock = manualClock();
  const service: Service = { look: BACK, reachable: true, looks: 0, done: [], written: [], ...first };
  const say = (what: string) => (): Promise<void> => Promise.resolve(void service.done.push(what));
  const deeds: ServiceDeeds = {
    openEye: () =>
      Promise.resolve({
        look() {
          service.looks += 1;
          return service.look === undefined ? new Promise(() => undefined) : Promise.resolve(service.look);
        },
      }),
    isReachable: () => service.reachable,
    doesV4GraceLast: () => Promise.resolve(false),
    writeLedger: (ledger) => {
      const told = JSON.stringify(service.written.at(-1)?.late) === JSON.stringify(ledger.late);
      service.written.push(ledger);
      return told ? Promise.resolve() : say("write who is late")();
    },
    endV3Grace: say("end grace"),
    listToNotify: (clients) => say(`list ${clients.map(({ name }) => name).join(" ")}`)(),
    stopNotifying: say("stop notifying"),
    notifyAtOnce: (how) => say(`notify ${how}`)(),
    forgetDeadClients: say("forget the dead"),
  };
  const node = fakeNode({ engine: "pacemaker", clock });
  const holder = {
    run: () => assert.fail("the deeds of these tests need no holder"),
    overdue: () => [],
    close: () => undefined,
  };
  const watched = {
    node,
    fileserver: HOME,
    holder,
    insidePid: 1,
    inherited: CRASHED,
    written: late === undefined || !CRASHED.ledger.known ? undefined : { ...(CRASHED.ledger.value as Ledger), late },
    v3GraceLasts,
    keptOut: false,
  };
  return { clock, service, watch: watchService(watched, deeds) };
}

describe("the watch of a service", () => {
  test("ends lockd's grace when everybody is back and quiet", async () => {
    const { clock, service } = watching();
    await clock.pass(RECLAIM_QUIET_MS - 200);
    assert.deepEqual(service.done, []);
    await clock.pass(400);
    assert.deepEqual(service.done, ["end grace"]);
  });

  test("not for a quiet in which its address was closed for a while", async () => {
    const { clock, service } = watching();
    await clock.pass(300);
    service.reachable = false;
    await clock.pass(300);
    service.reachable = true;
    await clock.pass(HOME.nfs.graceS * 1000 - 1_000);
    assert.deepEqual(service.done, []);
    await clock.pass(1_000);
    assert.deepEqual(service.done, ["end grace"], "at the limit");
  });

  test("notifies a client at once that comes back after the grace", async () => {
    const { clock, service } = watching({ look: { ...NOTHING, unnotified: [C1] } });
    await clock.pass(HOME.nfs.graceS * 1000 + 2_000);
    const ended = ["write who is late", "end grace"];
    assert.deepEqual(service.done, ended, "in this order: from then on others can have what he held");
    service.look = { ...NOTHING, unnotified: [C1], connections: [connection(2049)] };
    await clock.pass(1_000);
    assert.deepEqual(service.done, [...ended, "notify again"]);
    await clock.pass(TELL_AGAIN_MS);
    assert.deepEqual(service.done, [...ended, "notify again", "notify again"], "though nothing changes");
  });

  test("lists who was late before the takeover when its grace is over, and tells him", async () => {
    const late = [{ name: "c2", addresses: ["10.77.0.22"], deferred: true }];
    const look = { ...BACK, connections: [...BACK.connections, { ...connection(2049), remoteAddress: "10.77.0.22" }] };
    const { clock, service } = watching({ look }, true, late);
    await clock.pass(RECLAIM_QUIET_MS - 200);
    assert.deepEqual(service.done, ["write who is late"]);
    await clock.pass(400);
    assert.deepEqual(service.done.slice(1), ["end grace", "list c2", "write who is late", "notify anew"]);
  });

  test("ends at once where it rests between two looks, and looks no more", async () => {
    const { clock, service, watch } = watching({}, false);
    await clock.pass(100);
    const looked = service.looks;
    const end = await watch.stop();
    assert.deepEqual(end, {
      lockMemory: { last: new Set(["a"]), passing: new Map() },
      waiting: { v3: false, v4: false },
    });
    await clock.pass(2_000);
    assert.equal(service.looks, looked);
  });

  test("knows of no lock whether it is passing before its first look", async () => {
    const { clock, watch } = watching({ look: undefined }, false);
    const end = watch.stop();
    await clock.pass(2_100);
    assert.equal((await end).lockMemory.last, undefined);
  });
});
