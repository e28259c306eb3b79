import { z } from "zod";
import { Fault } from "../base/fault.ts";

/** What is asked for wrongly is the asker's mistake: nothing was tried. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Fault({ kind: "invalid", code: "invalid-request", what: z.prettifyError(parsed.error) });
}
