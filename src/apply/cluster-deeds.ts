/** What is done to the cluster as a whole, on one of its nodes. */
import { Fault, messageOf } from "../base/fault.ts";
import { changeCib } from "../pacemaker/change.ts";
import { emptyCib, type Cib, type CibVersion } from "../pacemaker/cib.ts";
import { readCib, readClusterState } from "../pacemaker/commands.ts";
import type { ClusterState, FailedAction } from "../pacemaker/monitor.ts";
import type { WantedCib } from "../pacemaker/wanted.ts";
import { formatXml, type XmlElement } from "../pacemaker/xml.ts";
import { quoteForShell } from "../ssh/remote-commands.ts";
import { waitFor, type Clock } from "../system/clock.ts";
import type { NodeShell } from "./node-shell.ts";

export interface ClusterParts {
  readonly clock: Clock;
  readonly timeScale: number;
  readonly progress: (line: string) => void;
}

const START_TIMEOUT_MS = 120_000;
const READY_TIMEOUT_MS = 120_000;
const SETTLE_TIMEOUT_MS = 300_000;
const WRITE_TIMEOUT_MS = 60_000;
const LOOK_INTERVAL_MS = 1_000;
/** A change by somebody else between reading and writing: read and reckoned anew so often. */
const WRITE_ATTEMPTS_MAX = 5;

/** Started now and at every start of the machine; a corosync that runs by another configuration is started again. */
export function startClusterScript(clusterName: string, witness: boolean): string {
  return `set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH
systemctl daemon-reload
systemctl enable --quiet corosync.service pacemaker.service${witness ? " corosync-qdevice.service" : ""}
running=$(corosync-cmapctl -g totem.cluster_name 2>/dev/null | sed 's/.*= //') || running=
if [ -n "$running" ] && [ "$running" != ${quoteForShell(clusterName)} ]; then
  systemctl stop pacemaker.service corosync.service
  rm -f /var/lib/pacemaker/cib/cib*.xml* /var/lib/pacemaker/cib/cib-*.raw* /var/lib/pacemaker/cib/cib.last
fi
systemctl reset-failed corosync.service pacemaker.service 2>/dev/null || true
systemctl start corosync.service
${witness ? "systemctl start corosync-qdevice.service" : ""}
systemctl start pacemaker.service
`;
}

export async function startCluster(
  shell: NodeShell,
  clusterName: string,
  witness: boolean,
  parts: ClusterParts,
): Promise<void> {
  const script = startClusterScript(clusterName, witness);
  await shell.must(script, START_TIMEOUT_MS * parts.timeScale, "starting corosync and pacemaker");
}

/** Waits for a quorum and for the node that decides. */
export async function waitUntilReady(shell: NodeShell, parts: ClusterParts): Promise<ClusterState> {
  let why = "it does not answer";
  const timeoutMs = READY_TIMEOUT_MS * parts.timeScale;
  const ready = await waitFor(
    parts.clock,
    { what: "the cluster", timeoutMs, intervalMs: LOOK_INTERVAL_MS },
    async () => {
      try {
        const state = await readClusterState(shell.commands);
        if (state.dc !== undefined && state.quorum) return state;
        why = state.dc === undefined ? "no node decides yet" : "it has no quorum";
        return undefined;
      } catch (error) {
        why = messageOf(error);
        return undefined;
      }
    },
  );
  if (ready !== undefined) return ready;
  throw new Fault({
    code: "cluster-not-ready",
    what: `the cluster was not ready within ${Math.round(timeoutMs / 1000)} s: ${why}`,
    why: "a new cluster of two waits until it has seen both of its nodes (wait_for_all)",
    remedy: `look on ${shell.node}: corosync-cfgtool -s; corosync-quorumtool -s; journalctl -u corosync -u pacemaker`,
  });
}

/** cibadmin's status where the configuration is newer than the one that a change was made from (pcmk_err_old_data). */
const OLD_DATA_STATUS = 103;

