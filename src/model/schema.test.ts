import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { specJsonSchema } from "./schema.ts";
import { shapeFindings, valueAt } from "./shape.ts";
import { readSource } from "./source.ts";

interface Node {
  readonly description?: string;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: unknown;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly type?: string;
}

function visit(node: Node, path: string, see: (node: Node, path: string) => void): void {
  see(node, path);
  for (const [key, inner] of Object.entries(node.properties ?? {})) visit(inner, `${path}.${key}`, see);
  if (node.items !== undefined) visit(node.items, `${path}[]`, see);
  for (const inner of node.anyOf ?? []) visit(inner, `${path}|`, see);
}

describe("the JSON Schema", () => {
  // The shape of any JSON Schema.
  const schema = specJsonSchema() as unknown as Node & {
    readonly $schema: string;
    readonly required: readonly string[];
  };

  test("is of the draft that editors read, and says which version of the spec it is for", () => {
    assert.equal(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
    assert.equal(schema.properties?.["apiVersion"]?.const, "holdfast/v1");
    assert.deepEqual(schema.required, ["apiVersion", "cluster"]);
  });

  test("describes every key, and allows no unknown one", () => {
    const bare: string[] = [];
    const open: string[] = [];
    visit(schema, "", (node, path) => {
      const key = path.split(".").at(-1) ?? "";
      if (
        key !== "" &&
        !/[\]|]$/.test(key) &&
        node.description === undefined &&
        node.anyOf === undefined &&
        node.type !== "object"
      )
        bare.push(path);
      if (node.properties !== undefined && node.additionalProperties !== false) open.push(path);
    });
    assert.deepEqual(bare, []);
    assert.deepEqual(open, []);
  });

  test("is the same each time, and JSON", () => {
    assert.deepEqual(JSON.parse(JSON.stringify(schema)), specJsonSchema());
  });
});

describe("the shape of a document", () => {
  test("the sample's is right", () => {
    const read = readSource(SAMPLE_SPEC);
    assert.ok(read.ok);
    assert.deepEqual(shapeFindings(read.source.value), []);
  });

  test("words that JavaScript objects inherit are unknown keys like any other", () => {
    const value = JSON.parse(
      '{"apiVersion":"holdfast/v1","constructor":1,"__proto__":2,"toString":3,"cluster":{"hasOwnProperty":1}}',
    ) as unknown;
    const unknown = shapeFindings(value).filter((finding) => finding.code === "unknown-key");
    assert.deepEqual(unknown.map((finding) => String(finding.path.at(-1))).toSorted(), [
      "__proto__",
      "constructor",
      "hasOwnProperty",
      "toString",
    ]);
    assert.equal(valueAt(value, ["cluster", "toString"]), undefined);
    assert.equal(valueAt(value, ["cluster", "hasOwnProperty"]), 1);
  });
});
