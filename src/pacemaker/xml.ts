/**
 * XML as Pacemaker writes it: elements in their order, with their attributes, comments and text, so that what is not
 * ours comes out as it went in. No document types: nothing that Pacemaker prints has one, and none is read.
 */
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { Fault } from "../base/fault.ts";

export interface XmlElement {
  readonly kind: "element";
  readonly tag: string;
  /** In the order in which they were written. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlNode[];
}

export type XmlNode =
  | XmlElement
  | { readonly kind: "comment"; readonly text: string }
  | { readonly kind: "text"; readonly text: string };

/** What the parser makes of one node: its tag (or "#text", "#comment") and, beside it, the attributes. */
type RawNode = Readonly<Record<string, unknown>>;

const ATTRIBUTES = ":@";
const PREFIX = "@_";
const TEXT = "#text";
const COMMENT = "#comment";

const PARSER_OPTIONS = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: PREFIX,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  commentPropName: COMMENT,
  ignoreDeclaration: true,
  // Decoded here: the parser would leave out numeric references.
  processEntities: false,
} as const;

/** The document's one element. Throws a Fault "xml-invalid" for anything else; `what` names the text in the message. */
export function parseXml(text: string, what: string): XmlElement {
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) throw invalid(what, "it has a document type");
  const valid = XMLValidator.validate(text);
  if (valid !== true) throw invalid(what, `${valid.err.msg} (line ${valid.err.line})`);
  const nodes = (new XMLParser(PARSER_OPTIONS).parse(text) as readonly RawNode[]).flatMap(readNode);
  const elements = nodes.filter((node) => node.kind === "element");
  const [root] = elements;
  if (root === undefined || elements.length > 1) throw invalid(what, `it has ${elements.length} elements at its top`);
  return root;
}

function invalid(what: string, why: string): Fault {
  return new Fault({ code: "xml-invalid", what: `${what} is not the XML that was expected: ${why}` });
}

function readNode(raw: RawNode): readonly XmlNode[] {
  const tag = Object.keys(raw).find((key) => key !== ATTRIBUTES);
  if (tag === undefined) return [];
  const value = raw[tag];
  if (tag === TEXT) {
    const text = decode(String(value));
    // Only indentation: it is made anew when the document is written.
    return text.trim() === "" ? [] : [{ kind: "text", text }];
  }
  const children = Array.isArray(value) ? (value as readonly RawNode[]) : [];
  if (tag === COMMENT) {
    const text = children[0]?.[TEXT];
    return [{ kind: "comment", text: typeof text === "string" ? text : "" }];
  }
  const given = (raw[ATTRIBUTES] ?? {}) as Readonly<Record<string, unknown>>;
  const attributes = Object.fromEntries(
    Object.entries(given).map(([name, each]) => [name.slice(PREFIX.length), decode(String(each))]),
  );
  return [{ kind: "element", tag, attributes, children: children.flatMap(readNode) }];
}

const NAMED: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decode(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]+));/gi, (whole, hex, decimal, name: string) => {
    if (name !== undefined) return NAMED[name] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(String(hex), 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\n": "&#10;",
  "\r": "&#13;",
  "\t": "&#9;",
};

function encodeAttribute(text: string): string {
  return text.replaceAll(/[&<>"\n\r\t]/g, (character) => ESCAPES[character] ?? character);
}

function encodeText(text: string): string {
  return text.replaceAll(/[&<>]/g, (character) => ESCAPES[character] ?? character);
}

/** As text with two spaces per level; an element with text in it stays on one line, so that no white space is added. */
export function formatXml(node: XmlNode, depth = 0): string {
  const indent = "  ".repeat(depth);
  if (node.kind === "comment") return `${indent}<!--${node.text}-->\n`;
  if (node.kind === "text") return `${indent}${encodeText(node.text)}\n`;
  const attributes = Object.entries(node.attributes).map(([name, value]) => ` ${name}="${encodeAttribute(value)}"`);
  const open = `${indent}<${node.tag}${attributes.join("")}`;
  if (node.children.length === 0) return `${open}/>\n`;
  if (node.children.some((child) => child.kind === "text")) {
    const inner = node.children.map((child) => formatXml(child).trimEnd()).join("");
    return `${open}>${inner}</${node.tag}>\n`;
  }
  return `${open}>\n${node.children.map((child) => formatXml(child, depth + 1)).join("")}${indent}</${node.tag}>\n`;
}

export function element(
  tag: string,
  attributes: Readonly<Record<string, string>>,
  children: readonly XmlNode[] = [],
): XmlElement {
  return { kind: "element", tag, attributes, children };
}

/** The children that are elements, of this tag if one is given. */
export function elementsOf(parent: XmlElement | undefined, tag?: string): readonly XmlElement[] {
  return (parent?.children ?? []).filter(
    (child): child is XmlElement => child.kind === "element" && (tag === undefined || child.tag === tag),
  );
}

export function firstOf(parent: XmlElement | undefined, tag: string): XmlElement | undefined {
  return elementsOf(parent, tag)[0];
}

/** Every element below, in document order, whose tag is given. */
export function descendants(parent: XmlElement | undefined, tag: string): readonly XmlElement[] {
  return elementsOf(parent).flatMap((child) => [...(child.tag === tag ? [child] : []), ...descendants(child, tag)]);
}
