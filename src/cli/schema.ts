import { specJsonSchema } from "../model/schema.ts";
import type { CliCommand } from "./command.ts";

export const SCHEMA: CliCommand = {
  words: ["schema"],
  summary: "print the JSON Schema of the spec, for editors",
  details: [
    "With it an editor completes keys and shows what they mean, e.g. as the first line of holdfast.yaml:",
    "  # yaml-language-server: $schema=./holdfast.schema.json",
  ].join("\n"),
  arguments: [],
  options: [],
  run: ({ io }) => {
    const schema = specJsonSchema();
    io.say(JSON.stringify(schema, null, 2));
    io.document(schema);
    return Promise.resolve(0);
  },
};
