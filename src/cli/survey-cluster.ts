/** What the commands that change a cluster look at: its nodes, and what the spec comes to on them. */
import packageJson from "../../package.json" with { type: "json" };
import { makeDesign } from "../apply/design.ts";
import type { Look } from "../apply/look.ts";
import { nodeShells, type OpenShell } from "../apply/node-shell.ts";
import { packagedTexts } from "../apply/packaging.ts";
import { survey } from "../apply/survey.ts";
import { Fault } from "../base/fault.ts";
import type { ObservedCluster } from "../model/observed.ts";
import type { Spec } from "../model/spec.ts";
import type { Design } from "../plan/design.ts";
import { systemClock } from "../system/clock.ts";
import { systemCommands } from "../system/commands.ts";
import { timeScaleFrom } from "./agent.ts";
import { askAgentsOf, reachNode } from "./reach.ts";
import type { SpecFile } from "./spec-file.ts";
import type { AgentClient } from "../wire/client.ts";
import type { Option } from "./command.ts";

export interface SurveyChoice {
  readonly timeScale: number | undefined;
  readonly consents: readonly string[];
}

export interface Surveyed {
  readonly observed: ObservedCluster;
  /** Absent in tests that look at agents alone. */
  readonly design?: Design;
  readonly looks: ReadonlyMap<string, Look>;
}

/** Never rejects for a node that does not answer: such a node is unknown. */
export type SurveyCluster = (file: SpecFile, choice: SurveyChoice) => Promise<Surveyed>;

export const surveyCluster: SurveyCluster = async ({ spec }, choice) => {
  const { observed, looks } = await survey(spec, {
    shell: shellsOf(spec),
    askAgents: (nodes) => askAgentsOf(spec, nodes),
    wallMs: () => systemClock.wallMs(),
  });
  const { timeScale, consents } = choice;
  const design = makeDesign(spec, looks, {
    version: packageJson.version,
    packaged: await packagedTexts(),
    ...(timeScale === undefined ? {} : { timeScale }),
    consents,
  });
  return { observed, design, looks };
};

export function shellsOf(spec: Spec): OpenShell {
  return nodeShells(spec, systemCommands({ timeScale: 1 }));
}

export async function withAgentOf<T>(spec: Spec, node: string, ask: (agent: AgentClient) => Promise<T>): Promise<T> {
  const reached = await reachNode(spec, node);
  try {
    return await ask(reached.agent);
  } finally {
    await reached.close();
  }
}

export const TIME_SCALE_OPTION: Option = {
  flags: "--time-scale <n>",
  help: "multiply every time limit, for emulated machines; default what the nodes have, else HOLDFAST_TIME_SCALE, else 1",
};

/** Undefined: as the nodes have it. */
export function timeScaleOption(options: Readonly<Record<string, unknown>>): number | undefined {
  const given = options["timeScale"] ?? process.env["HOLDFAST_TIME_SCALE"];
  return typeof given === "string" && given !== "" ? timeScaleFrom(given) : undefined;
}

export const CONSENT_OPTION: Option = {
  flags: "--consent-format <device...>",
  help: "a device that may be formatted although it carries something; all of it is lost",
};

export function consentOption(options: Readonly<Record<string, unknown>>, spec: Spec): readonly string[] {
  const given = options["consentFormat"];
  const consents = Array.isArray(given) ? given.map(String) : [];
  const known = spec.fileservers.flatMap(({ volumes }) =>
    volumes.flatMap(({ device, disks = [] }) => [
      ...disks,
      device.kind === "lv" ? `${device.vg}/${device.lv}` : device.path,
    ]),
  );
  const stranger = consents.find((consent) => !known.includes(consent));
  if (stranger === undefined) return consents;
  throw new Fault({
    kind: "invalid",
    code: "consent-unknown",
    what: `${stranger} is no device of this spec`,
    why: "a consent is for one device, under the name that the spec has for it",
    remedy: `devices: ${known.join(", ")}`,
  });
}
