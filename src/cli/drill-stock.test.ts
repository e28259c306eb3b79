import assert from "node:assert/strict";
import { test } from "node:test";
import { recorded } from "../../tests/expected-commands.ts";
import type { ExecResult, Machines } from "../drill/ports.ts";
import { parseClusterState } from "../pacemaker/monitor.ts";
import { stockMoverOf, troublesIn } from "./drill-stock.ts";

/** What crm_mon of Pacemaker 3.0 says of a stock group, shortened. */
function monitor(place: string): string {
  return `<pacemaker-result api-version="2.38" request="crm_mon">
  <summary><current_dc present="true" name="n1" with_quorum="true"/><cluster_options stonith-enabled="true"/></summary>
  <nodes>
    <node name="n1" online="true" unclean="false" pending="false" resources_running="6"/>
    <node name="n2" online="true" unclean="false" pending="false" resources_running="1"/>
  </nodes>
  <resources>
    <resource id="scsi" resource_agent="stonith:fence_scsi" role="Started" active="true" failed="false"><node name="n2"/></resource>
    <group id="nfs">
      <resource id="VIP" resource_agent="ocf:heartbeat:IPaddr2" role="Started" active="true" failed="false"><node name="${place}"/></resource>
    </group>
  </resources>
  <status code="0" message="OK"/>
</pacemaker-result>`;
}

const JOURNALS: Readonly<Record<string, string>> = {
  n1: "1000.400000 n1 pacemaker-controld[9]: notice: Result of stop operation for VIP on n1: ok\n",
  n2: "1003.000000 n2 pacemaker-controld[9]: notice: Result of start operation for VIP on n2: ok\n",
};

test("a move is asked for, waited for, and its constraint taken away; both journals tell what was done", async () => {
  let place = "n1";
  const done: string[] = [];
  const answer = (machine: string, argv: readonly string[], input = ""): Partial<ExecResult> => {
    if (argv[0] === "crm_mon") return { stdout: monitor(place) };
    if (argv[0] === "journalctl") return { stdout: JOURNALS[machine] ?? "" };
    if (argv[0] === "ping") return { status: 1 };
    done.push(`${machine}: ${argv.slice(3).join(" ")} ${/--(?:move|clear)/.exec(input)?.[0]}`);
    if (!input.includes("--move")) return {};
    place = "n2";
    return { stdout: "1000000000000\n" };
  };
  const machines: Machines = {
    exec: async (machine, argv, { input }) => ({ status: 0, stdout: "", stderr: "", ...answer(machine, argv, input) }),
    copyTo: () => Promise.reject(new Error("nothing is copied")),
  };
  const mover = stockMoverOf({ machines, nodes: ["n1", "n2"], progress: () => undefined });
  const timeline = await mover.move("home", "n2");
  assert.deepEqual(done, ["n1: nfs n2 --move", "n1: nfs --clear"]);
  assert.deepEqual(
    timeline.steps.map(({ step, endMs }) => [step, endMs]),
    [
      ["stop VIP", 400],
      ["start VIP", 3000],
    ],
  );
  assert.equal(await mover.serving("home"), "n2");
});

test("what is wrong with a stock cluster is said", () => {
  assert.deepEqual(troublesIn(parseClusterState(monitor("n1")), ["n1", "n2"]), []);
  const lost = parseClusterState(recorded("pacemaker/crm-mon-3.0-lost.xml"));
  assert.ok(troublesIn(lost, ["n1", "n2", "n3"]).length > 0);
});
