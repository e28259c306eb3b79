/** What is written to directors and into namespaces, as text. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { defined } from "../base/assert.ts";
import { loadSpec } from "../model/load.ts";
import { keepalivedText } from "./keepalived.ts";
import { machineSetup } from "./machine-files.ts";
import { directorSettings } from "./kernel-settings.ts";
import { serverSide } from "./server-side.ts";

function specWith(director: string) {
  return loadSpec(`${SAMPLE_SPEC}directors:\n${director}`, "spec");
}

const spec = specWith(`  - name: lb
    machines: [{ name: d1, address: 10.77.0.31 }, { name: d2, address: 10.77.0.32 }]
    services: [{ fileserver: home }, { fileserver: media }]
`);
const director = defined(spec.directors[0], "the director");

describe("keepalived.conf", () => {
  for (const machine of director.machines) {
    test(`of ${machine.name}`, () =>
      matchesGolden(`balance/keepalived-${machine.name}.conf`, keepalivedText(director, machine, 1)));
  }

  test("emulated machines are given more time, within VRRP's bound", () => {
    const machine = defined(director.machines[0], "d1");
    assert.match(keepalivedText(director, machine, 8), /advert_int 2\n/);
    assert.match(keepalivedText(director, machine, 1000), /advert_int 40\n/);
  });
});

describe("a machine's setup", () => {
  const [machine] = director.machines;

  test("of two: VRRP, after the table", () => {
    const setup = machineSetup(director, defined(machine, "d1"), 1);
    assert.deepEqual(setup.units, ["holdfast-director.service", "keepalived.service"]);
    assert.ok(setup.packages.includes("keepalived"));
    assert.deepEqual(
      setup.files.map(({ path }) => path),
      [
        "/etc/keepalived/keepalived.conf",
        "/etc/default/keepalived",
        "/etc/systemd/system/keepalived.service.d/holdfast.conf",
      ],
    );
  });

  test("of one: the director has the address itself", () => {
    const alone = { ...director, machines: director.machines.slice(0, 1) };
    const setup = machineSetup(alone, defined(machine, "d1"), 1);
    assert.deepEqual([setup.files, setup.units], [[], ["holdfast-director.service"]]);
    assert.ok(!setup.packages.includes("keepalived"));
  });
});

test("the kernel's settings, with reasons", () => {
  const text = (kernel: string) =>
    directorSettings(
      defined(
        specWith(`  - name: lb
${kernel}    machines: [{ name: d1, address: 10.77.0.31 }]
    services: [{ fileserver: home }]
`).directors[0],
        "lb",
      ),
    ).map(({ key, value, because }) => `${key} = ${value}\n  ${because}`);
  matchesGolden("balance/director-settings.txt", text("").join("\n"));
  assert.match(text("    kernel: { expireNodestConn: false }\n")[0] ?? "", /= 0\n  as the spec says/);
});

describe("the server's side", () => {
  const render = (node: string) => {
    const side = defined(serverSide(spec, "home", node), "the side of home");
    return [
      ...side.addresses.map(
        (each) => `address ${each.address} on ${each.on}${each.noDad ? " nodad" : ""}: ${each.because}`,
      ),
      ...side.routes.map((route) => `route ${route}`),
      ...side.settings.map(({ key, value, because }) => `${key} = ${value}: ${because}`),
      side.filter,
    ].join("\n");
  };

  test("as text", () => matchesGolden("balance/server-side.txt", render("n1")));

  test("two nodes differ in their back addresses and nothing else", () => {
    const back = (node: string) =>
      serverSide(spec, "home", node)
        ?.addresses.slice(2)
        .map(({ address }) => address) ?? [];
    assert.equal(back("n1").length, 2);
    assert.notDeepEqual(back("n1"), back("n2"));
    const without = (node: string) =>
      back(node).reduce((text, address) => text.replaceAll(address, "BACK"), render(node));
    assert.equal(without("n1"), without("n2"));
  });

  test("with a back address on the clients' network the namespace asks in its name", () => {
    const given = specWith(`  - name: lb
    machines: [{ name: d1, address: 10.77.0.31 }]
    services: [{ fileserver: home, servers: [{ name: n1, address: [10.77.0.61, fd77::61] }] }]
`);
    assert.match(serverSide(given, "home", "n1")?.filter ?? "", /arp saddr ip set 10\.77\.0\.61\n/);
    assert.match(serverSide(given, "home", "n2")?.filter ?? "", /arp saddr ip set 0\.0\.0\.0\n/);
  });

  test("a fileserver without a director has none", () => {
    assert.equal(serverSide(loadSpec(SAMPLE_SPEC, "spec"), "home", "n1"), undefined);
    assert.equal(serverSide(spec, "nobody", "n1"), undefined);
    assert.equal(serverSide(spec, "home", "n9"), undefined);
  });
});
