/** What the schemas of a spec are put together from. */
import { z } from "zod";
import { checkName, type LeafCheck } from "./leaf.ts";
import { NAME_LENGTH_MAX } from "./names.ts";

interface TextMeta {
  readonly description: string;
  readonly examples: readonly string[];
  readonly pattern?: string;
  readonly maxLength?: number;
}

/** A text with its check; pattern and length go to the JSON Schema only, since the check says more. */
export function text(check: LeafCheck, meta: TextMeta) {
  return z
    .string()
    .superRefine((value, context) => {
      const problem = check(value);
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem.what, params: { ...problem } });
    })
    .meta({ ...meta, examples: [...meta.examples] });
}

const NAME_PATTERN = { pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", maxLength: NAME_LENGTH_MAX };

export function name(description: string, example: string) {
  return text(checkName, { description, examples: [example], ...NAME_PATTERN });
}

export function whole(min: number, max: number, description: string, example: number) {
  return z
    .int()
    .min(min)
    .max(max)
    .meta({ description, examples: [example] });
}

export function oneOrMore<T extends z.ZodType>(
  item: T,
  max: number,
  description: string,
  examples: readonly unknown[],
) {
  return z.union([item, z.array(item).min(1).max(max)]).meta({ description, examples: [...examples] });
}