/** Between the two configurations that go to the node. */
const SPLIT = "=====";

/** What runs where changes all the time, and is nobody's to write. */
function withoutStatus(root: XmlElement): XmlElement {
  return { ...root, children: root.children.filter((child) => child.kind !== "element" || child.tag !== "status") };
}

/**
 * The difference as Pacemaker itself reckons it (crm_diff), carried out as one step. The patch says from which
 * configuration it was made: the cluster refuses it when somebody else has changed anything since. num_updates is left
 * out of that: every result of a monitor raises it (xml_patch_version_check, lib/common/patchset.c).
 */
export function patchScript(version: CibVersion): string {
  const { adminEpoch, epoch } = version;
  const from = `<source admin_epoch="${adminEpoch}" epoch="${epoch}"/>`;
  const to = `<target admin_epoch="${adminEpoch}" epoch="${epoch + 1}" num_updates="0"/>`;
  return `set -eu; PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH; umask 077
folder=$(mktemp -d /run/holdfast-cib.XXXXXX); trap 'rm -rf "$folder"' EXIT
cat > "$folder/both"
sed '/^${SPLIT}$/,$d' "$folder/both" > "$folder/old.xml"; sed '1,/^${SPLIT}$/d' "$folder/both" > "$folder/new.xml"
status=0; crm_diff --no-version --original "$folder/old.xml" --new "$folder/new.xml" > "$folder/patch.xml" || status=$?
[ -s "$folder/patch.xml" ] || exit 0
sed -i 's|<diff format="2">|<diff format="2"><version>${from}${to}</version>|' "$folder/patch.xml"
grep -q '<version>' "$folder/patch.xml" || { echo "crm_diff wrote a patch of another form" >&2; exit 1; }
status=0; cibadmin --patch --xml-file "$folder/patch.xml" || status=$?
exit $status
`;
}

/** Makes the configuration what the spec wants; says what that came to, empty where there was nothing to do. */
export async function writeCib(shell: NodeShell, wanted: WantedCib, parts: ClusterParts): Promise<readonly string[]> {
  await waitUntilReady(shell, parts);
  let last = "";
  for (let attempt = 1; attempt <= WRITE_ATTEMPTS_MAX; attempt += 1) {
    const cib = await readCib(shell.commands);
    const change = changeCib(cib.root, wanted);
    if (!change.ok) {
      const [first] = change.refusals;
      throw new Fault({
        kind: "refused",
        code: first?.code ?? "cib-refused",
        what: change.refusals.map(({ what }) => what).join("; "),
        remedy: change.refusals.map(({ remedy }) => remedy).join("; "),
      });
    }
    if (change.differences.length === 0) return [];
    const result = await patch(shell, cib, change.root, parts);
    if (result.status === 0) return change.differences;
    last = result.stderr.trim();
    if (result.status !== OLD_DATA_STATUS) {
      throw new Fault({
        code: "cib-not-written",
        what: `Pacemaker did not take the configuration: ${last || `cibadmin ended with status ${result.status}`}`,
        remedy: `look on ${shell.node}: crm_verify --live-check -V`,
      });
    }
    parts.progress("the cluster's configuration was changed by somebody else meanwhile; it is read again");
  }
  throw new Fault({
    code: "cib-always-newer",
    what: `the cluster's configuration changed ${WRITE_ATTEMPTS_MAX} times while it was to be written: ${last}`,
    remedy: "find out who changes it, and apply again",
  });
}

function patch(shell: NodeShell, cib: Cib, root: XmlElement, parts: ClusterParts) {
  return shell.commands.run({
    tool: "sh",
    args: ["-c", patchScript(cib.version)],
    timeoutMs: WRITE_TIMEOUT_MS * parts.timeScale,
    input: `${formatXml(withoutStatus(cib.root))}${SPLIT}\n${formatXml(withoutStatus(root))}`,
  });
}

