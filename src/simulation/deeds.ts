/** What each step does to a node of the simulation; the real ones are in agent/steps. */
import type { Step, StepKind } from "../failover/step.ts";
import { quick, type SimDeed, type SimDeeds } from "./deed.ts";
import { releaseDeeds } from "./release-deeds.ts";
import { takeoverDeeds } from "./takeover-deeds.ts";

type WarmKind =
  | "create-namespaces"
  | "create-link"
  | "furnish-namespaces"
  | "install-filter"
  | "start-rpcbind"
  | "start-mountd"
  | "start-statd"
  | "remove-namespaces";

const warmDeeds: SimDeeds<WarmKind> = {
  "create-namespaces": quick(20, ({ node }) => void (node.site.holder = true)),
  "create-link": quick(15, ({ node }) => void (node.site.link = true)),
  "furnish-namespaces": quick(30, () => undefined),
  "install-filter": quick(10, () => undefined),
  "start-rpcbind": quick(20, ({ node }) => void (node.site.rpcbind = true)),
  "start-mountd": quick(30, ({ node }) => void (node.site.mountd = true)),
  "start-statd": quick(20, ({ node }) => void (node.site.statd = true)),
  "remove-namespaces": quick(20, ({ node: { site } }) => {
    for (const name of ["holder", "link", "rpcbind", "mountd", "statd", "nfsdcld", "notifier"] as const)
      site[name] = false;
    site.linkUp = false;
    site.requestsHeld = false;
    site.silenced = false;
  }),
};

const DEEDS: SimDeeds<StepKind> = {
  ...warmDeeds,
  ...takeoverDeeds,
  ...releaseDeeds,
  // Simulated clients reach their servers without a director: no graph here has it.
  "tell-directors": quick(5, () => undefined),
  // Who hears of it on the wire is not modelled: a fenced node falls silent by its own looks here.
  "announce-address": quick(5, () => undefined),
};

export function deedOf(step: Step): SimDeed {
  return DEEDS[step.kind];
}
