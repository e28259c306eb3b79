/**
 * From the configuration that is there to the one that is wanted. Pure.
 *
 * INVARIANTS
 * - What is not ours comes out as it went in, in its place: resources, constraints, options, nodes, alerts, ACLs.
 * - Options that an operator put on our resources (target-role, is-managed, maintenance) stay.
 * - A cluster without fencing is refused, and so is one where somebody else's option would overrule ours.
 * - Carried out once, there is nothing left to change.
 */
import {
  BOOTSTRAP_SET,
  configurationOf,
  HOLDFAST_SET,
  idsOf,
  isFalse,
  primitivesOf,
  propertyOf,
  sectionOf,
  withChild,
  type FoundResource,
} from "./cib.ts";
import {
  FILESERVER_AGENT,
  OWN_PREFIX,
  pairElements,
  type Pair,
  type WantedCib,
  type WantedOperation,
  type WantedPrimitive,
} from "./wanted.ts";
import { descendants, element, elementsOf, firstOf, formatXml, type XmlElement, type XmlNode } from "./xml.ts";

export type CibChange =
  | { readonly ok: true; readonly root: XmlElement; readonly differences: readonly string[] }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

export interface Refusal {
  readonly code: "fencing-off" | "property-overridden" | "id-taken";
  readonly what: string;
  readonly remedy: string;
}

export function changeCib(current: XmlElement, wanted: WantedCib): CibChange {
  const refusals = [...propertyRefusals(current, wanted), ...idRefusals(current, wanted)];
  if (refusals.length > 0) return { ok: false, refusals };
  const kept = new Set(wanted.primitives.map((each) => each.id));
  const gone = primitivesOf(current).filter((each) => isOurs(each) && !kept.has(each.id));
  const goneIds = new Set(gone.map((each) => each.id));
  const parts = [
    changeProperties(current, wanted.properties),
    changeResources(current, wanted.primitives, gone),
    changeConstraints(current, wanted.constraints, goneIds),
    changeLevels(current, wanted.levels, goneIds),
  ];
  const configuration = parts.reduce(
    (at, part) => (part.section === undefined ? at : withChild(at, part.section)),
    configurationOf(current),
  );
  return {
    ok: true,
    root: withChild(current, configuration),
    differences: parts.flatMap((part) => part.differences),
  };
}

interface Part {
  /** Undefined: the section stays as it is. */
  readonly section: XmlElement | undefined;
  readonly differences: readonly string[];
}

/** Options whose other value would undo what the rest is built on. */
const UNSAFE: Readonly<Record<string, (value: string) => boolean>> = {
  "stonith-enabled": isFalse,
  "startup-fencing": isFalse,
};

function propertyRefusals(current: XmlElement, wanted: WantedCib): readonly Refusal[] {
  const unsafe = Object.entries(UNSAFE).flatMap(([name, isUnsafe]): readonly Refusal[] => {
    const found = propertyOf(current, name);
    if (found === undefined || !isUnsafe(found.value)) return [];
    return [
      {
        code: "fencing-off",
        what: `somebody set ${name}=${found.value}: without fencing, two nodes write to one file system as soon as they lose sight of each other`,
        remedy: `take it away: crm_attribute --type crm_config --name ${name} --delete, then apply again`,
      },
    ];
  });
  const overruled = wanted.properties.flatMap(([name, value]): readonly Refusal[] => {
    const found = propertyOf(current, name);
    if (found === undefined || found.set !== BOOTSTRAP_SET || found.value === value || name in UNSAFE) return [];
    return [
      {
        code: "property-overridden",
        what: `somebody set ${name}=${found.value} in ${BOOTSTRAP_SET}, which counts before the ${value} that this cluster needs`,
        remedy: `take it away: crm_attribute --type crm_config --set-name ${BOOTSTRAP_SET} --name ${name} --delete, then apply again`,
      },
    ];
  });
  return [...unsafe, ...overruled];
}

