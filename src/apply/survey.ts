/** Everything that is known of the nodes before a plan: what their agents say, and what their shells show. */
import { messageOf } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import { specHash } from "../model/derive.ts";
import { parseSpec } from "../model/load.ts";
import {
  unknownNode,
  type AgentObservation,
  type DirectorObservation,
  type FileserverObservation,
  type InstalledSpec,
  type NodeObservation,
  type ObservedCluster,
} from "../model/observed.ts";
import type { Spec } from "../model/spec.ts";
import type { ClusterObservation, SystemObservation } from "../model/system-observed.ts";
import { parseClusterState, placeOf } from "../pacemaker/monitor.ts";
import type { AgentStatus } from "../wire/agent.ts";
import { questionsForDirector } from "./design-directors.ts";
import { questionsFor } from "./design.ts";
import { lookScript, readLook, SPEC_PATH, type Look } from "./look.ts";
import type { OpenShell } from "./node-shell.ts";

export interface Survey {
  readonly observed: ObservedCluster;
  /** Of the nodes that could be looked at. */
  readonly looks: ReadonlyMap<string, Look>;
}

export interface AgentReply {
  readonly node: string;
  readonly result: { readonly ok: true; readonly value: AgentStatus } | { readonly ok: false; readonly error: unknown };
}

export interface SurveyParts {
  readonly shell: OpenShell;
  readonly askAgents: (nodes: readonly string[]) => Promise<readonly AgentReply[]>;
  readonly wallMs: () => number;
}

type Looked = { readonly node: string } & (
  | { readonly ok: true; readonly look: Look }
  | { readonly ok: false; readonly error: unknown }
);

const LOOK_TIMEOUT_MS = 180_000;

/** Never rejects for a node that does not answer: such a node is unknown. Nodes that an older spec names are looked at too. */
export async function survey(spec: Spec, parts: SurveyParts): Promise<Survey> {
  const first = await lookAround(
    spec,
    spec.cluster.nodes.map((node) => node.name),
    parts,
  );
  const left = nodesThatLeft(
    spec,
    first.map(({ observation }) => observation),
  );
  const all = left.length === 0 ? first : [...first, ...(await lookAround(spec, left, parts))];
  const looks = new Map(all.flatMap(({ looked }) => (looked.ok ? [[looked.node, looked.look] as const] : [])));
  const nodes = all.map(({ observation }) => observation);
  const directors = await lookAtDirectors(spec, parts);
  return { observed: { nodes, cluster: clusterOf(spec, looks), directors }, looks };
}

/** Machines of directors, as nodes: one that does not answer is unknown. */
async function lookAtDirectors(spec: Spec, parts: SurveyParts): Promise<readonly DirectorObservation[]> {
  const machines = spec.directors.flatMap((director) =>
    director.machines.map((machine) => ({ machine: machine.name, script: lookScript(questionsForDirector(director)) })),
  );
  return Promise.all(
    machines.map(async ({ machine, script }) => {
      const looked = await lookAt(machine, script, parts);
      if (!looked.ok) return { machine, system: unknown(messageOf(looked.error)), generation: undefined };
      const text = looked.look.system.files.get(SPEC_PATH);
      const parsed = text === undefined ? undefined : parseSpec(text);
      return {
        machine,
        system: known(looked.look.system),
        generation: parsed?.ok === true ? specHash(parsed.spec) : undefined,
      };
    }),
  );
}

async function lookAround(
  spec: Spec,
  nodes: readonly string[],
  parts: SurveyParts,
): Promise<readonly { readonly looked: Looked; readonly observation: NodeObservation }[]> {
  const script = lookScript(questionsFor(spec));
  const [replies, looks] = await Promise.all([
    parts.askAgents(nodes),
    Promise.all(nodes.map((node) => lookAt(node, script, parts))),
  ]);
  return looks.map((looked) => {
    const reply = replies.find(({ node }) => node === looked.node);
    return { looked, observation: combine(spec, looked, reply) };
  });
}

async function lookAt(node: string, script: string, parts: SurveyParts): Promise<Looked> {
  try {
    const before = parts.wallMs();
    const text = await parts.shell(node).must(script, LOOK_TIMEOUT_MS, "looking at it");
    return { node, ok: true, look: readLook(node, text, [before, parts.wallMs()]) };
  } catch (error) {
    return { node, ok: false, error };
  }
}

