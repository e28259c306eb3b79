/** Reading Pacemaker's configuration (the CIB): where things are in it, and what counts. */
import { Fault } from "../base/fault.ts";
import { descendants, element, elementsOf, firstOf, parseXml, type XmlElement, type XmlNode } from "./xml.ts";

export interface Cib {
  readonly root: XmlElement;
  /** admin_epoch.epoch: every change of the configuration raises it (cib_process_replace, Pacemaker's lib/cib). */
  readonly version: CibVersion;
}

export interface CibVersion {
  readonly adminEpoch: number;
  readonly epoch: number;
}

/** Throws a Fault "xml-invalid" or "cib-invalid". */
export function parseCib(text: string, what = "the cluster's configuration"): Cib {
  const root = parseXml(text, what);
  if (root.tag !== "cib" || firstOf(root, "configuration") === undefined) {
    throw new Fault({
      code: "cib-invalid",
      what: `${what} is not a Pacemaker configuration: its top is <${root.tag}>`,
    });
  }
  return {
    root,
    version: { adminEpoch: numberOf(root, "admin_epoch"), epoch: numberOf(root, "epoch") },
  };
}

function numberOf(from: XmlElement, attribute: string): number {
  const value = Number(from.attributes[attribute] ?? "0");
  return Number.isSafeInteger(value) ? value : 0;
}

export function configurationOf(root: XmlElement): XmlElement {
  return firstOf(root, "configuration") ?? element("configuration", {});
}

/** A cluster that nobody has configured yet. */
export function emptyCib(): Cib {
  const sections = ["crm_config", "nodes", "resources", "constraints"].map((tag) => element(tag, {}));
  const root = element("cib", { admin_epoch: "0", epoch: "0", num_updates: "0" }, [
    element("configuration", {}, sections),
    element("status", {}),
  ]);
  return { root, version: { adminEpoch: 0, epoch: 0 } };
}

/** The part with this tag, without the rest; the same document where it is missing. */
export function sectionOf(root: XmlElement, tag: string): XmlElement | undefined {
  return firstOf(configurationOf(root), tag);
}

/** Every element that has an id below the configuration, by its id. */
export function idsOf(root: XmlElement): ReadonlyMap<string, XmlElement> {
  const found = new Map<string, XmlElement>();
  const visit = (at: XmlElement): void => {
    const id = at.attributes["id"];
    if (id !== undefined && !found.has(id)) found.set(id, at);
    for (const child of elementsOf(at)) visit(child);
  };
  visit(configurationOf(root));
  return found;
}

/** The set that Pacemaker itself fills, and which counts before all others (pcmk__unpack_nvpair_blocks). */
export const BOOTSTRAP_SET = "cib-bootstrap-options";
export const HOLDFAST_SET = "holdfast-options";

export interface FoundProperty {
  readonly value: string;
  /** Id of the set that it stands in. */
  readonly set: string;
}

/** The value of a cluster property that counts, or undefined: the set of the highest score, Pacemaker's own before all. */
export function propertyOf(root: XmlElement, name: string): FoundProperty | undefined {
  const sets = elementsOf(sectionOf(root, "crm_config"), "cluster_property_set");
  const ranked = sets.toSorted((a, b) => rank(b) - rank(a));
  for (const set of ranked) {
    // A later pair of the same name in one set counts; Pacemaker takes the first it sees in the sets' order.
    const pair = elementsOf(set, "nvpair").find((each) => each.attributes["name"] === name);
    if (pair !== undefined) return { value: pair.attributes["value"] ?? "", set: set.attributes["id"] ?? "" };
  }
  return undefined;
}

function rank(set: XmlElement): number {
  if (set.attributes["id"] === BOOTSTRAP_SET) return Number.POSITIVE_INFINITY;
  const score = set.attributes["score"] ?? "0";
  if (/^\+?INFINITY$/.test(score)) return 1_000_000;
  return Number(score) || 0;
}

/** Words that Pacemaker reads as "no" (crm_is_true, lib/common/strings.c). */
export function isFalse(value: string): boolean {
  return ["false", "off", "no", "n", "0"].includes(value.toLowerCase());
}

export interface FoundResource {
  readonly id: string;
  readonly class: string;
  readonly provider: string;
  readonly type: string;
  readonly element: XmlElement;
}

/** Every primitive, however deep in groups, clones and bundles. */
export function primitivesOf(root: XmlElement): readonly FoundResource[] {
  return descendants(sectionOf(root, "resources"), "primitive").map((each) => ({
    id: each.attributes["id"] ?? "",
    class: each.attributes["class"] ?? "",
    provider: each.attributes["provider"] ?? "",
    type: each.attributes["type"] ?? "",
    element: each,
  }));
}

/** Name and value of every pair in sets of this tag (instance_attributes, meta_attributes). */
export function pairsOf(of: XmlElement, setTag: string): ReadonlyMap<string, string> {
  const pairs = elementsOf(of, setTag).flatMap((set) => elementsOf(set, "nvpair"));
  return new Map(pairs.map((pair) => [pair.attributes["name"] ?? "", pair.attributes["value"] ?? ""]));
}

/** Node attributes that stand in the configuration, e.g. standby (crm_standby(8)). */
export function nodeAttributes(root: XmlElement): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const nodes = elementsOf(sectionOf(root, "nodes"), "node");
  return new Map(nodes.map((node) => [node.attributes["uname"] ?? "", pairsOf(node, "instance_attributes")]));
}

/** The same element with one child section replaced, or put at its end where it is missing. */
export function withChild(parent: XmlElement, child: XmlElement): XmlElement {
  const at = parent.children.findIndex((each) => each.kind === "element" && each.tag === child.tag);
  const children: readonly XmlNode[] = at < 0 ? [...parent.children, child] : parent.children.with(at, child);
  return { ...parent, children };
}