function idRefusals(current: XmlElement, wanted: WantedCib): readonly Refusal[] {
  const ids = idsOf(current);
  return wanted.primitives.flatMap((primitive): readonly Refusal[] => {
    const there = ids.get(primitive.id);
    if (there === undefined || (there.tag === "primitive" && agentText(there) === agentName(primitive.agent)))
      return [];
    const what = there.tag === "primitive" ? `a resource ${agentText(there)}` : `a <${there.tag}>`;
    return [
      {
        code: "id-taken",
        what: `${primitive.id} is already the id of ${what} that is not Holdfast's`,
        remedy: `rename the fileserver in the spec, or take the other one out of the cluster (see holdfast import pacemaker)`,
      },
    ];
  });
}

function agentText(primitive: XmlElement): string {
  const { class: kind = "", provider, type = "" } = primitive.attributes;
  return agentName({ class: kind, type, ...(provider === undefined ? {} : { provider }) });
}

function agentName(agent: WantedPrimitive["agent"]): string {
  return [agent.class, agent.provider, agent.type].filter((part) => part !== undefined && part !== "").join(":");
}

/** A fileserver, or a fence device whose options Holdfast has written. */
export function isOurs(resource: FoundResource): boolean {
  if (agentText(resource.element) === agentName(FILESERVER_AGENT)) return true;
  const sets = elementsOf(resource.element, "instance_attributes");
  return resource.class === "stonith" && sets.some((set) => isOurId(set.attributes["id"]));
}

export function isOurId(id: string | undefined): boolean {
  return id?.startsWith(OWN_PREFIX) ?? false;
}

function changeProperties(current: XmlElement, properties: readonly Pair[]): Part {
  const section = sectionOf(current, "crm_config") ?? element("crm_config", {});
  const sets = elementsOf(section, "cluster_property_set");
  const existing = sets.find((set) => set.attributes["id"] === HOLDFAST_SET);
  const { set, differences } = mergeSet(
    existing ?? element("cluster_property_set", { id: HOLDFAST_SET }),
    properties,
    "option",
  );
  if (existing !== undefined && differences.length === 0) return { section: undefined, differences: [] };
  return { section: replaceOrAdd(section, existing, set), differences };
}

/** The set with these pairs in it; pairs of other names stay. */
function mergeSet(
  set: XmlElement,
  pairs: readonly Pair[],
  what: string,
): { readonly set: XmlElement; readonly differences: readonly string[] } {
  const differences: string[] = [];
  const wanted = new Map(pairs);
  const children = set.children.map((child): XmlNode => {
    const name = child.kind === "element" ? child.attributes["name"] : undefined;
    if (child.kind !== "element" || child.tag !== "nvpair" || name === undefined) return child;
    const value = wanted.get(name);
    if (value === undefined) return child;
    wanted.delete(name);
    if (child.attributes["value"] === value) return child;
    differences.push(`${what} ${name}: ${shown(child.attributes["value"] ?? "")} becomes ${shown(value)}`);
    return { ...child, attributes: { ...child.attributes, value } };
  });
  const added = pairElements(set.attributes["id"] ?? "", [...wanted]);
  for (const [name, value] of wanted) differences.push(`${what} ${name}: ${shown(value)}`);
  return { set: { ...set, children: [...children, ...added] }, differences };
}

function shown(value: string): string {
  return value === "" ? '""' : value;
}

function replaceOrAdd(parent: XmlElement, old: XmlElement | undefined, fresh: XmlElement): XmlElement {
  const at = old === undefined ? -1 : parent.children.indexOf(old);
  return { ...parent, children: at < 0 ? [...parent.children, fresh] : parent.children.with(at, fresh) };
}

