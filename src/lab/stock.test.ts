import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { planMachines } from "./plan.ts";
import { recipeFor } from "./recipe.ts";
import { STOCK_CLUSTERS, stockCorosyncConf, stockNfsConf, stockPackages, stockResourcesXml } from "./stock-cluster.ts";
import { stockConfigureScript, stockNodeScript, stockVolumeScript } from "./stock-scripts.ts";

const NODES = planMachines({ nodes: 2, clients: 1, directors: 0 }).filter(({ role }) => role === "node");

describe("the stock cluster", () => {
  for (const cluster of STOCK_CLUSTERS) {
    test(`${cluster}: its configuration`, () => {
      matchesGolden(`lab/${cluster}-corosync.txt`, stockCorosyncConf(cluster, "compare", NODES));
      matchesGolden(`lab/${cluster}-resources.xml`, stockResourcesXml(cluster, NODES));
    });

    test(`${cluster}: its scripts`, () => {
      const script = stockNodeScript({ cluster, suite: "trixie", name: "compare", nodes: NODES }, "a2V5");
      matchesGolden(`lab/${cluster}-node.txt`, script);
      for (const text of [script, stockVolumeScript(), stockConfigureScript(cluster, NODES)])
        execFileSync("sh", ["-n"], { input: text });
    });

    test(`${cluster}: every package is at hand in the machines`, () => {
      for (const suite of ["trixie", "bookworm"] as const) {
        const { packages, packagesAtHand } = recipeFor(suite);
        for (const name of stockPackages(cluster, suite))
          assert.ok([...packages, ...packagesAtHand].includes(name), `${name} is not in the image of ${suite}`);
      }
    });
  }

  test("defaults are left alone in stock, and changed in stock-tuned", () => {
    assert.doesNotMatch(stockCorosyncConf("stock", "a", NODES), /token/);
    assert.match(stockCorosyncConf("stock-tuned", "a", NODES), /token: 1000\n/);
    assert.equal(stockNfsConf("stock"), undefined);
    assert.match(stockNfsConf("stock-tuned") ?? "", /lease-time=10\ngrace-time=10\n/);
    const order = [...stockResourcesXml("stock-tuned", NODES).matchAll(/<primitive id="(\w+)" class="ocf"/g)];
    assert.deepEqual(
      order.map(([, id]) => id),
      ["PortBlock", "VG", "SharedFS", "NFSService", "NFSExport", "VIP", "NFSNotify", "PortUnblock"],
    );
  });

  test("a volume is made only where no node has one", () => {
    assert.match(stockVolumeScript(), /vgs --foreign .*\|\| exit 0\n[^]*wipefs/);
  });
});
