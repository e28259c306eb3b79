import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { defined } from "../base/assert.ts";
import { contains, networkOf, parseAddress, specialAddress } from "./address.ts";
import { backAddress, serviceMark, vrrpRouterId } from "./director-derive.ts";
import { parseMilliseconds } from "./director-schema.ts";
import type { DirectorSpec } from "./director-spec.ts";
import { parseSpec } from "./load.ts";

const MACHINES = "    machines: [{ name: d1, address: 10.77.0.31 }, { name: d2, address: 10.77.0.32 }]\n";

/** The sample with one director of two machines and these services, written in flow style. */
function specWith(services: string, more = "", machines = MACHINES): string {
  return `${SAMPLE_SPEC}directors:\n  - name: lb\n${machines}${more}    services:\n${services
    .split("\n")
    .map((line) => `      - ${line}\n`)
    .join("")}`;
}

function problems(text: string): readonly string[] {
  const parsed = parseSpec(text);
  return parsed.ok ? [] : parsed.problems.map(({ code, path }) => `${path.replace("directors[0].", "")} ${code}`);
}

function warnings(text: string): readonly string[] {
  const parsed = parseSpec(text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.warnings.map(({ code, path }) => `${path.replace("directors[0].", "")} ${code}`);
}

function directorOf(text: string): DirectorSpec {
  const parsed = parseSpec(text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return defined(parsed.spec.directors[0], "a director");
}

const OWN =
  "{ name: copies, flow: { interface: eth1, address: 10.77.0.60/24 }, servers: [{ name: a, address: 10.77.0.71 }, { name: b, address: 10.77.0.72, weight: 50 }] }";

describe("a service of a fileserver", () => {
  test("has everything from the fileserver's name", () => {
    const director = directorOf(specWith("{ fileserver: home }"));
    const [service] = director.services;
    assert.ok(service !== undefined);
    assert.equal(director.interface, "eth1");
    assert.equal(director.resets, true);
    assert.deepEqual(director.ports, { notices: 7408, roles: 7409 });
    assert.equal(service.decidedBy, "cluster");
    assert.deepEqual(
      service.flow.addresses.map(({ address }) => address),
      ["10.77.0.50", "fd77::50"],
    );
    assert.deepEqual(
      service.servers.map(({ name, addresses, node }) => [name, addresses.length, node?.addresses[0]]),
      [
        ["n1", 2, "10.77.0.11"],
        ["n2", 2, "10.77.0.12"],
      ],
    );
    assert.deepEqual(service.check, { how: "role", intervalMs: 1000, timeoutMs: 250, tries: 2, port: 2049 });
    assert.deepEqual(warnings(specWith("{ fileserver: home }")), []);
  });

  test("takes back addresses that are given", () => {
    const given = "{ name: n1, address: [10.77.0.61, fd77::61] }";
    const director = directorOf(specWith(`{ fileserver: home, servers: [${given}] }`));
    assert.deepEqual(director.services[0]?.servers[0]?.addresses, ["10.77.0.61", "fd77::61"]);
    assert.match(director.services[0]?.servers[1]?.addresses[0] ?? "", /^169\.254\./);
  });

  test("is derived the same for ever", () => {
    assert.equal(serviceMark("lab", "home"), GOLDEN.mark);
    assert.equal(vrrpRouterId("lab", "lb"), GOLDEN.vrrp);
    assert.equal(backAddress(4, "lab", "home", "n1"), GOLDEN.back4);
    assert.equal(backAddress(6, "lab", "home", "n1"), GOLDEN.back6);
  });

  test("derived values are what kernel and RFCs allow", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (cluster, fileserver, node) => {
        const mark = serviceMark(cluster, fileserver);
        assert.ok(mark > 0 && mark < 2 ** 31);
        const id = vrrpRouterId(cluster, node);
        assert.ok(id >= 1 && id <= 255);
        const four = defined(parseAddress(backAddress(4, cluster, fileserver, node)), "an address");
        assert.equal(specialAddress(four), "a link-local address");
        const third = Number((four.value >> 8n) & 0xffn);
        assert.ok(third >= 1 && third <= 254 && third !== 169, String(third));
        const six = defined(parseAddress(backAddress(6, cluster, fileserver, node)), "an address");
        assert.ok(contains(networkOf({ family: 6, value: 0xfdn << 120n }, 8), six));
      }),
      { numRuns: 200 },
    );
  });
});

/** A changed value here moves every client's packets to servers that do not know them, until all machines have the new release. */
const GOLDEN = { mark: 1212580532, vrrp: 229, back4: "169.254.236.27", back6: "fd06:21e6:8ac8:0:e708:88ec:e221:fb75" };

describe("a service with servers of its own", () => {
  test("has its defaults, and is warned about", () => {
    const [service] = directorOf(specWith(OWN)).services;
    assert.equal(service?.decidedBy, "director");
    assert.equal(service.scheduler, "failover");
    assert.equal(service.failback, "manual");
    assert.equal(service.check.how, "rpc");
    assert.deepEqual(
      service.servers.map(({ weight }) => weight),
      [100, 50],
    );
    assert.deepEqual(warnings(specWith(OWN)), ["services[0] independent-servers"]);
  });

  test("every other warning", () => {
    const odd = OWN.replace("name: copies,", "name: copies, scheduler: rr, check: { how: tcp },").replace(
      /\] \}$/,
      "], lastResort: { name: old, address: 10.77.0.73 } }",
    );
    const kernel = "    kernel: { expireNodestConn: false }\n    resets: false\n";
    const one = "    machines: [{ name: d1, address: 10.77.0.31 }]\n";
    assert.deepEqual(
      warnings(specWith(odd, kernel, one)).map((line) => line.split(" ").at(-1)),
      [
        "director-alone",
        "clients-hang",
        "clients-hang",
        "independent-servers",
        "clients-spread",
        "check-too-little",
        "last-resort",
      ],
    );
    assert.deepEqual(warnings(specWith("{ fileserver: home, check: { how: rpc } }")), [
      "services[0].check.how check-too-little",
    ]);
  });
});