function changeResources(
  current: XmlElement,
  wanted: readonly WantedPrimitive[],
  gone: readonly FoundResource[],
): Part {
  const existing = sectionOf(current, "resources") ?? element("resources", {});
  const found = new Map(primitivesOf(current).map((each) => [each.id, each.element]));
  const replaced = new Map<XmlElement, XmlElement>();
  const differences: string[] = [];
  const added: XmlElement[] = [];
  for (const primitive of wanted) {
    const there = found.get(primitive.id);
    if (there === undefined) {
      added.push(mergePrimitive(bare(primitive), primitive).element);
      differences.push(`new: ${primitive.called} (${agentName(primitive.agent)})`);
      continue;
    }
    const merged = mergePrimitive(there, primitive);
    if (merged.differences.length === 0) continue;
    replaced.set(there, merged.element);
    differences.push(...merged.differences.map((each) => `${primitive.called}, ${each}`));
  }
  for (const each of gone) differences.push(`gone: ${each.class === "stonith" ? "fencing" : "fileserver"} ${each.id}`);
  if (differences.length === 0) return { section: undefined, differences };
  const lost = new Set(gone.map((each) => each.element));
  const section = rewrite(existing, replaced, lost);
  return { section: { ...section, children: [...section.children, ...added] }, differences };
}

/** The same tree with some elements replaced and some left out. */
function rewrite(
  at: XmlElement,
  replaced: ReadonlyMap<XmlElement, XmlElement>,
  lost: ReadonlySet<XmlElement>,
): XmlElement {
  const children = at.children.flatMap((child): readonly XmlNode[] => {
    if (child.kind !== "element") return [child];
    if (lost.has(child)) return [];
    return [replaced.get(child) ?? rewrite(child, replaced, lost)];
  });
  return { ...at, children };
}

function bare(primitive: WantedPrimitive): XmlElement {
  const { class: kind, provider, type } = primitive.agent;
  return element("primitive", {
    id: primitive.id,
    class: kind,
    ...(provider === undefined ? {} : { provider }),
    type,
  });
}

/** Sets go before operations, as every version of the schema takes them. */
const CHILD_ORDER: readonly string[] = ["meta_attributes", "instance_attributes", "operations"];

function mergePrimitive(
  there: XmlElement,
  wanted: WantedPrimitive,
): { readonly element: XmlElement; readonly differences: readonly string[] } {
  const parameters = mergeOwnSet(there, "instance_attributes", `${OWN_PREFIX}${wanted.id}-params`, wanted.parameters);
  const meta = mergeOwnSet(parameters.element, "meta_attributes", `${OWN_PREFIX}${wanted.id}-meta`, wanted.meta);
  const operations = mergeOperations(meta.element, wanted);
  const children = operations.element.children.toSorted((a, b) => order(a) - order(b));
  return {
    element: { ...operations.element, children },
    differences: [...parameters.differences, ...meta.differences, ...operations.differences],
  };
}

function order(node: XmlNode): number {
  const at = node.kind === "element" ? CHILD_ORDER.indexOf(node.tag) : -1;
  return at < 0 ? CHILD_ORDER.length : at;
}

function mergeOwnSet(
  there: XmlElement,
  tag: string,
  id: string,
  pairs: readonly Pair[],
): { readonly element: XmlElement; readonly differences: readonly string[] } {
  if (pairs.length === 0) return { element: there, differences: [] };
  const old = elementsOf(there, tag).find((set) => set.attributes["id"] === id);
  const { set, differences } = mergeSet(
    old ?? element(tag, { id }),
    pairs,
    tag === "meta_attributes" ? "meta" : "option",
  );
  if (differences.length === 0) return { element: there, differences };
  return { element: replaceOrAdd(there, old, set), differences };
}

function operationElement(primitive: string, operation: WantedOperation): XmlElement {
  return element("op", {
    id: `${OWN_PREFIX}${primitive}-${operation.name}`,
    name: operation.name,
    interval: `${operation.intervalS}s`,
    timeout: `${operation.timeoutS}s`,
    ...(operation.onFail === undefined ? {} : { "on-fail": operation.onFail }),
  });
}

