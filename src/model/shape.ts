/** Turns what zod found into findings that say what is wrong, why it matters and what to write. */
import type { z } from "zod";
import { unreachable } from "../base/assert.ts";
import { nearest } from "./nearest.ts";
import { quoted, type LeafProblem } from "./leaf.ts";
import { formatPath, type Finding, type SpecPath } from "./problem.ts";
import { specJsonSchema, specSchema } from "./schema.ts";

type Issue = z.core.$ZodIssue;

/** The part of JSON Schema that our own schema uses. */
interface SchemaNode {
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** Everything that is wrong with the shape of the document, in no particular order. */
export function shapeFindings(value: unknown): readonly Finding[] {
  const result = specSchema.safeParse(value);
  if (result.success) return [];
  const schema = specJsonSchema() as SchemaNode;
  const findings = result.error.issues.flatMap((issue) => findingsOf(schema, value, issue, []));
  return findings.filter((finding) => !isMisspelt(finding, findings) && !isFollowUp(finding, findings));
}

/** zod measures the length of a text even where it wanted a list. */
function isFollowUp(finding: Finding, findings: readonly Finding[]): boolean {
  if (finding.code !== "too-few" && finding.code !== "too-many") return false;
  const path = formatPath(finding.path);
  return findings.some((other) => other.code === "wrong-type" && formatPath(other.path) === path);
}

/** A required key that is missing because it stands there misspelt is told once, as the misspelling. */
function isMisspelt(finding: Finding, findings: readonly Finding[]): boolean {
  const key = finding.path.at(-1);
  if (finding.code !== "missing-key" || typeof key !== "string") return false;
  const parent = formatPath(finding.path.slice(0, -1));
  return findings.some(
    (other) =>
      other.code === "unknown-key" &&
      formatPath(other.path.slice(0, -1)) === parent &&
      nearest(String(other.path.at(-1)), [key]) === key,
  );
}

function findingsOf(schema: SchemaNode, value: unknown, issue: Issue, above: SpecPath): readonly Finding[] {
  const path: SpecPath = [...above, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  const at = schemaAt(schema, path);
  switch (issue.code) {
    case "custom":
      return [{ path, ...((issue.params as LeafProblem | undefined) ?? wrongValue(at)) }];
    case "invalid_type":
      return [typeFinding(schema, value, path, issue.expected)];
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(at, [...path, key], key));
    case "invalid_value":
      return [enumFinding(at, value, path, issue.values.map(String))];
    case "too_small":
    case "too_big":
      return [rangeFinding(at, value, path, issue)];
    case "invalid_union":
      return unionFindings(schema, value, issue, path);
    case "invalid_key":
    case "invalid_format":
    case "invalid_element":
    case "not_multiple_of":
      return [{ path, ...wrongValue(at), atKey: issue.code === "invalid_key" }];
    default:
      return unreachable(issue);
  }
}

/** Of the forms that a value may take, speaks of the one that it comes nearest to. */
function unionFindings(
  schema: SchemaNode,
  value: unknown,
  issue: Extract<Issue, { code: "invalid_union" }>,
  path: SpecPath,
): readonly Finding[] {
  const near = issue.errors.find((errors) => !errors.some((inner) => inner.path.length === 0 && isMismatch(inner)));
  if (near !== undefined) return near.flatMap((inner) => findingsOf(schema, value, inner, path));
  return [{ path, ...wrongValue(schemaAt(schema, path), valueAt(value, path)) }];
}

function isMismatch(issue: Issue): boolean {
  return issue.code === "invalid_type" || issue.code === "invalid_value";
}

function typeFinding(schema: SchemaNode, value: unknown, path: SpecPath, expected: string): Finding {
  const actual = valueAt(value, path);
  const at = schemaAt(schema, path);
  const why = described(at);
  const key = path.at(-1);
  if (actual === undefined && typeof key === "string") {
    return {
      code: "missing-key",
      path,
      what: `the key ${key} is missing`,
      why,
      remedy: `add e.g. ${key}: ${example(at)}`,
    };
  }
  const wanted = TYPE_WORDS[expected] ?? expected;
  if (path.length === 0) {
    return {
      code: "wrong-type",
      path,
      what: actual === null ? "the file is empty" : `the file holds ${kindOf(actual)} where a map of keys is wanted`,
      why: "a spec says what a cluster is to be",
      remedy: "begin with apiVersion: holdfast/v1; `holdfast init` writes a commented spec to start from",
    };
  }
  const quote = expected === "string" && (typeof actual === "number" || typeof actual === "boolean");
  return {
    code: "wrong-type",
    path,
    what:
      actual === null
        ? `there is no value where ${wanted} is wanted`
        : `${kindOf(actual)} stands where ${wanted} is wanted`,
    why,
    remedy: quote ? `put it in quotes: "${String(actual)}"` : `write e.g. ${example(at)}`,
  };
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a text",
  int: "a whole number",
  number: "a number",
  array: "a list",
  object: "a map of keys",
  record: "a map of keys",
  boolean: "true or false",
};

function kindOf(value: unknown): string {
  if (value === null) return "no value";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map of keys";
  if (typeof value === "string") return `the text ${quoted(value)}`;
  return `the ${typeof value === "number" ? "number" : "value"} ${JSON.stringify(value)}`;
}

function unknownKey(parent: SchemaNode | undefined, path: SpecPath, key: string): Finding {
  const keys = Object.keys(propertiesOf(parent));
  const meant = nearest(key, keys);
  return {
    code: "unknown-key",
    path,
    atKey: true,
    what: `there is no key ${quoted(key)} here`,
    why: "a misspelt key would be ignored silently",
    remedy: meant === undefined ? `the keys here are: ${keys.join(", ")}` : `did you mean ${meant}?`,
  };
}

function enumFinding(at: SchemaNode | undefined, value: unknown, path: SpecPath, values: readonly string[]): Finding {
  const actual = valueAt(value, path);
  const meant = typeof actual === "string" ? nearest(actual, values) : undefined;
  if (actual === undefined) {
    const key = String(path.at(-1));
    return {
      code: "missing-key",
      path,
      what: `the key ${key} is missing`,
      why: described(at),
      remedy: `add ${key}: ${values.join(" or ")}`,
    };
  }
  return {
    code: "wrong-value",
    path,
    what: `${kindOf(actual)} is not one of ${values.join(", ")}`,
    why: described(at),
    remedy: meant === undefined ? `write ${values.join(" or ")}` : `did you mean ${meant}?`,
  };
}

function rangeFinding(
  at: SchemaNode | undefined,
  value: unknown,
  path: SpecPath,
  issue: Extract<Issue, { code: "too_small" | "too_big" }>,
): Finding {
  const small = issue.code === "too_small";
  const bound = String(small ? issue.minimum : issue.maximum);
  const why = described(at);
  if (issue.origin === "array" || issue.origin === "string") {
    const unit = issue.origin === "array" ? "items" : "characters";
    return small
      ? { code: "too-few", path, what: "the list is empty", why, remedy: `write e.g. ${example(at)}` }
      : { code: "too-many", path, what: `there are more than ${bound} ${unit}`, why, remedy: `keep at most ${bound}` };
  }
  return {
    code: "out-of-range",
    path,
    what: `${String(valueAt(value, path))} is ${small ? "less" : "more"} than ${bound}`,
    why,
    remedy: `write a number of at ${small ? "least" : "most"} ${bound}`,
  };
}

function wrongValue(at: SchemaNode | undefined, actual?: unknown): LeafProblem {
  return {
    code: "wrong-value",
    what:
      actual === undefined
        ? "this is not a value that the key takes"
        : `${kindOf(actual)} is not a value that this key takes`,
    why: described(at),
    remedy: `write e.g. ${example(at)}`,
  };
}

function described(at: SchemaNode | undefined): string {
  return at?.description === undefined ? "" : `the key means: ${at.description}`;
}

/** An example in YAML's flow form, which is JSON without most of the quotes. */
function example(at: SchemaNode | undefined): string {
  const value = at?.examples?.[0];
  return value === undefined ? "a value" : flow(value);
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, member]) => `${key}: ${flow(member)}`)
      .join(", ")} }`;
  }
  return String(value);
}

function propertiesOf(at: SchemaNode | undefined): Readonly<Record<string, SchemaNode>> {
  if (at === undefined) return {};
  if (at.properties !== undefined) return at.properties;
  return Object.assign({}, ...(at.anyOf ?? []).map(propertiesOf)) as Readonly<Record<string, SchemaNode>>;
}

function schemaAt(schema: SchemaNode, path: SpecPath): SchemaNode | undefined {
  let at: SchemaNode | undefined = schema;
  for (const part of path) {
    if (at === undefined) return undefined;
    if (typeof part === "number") {
      at = at.items ?? at.anyOf?.find((form) => form.items !== undefined)?.items;
    } else {
      const properties = propertiesOf(at);
      at = Object.hasOwn(properties, part) ? properties[part] : undefined;
    }
  }
  return at;
}

export function valueAt(value: unknown, path: SpecPath): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Readonly<Record<string | number, unknown>>)[part];
  }
  return at;
}