/** One node as the planner sees it. */
export function combine(spec: Spec, looked: Looked, reply: AgentReply | undefined): NodeObservation {
  if (!looked.ok)
    return { ...unknownNode(looked.node, messageOf(looked.error)), system: unknown(messageOf(looked.error)) };
  const { look, node } = looked;
  if (reply?.result.ok === true) {
    const status = reply.result.value;
    return {
      node,
      agent: known({ state: "running", version: status.version, generation: status.specHash }),
      spec: installedSpec(spec, look, status.specHash),
      fileservers: known(status.fileservers.map(({ name, state }) => ({ name, state }))),
      system: known(withVersion(look.system, status.version)),
    };
  }
  const why = reply === undefined ? "nobody asked its agent" : messageOf(reply.result.error);
  return {
    node,
    agent: silentAgent(look, why),
    spec: installedSpec(spec, look, undefined),
    fileservers: withoutAgent(look, why),
    system: known(look.system),
  };
}

function withVersion(system: SystemObservation, version: string): SystemObservation {
  return system.program.state === "present" ? { ...system, program: { state: "present", version } } : system;
}

function silentAgent(look: Look, why: string): Observed<AgentObservation> {
  const { system } = look;
  if (system.units.get("holdfast-agent.service")?.active === true) return unknown(why);
  const installed = system.program.state === "present" && system.files.has(SPEC_PATH);
  return known({ state: installed ? "stopped" : "absent" });
}

/** Fileservers outlive their agent: where processes of one are left, nobody can tell what it does. */
function withoutAgent(look: Look, why: string): Observed<readonly FileserverObservation[]> {
  if (look.scopes.length === 0) return known([]);
  return unknown(`${look.scopes.join(", ")} ${look.scopes.length === 1 ? "has" : "have"} processes there, and ${why}`);
}

/**
 * What a change means for clients is judged against the spec that the agent works by; a file that says something else
 * (written, and the agent not yet started again) is no answer.
 */
function installedSpec(spec: Spec, look: Look, generation: string | undefined): Observed<InstalledSpec | undefined> {
  if (generation !== undefined && generation === specHash(spec)) return known({ generation, spec });
  const text = look.system.files.get(SPEC_PATH);
  if (text === undefined) {
    return generation === undefined
      ? known(undefined)
      : unknown(`its agent works by a spec that is no longer in ${SPEC_PATH}`);
  }
  const parsed = parseSpec(text);
  if (!parsed.ok) return unknown(`its ${SPEC_PATH} is not valid for this release; holdfast check there tells why`);
  const found = specHash(parsed.spec);
  if (generation === undefined || found === generation) return known({ generation: found, spec: parsed.spec });
  return unknown(
    `its agent works by another spec than ${SPEC_PATH}; restart it there (systemctl restart holdfast-agent)`,
  );
}

function nodesThatLeft(spec: Spec, nodes: readonly NodeObservation[]): readonly string[] {
  const wanted = new Set<string>(spec.cluster.nodes.map((node) => node.name));
  const named = nodes.flatMap((node) =>
    node.spec.known && node.spec.value?.spec.cluster.name === spec.cluster.name
      ? node.spec.value.spec.cluster.nodes.map((each) => each.name as string)
      : [],
  );
  return [...new Set(named)].filter((name) => !wanted.has(name));
}

/** Any node's word counts: they agree, or one of them has no quorum and says so. */
function clusterOf(spec: Spec, looks: ReadonlyMap<string, Look>): Observed<ClusterObservation | undefined> {
  const texts = [...looks.values()].flatMap(({ clusterState }) => (clusterState === undefined ? [] : [clusterState]));
  if (texts.length === 0) return known(undefined);
  try {
    const states = texts.map(parseClusterState);
    const state = states.find(({ quorum }) => quorum) ?? states[0];
    if (state === undefined) return known(undefined);
    return known({
      quorum: state.quorum,
      nodes: state.nodes.map(({ name, online, unclean }) => ({ name, online, unclean })),
      fileservers: new Map(spec.fileservers.map(({ name }) => [name as string, placeOf(state, name)])),
      heldBack: new Set(
        state.resources.flatMap(({ id, targetRole, managed }) =>
          targetRole === "Stopped" || !managed || state.maintenance ? [id] : [],
        ),
      ),
    });
  } catch (error) {
    return unknown(messageOf(error));
  }
}