function mergeOperations(
  there: XmlElement,
  wanted: WantedPrimitive,
): { readonly element: XmlElement; readonly differences: readonly string[] } {
  const old = firstOf(there, "operations");
  const differences: string[] = [];
  let operations = old ?? element("operations", {});
  for (const operation of wanted.operations) {
    const fresh = operationElement(wanted.id, operation);
    const existing = elementsOf(operations, "op").find((op) => op.attributes["id"] === fresh.attributes["id"]);
    if (existing !== undefined && sameAttributes(existing, fresh)) continue;
    differences.push(`${operation.name}: ${operationText(fresh)}`);
    operations = replaceOrAdd(operations, existing, fresh);
  }
  if (differences.length === 0) return { element: there, differences };
  return { element: replaceOrAdd(there, old, operations), differences };
}

function sameAttributes(a: XmlElement, b: XmlElement): boolean {
  const [left, right] = [Object.entries(a.attributes), Object.entries(b.attributes)];
  return left.length === right.length && right.every(([name, value]) => a.attributes[name] === value);
}

function operationText(op: XmlElement): string {
  const { interval, timeout } = op.attributes;
  return interval === "0s" ? `at most ${timeout}` : `every ${interval}, at most ${timeout}`;
}

function changeConstraints(current: XmlElement, wanted: readonly XmlElement[], gone: ReadonlySet<string>): Part {
  const section = sectionOf(current, "constraints") ?? element("constraints", {});
  return changeList(section, wanted, (each) => refersTo(each, gone), constraintText);
}

function changeLevels(current: XmlElement, wanted: readonly XmlElement[], gone: ReadonlySet<string>): Part {
  const section = sectionOf(current, "fencing-topology");
  if (section === undefined && wanted.length === 0) return { section: undefined, differences: [] };
  const devicesGone = (level: XmlElement): boolean =>
    (level.attributes["devices"] ?? "").split(",").some((device) => gone.has(device.trim()));
  return changeList(section ?? element("fencing-topology", {}), wanted, devicesGone, levelText);
}

/** Ours are made anew, the others stay, except those that name a resource that goes: the schema would refuse them. */
function changeList(
  section: XmlElement,
  wanted: readonly XmlElement[],
  orphaned: (each: XmlElement) => boolean,
  text: (each: XmlElement) => string,
): Part {
  const differences: string[] = [];
  const open = new Map(wanted.map((each) => [each.attributes["id"] ?? "", each]));
  const children = section.children.flatMap((child): readonly XmlNode[] => {
    if (child.kind !== "element") return [child];
    const id = child.attributes["id"];
    const fresh = id === undefined ? undefined : open.get(id);
    if (id !== undefined && fresh !== undefined) {
      open.delete(id);
      if (formatXml(fresh) === formatXml(child)) return [child];
      differences.push(text(fresh));
      return [fresh];
    }
    if (!isOurId(id) && !orphaned(child)) return [child];
    differences.push(`gone: ${text(child)}`);
    return [];
  });
  for (const each of open.values()) differences.push(`new: ${text(each)}`);
  if (differences.length === 0) return { section: undefined, differences };
  return { section: { ...section, children: [...children, ...open.values()] }, differences };
}

const RESOURCE_ATTRIBUTES = ["rsc", "with-rsc", "first", "then"] as const;

function refersTo(constraint: XmlElement, gone: ReadonlySet<string>): boolean {
  if (RESOURCE_ATTRIBUTES.some((name) => gone.has(constraint.attributes[name] ?? ""))) return true;
  return descendants(constraint, "resource_ref").some((each) => gone.has(each.attributes["id"] ?? ""));
}

function constraintText(each: XmlElement): string {
  const { id = "", rsc = "", node, score = "", "with-rsc": other } = each.attributes;
  if (node !== undefined) return `${rsc} prefers ${node} (${id}, ${score})`;
  if (other !== undefined)
    return `${rsc} ${score.startsWith("-") ? "apart from" : "together with"} ${other} (${id}, ${score})`;
  return `place of ${rsc} (${id})`;
}

function levelText(each: XmlElement): string {
  const { target = "", index = "", devices = "" } = each.attributes;
  return `${target} is fenced by ${devices} as number ${index}`;
}