/** Waits until each of them is on exactly one node and nothing is being done to it. */
export async function waitUntilServed(
  shell: NodeShell,
  fileservers: readonly string[],
  parts: ClusterParts,
): Promise<ReadonlyMap<string, string>> {
  const told = new Set<string>();
  const places = new Map<string, string>();
  const outcome = await waitUntil(shell, parts, (state) => {
    for (const name of fileservers) {
      const found = state.resources.find(({ id }) => id === name);
      const [node, ...more] = found?.active === true && found.role === "Started" ? found.nodes : [];
      if (node === undefined || more.length > 0) continue;
      places.set(name, node);
      if (!told.has(name)) parts.progress(`${name} is served by ${node}`);
      told.add(name);
    }
    return fileservers.every((name) => places.has(name));
  });
  if (outcome.done) return places;
  const missing = fileservers.filter((name) => !places.has(name));
  throw new Fault({
    code: "fileservers-not-served",
    what: `not served within ${outcome.waitedS} s: ${missing.join(", ")}`,
    why: whyNotServed(outcome.last, missing),
    remedy: `look on ${shell.node}: crm_mon -1; holdfast status`,
  });
}

/** Waits until none of them is active anywhere. */
export async function waitUntilStopped(
  shell: NodeShell,
  fileservers: readonly string[],
  parts: ClusterParts,
): Promise<void> {
  const active = (state: ClusterState): readonly string[] =>
    state.resources.flatMap(({ id, active: is }) => (is && fileservers.includes(id) ? [id] : []));
  const outcome = await waitUntil(shell, parts, (state) => active(state).length === 0);
  if (outcome.done) return;
  const left = outcome.last === undefined ? fileservers : active(outcome.last);
  throw new Fault({
    code: "fileservers-not-released",
    what: `not released within ${outcome.waitedS} s: ${left.join(", ")}`,
    remedy: `look on ${shell.node}: crm_mon -1; holdfast status`,
  });
}

interface Waited {
  readonly done: boolean;
  readonly waitedS: number;
  readonly last: ClusterState | undefined;
}

export async function waitUntil(
  shell: NodeShell,
  parts: ClusterParts,
  isDone: (state: ClusterState) => boolean,
): Promise<Waited> {
  let last: ClusterState | undefined;
  const timeoutMs = SETTLE_TIMEOUT_MS * parts.timeScale;
  const bound = { what: "the cluster", timeoutMs, intervalMs: LOOK_INTERVAL_MS };
  const done = await waitFor(parts.clock, bound, async () => {
    try {
      last = await readClusterState(shell.commands);
      return isDone(last) ? true : undefined;
    } catch {
      // A cluster that is being started answers a moment later; the bound ends it.
      return undefined;
    }
  });
  return { done: done === true, waitedS: Math.round(timeoutMs / 1000), last };
}

function whyNotServed(state: ClusterState | undefined, missing: readonly string[]): string {
  if (state === undefined) return "the cluster does not answer";
  const failures = state.failures.filter(({ resource }) => missing.includes(resource)).map(failureText);
  const unclean = state.nodes.filter((node) => node.unclean).map((node) => `${node.name} waits to be fenced`);
  const reasons = [...failures, ...unclean, ...(state.quorum ? [] : ["there is no quorum"])];
  return reasons.length === 0 ? "the cluster says no reason" : reasons.join("; ");
}

export function failureText(failure: FailedAction): string {
  return `${failure.task} of ${failure.resource} failed on ${failure.node}: ${failure.reason}`;
}

/** A configuration with nothing in it, for those that are to be without ours. */
export const NOTHING_WANTED: WantedCib = { properties: [], primitives: [], constraints: [], levels: [] };

/** What the spec comes to on a cluster that nobody has configured: for showing it. */
export function firstDifferences(wanted: WantedCib): readonly string[] {
  const change = changeCib(emptyCib().root, wanted);
  return change.ok ? change.differences : [];
}