const PROBLEMS: Readonly<Record<string, readonly [text: string, ...wanted: readonly string[]]>> = {
  "neither fileserver nor flow": [specWith("{ name: x }"), "services[0] service-form"],
  "a flow beside a fileserver": [
    specWith("{ fileserver: home, flow: { interface: eth1, address: 10.77.0.60/24 } }"),
    "services[0].flow service-form",
  ],
  "a fileserver that is not there": [specWith("{ fileserver: hom }"), "services[0].fileserver fileserver-unknown"],
  "a fileserver twice": [
    specWith("{ fileserver: home }\n{ fileserver: home, name: again }"),
    "services[1].fileserver fileserver-twice",
  ],
  "two services of one name": [
    specWith("{ fileserver: home }\n{ fileserver: media, name: home }"),
    "services[1].name name-taken",
  ],
  "a node that is not there": [
    specWith("{ fileserver: home, servers: [{ name: n9 }] }"),
    "services[0].servers[0].name node-unknown",
  ],
  "two servers of one name": [specWith(OWN.replace("name: b", "name: a")), "services[0].servers[1].name name-taken"],
  "a server without an address": [
    specWith(OWN.replace("name: a, address: 10.77.0.71", "name: a")),
    "services[0].servers[0] server-family",
  ],
  "a server of the other family": [
    specWith(OWN.replace("address: 10.77.0.71", 'address: "fd77::71"')),
    "services[0].servers[0].address server-family",
  ],
  "a server elsewhere": [
    specWith(OWN.replace("10.77.0.71", "10.78.0.71")),
    "services[0].servers[0].address server-outside",
  ],
  "a server with the flow's address": [
    specWith(OWN.replace("10.77.0.71", "10.77.0.60")),
    "services[0].servers[0].address address-taken",
  ],
  "a flow with a node's address": [
    specWith(OWN.replace("10.77.0.60/24", "10.77.0.12/24")),
    "services[0].flow.address address-taken",
  ],
  "a back address that a node has": [
    specWith("{ fileserver: home, servers: [{ name: n1, address: [10.77.0.12, fd77::61] }] }"),
    "services[0].servers[0].address address-taken",
  ],
  "a machine elsewhere": [
    specWith("{ fileserver: home }", "", "    machines: [{ name: d1, address: 10.78.0.31 }]\n"),
    "machines[0].address machine-outside",
  ],
  "a machine that is a node": [
    specWith("{ fileserver: home }", "", "    machines: [{ name: d1, address: 10.77.0.11 }]\n"),
    "machines[0].address address-taken",
  ],
  "a check that takes too long": [
    specWith("{ fileserver: home, check: { interval: 900ms } }"),
    "services[0].check check-too-slow",
  ],
  "a check of no length": [
    specWith("{ fileserver: home, check: { interval: soon } }"),
    "services[0].check.interval bad-duration",
  ],
  "a check that is too short": [
    specWith("{ fileserver: home, check: { interval: 5ms } }"),
    "services[0].check.interval out-of-range",
  ],
  "a role without agents": [
    specWith(OWN.replace("name: copies,", "name: copies, check: { how: role },")),
    "services[0].check.how check-without-agent",
  ],
  "two directors with one router": [
    `${specWith("{ fileserver: home }", "    vrrpId: 7\n")}  - name: other\n    vrrpId: 7\n    machines: [{ name: d3, address: 10.77.0.33 }]\n    services: [{ fileserver: media }]\n`,
    "directors[1].vrrpId vrrp-taken",
  ],
  "an unknown key": [specWith("{ fileserver: home, wieght: 1 }"), "services[0].wieght unknown-key"],
};

describe("problems", () => {
  for (const [name, [text, ...wanted]] of Object.entries(PROBLEMS)) {
    test(name, () => assert.deepEqual(problems(text), wanted));
  }

  test("names with one mark", () => {
    const [first, second] = twoNamesOfOneMark();
    const services = [first, second].map((name, index) =>
      OWN.replace("copies", name).replace("10.77.0.60", `10.77.0.${60 + index}`),
    );
    assert.deepEqual(problems(specWith(services.join("\n"))), ["services[1] mark-taken"]);
  });

  test("a fileserver with problems of its own is not called unknown", () => {
    const text = specWith("{ fileserver: home }").replace(
      "name: data, device: home/data",
      "name: data, device: nothing",
    );
    assert.deepEqual(
      problems(text).map((line) => line.split(" ").at(-1)),
      ["bad-device"],
    );
  });
});

/** The birthday of marks: among some thousand names two have the same of 65,534. */
function twoNamesOfOneMark(): readonly [string, string] {
  const seen = new Map<number, string>();
  for (let number = 0; number < 10_000; number += 1) {
    const name = `s${number}`;
    const mark = serviceMark("lab", name);
    const other = seen.get(mark);
    if (other !== undefined) return [other, name];
    seen.set(mark, name);
  }
  throw new Error("no two names share a mark");
}

test("milliseconds", () => {
  assert.deepEqual(["400ms", "1s", "2m", "0s", "1", "1h"].map(parseMilliseconds), [
    400,
    1000,
    120_000,
    undefined,
    undefined,
    undefined,
  ]);
});
