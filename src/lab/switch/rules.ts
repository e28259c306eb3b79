/** Fault rules as data: what happens to frames on the cable between the switch and one machine, in one direction. */
import type { Random } from "./random.ts";

/** `in` is towards the machine, `out` is from it. */
export type Direction = "in" | "out";

export const DIRECTIONS: readonly Direction[] = ["in", "out"];

export interface Rule {
  /** Nothing passes; the machine still sees its link as up, as with a broken path further away. */
  readonly cut: boolean;
  /** Probability from 0 to 1 that a frame is lost. */
  readonly loss: number;
  readonly delayMs: number;
  /** Added to the delay, evenly spread from 0 to this. Frames keep their order: later ones wait for earlier ones. */
  readonly jitterMs: number;
}

/** Keys that are not there stay as they were. */
export type RuleChange = { readonly [K in keyof Rule]?: Rule[K] | undefined };

/** The one rule that does nothing; compared by identity on the fast path, so `changeRule` returns it where it can. */
export const CLEAR: Rule = { cut: false, loss: 0, delayMs: 0, jitterMs: 0 };

export function changeRule(rule: Rule, change: RuleChange): Rule {
  const changed: Rule = {
    cut: change.cut ?? rule.cut,
    loss: change.loss ?? rule.loss,
    delayMs: change.delayMs ?? rule.delayMs,
    jitterMs: change.jitterMs ?? rule.jitterMs,
  };
  const clear = !changed.cut && changed.loss === 0 && changed.delayMs === 0 && changed.jitterMs === 0;
  return clear ? CLEAR : changed;
}

/** Verdicts are numbers, so that none is allocated per frame: these two, or a delay of 0 ms and more. */
export const DROP_CUT = -1;
export const DROP_LOST = -2;

/** Draws from `random` only what the rule needs: one number for loss, one for jitter. */
export function judge(rule: Rule, random: Random): number {
  if (rule === CLEAR) return 0;
  if (rule.cut) return DROP_CUT;
  if (rule.loss > 0 && random() < rule.loss) return DROP_LOST;
  return rule.jitterMs > 0 ? rule.delayMs + random() * rule.jitterMs : rule.delayMs;
}
