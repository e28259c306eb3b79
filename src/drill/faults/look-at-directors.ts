/** What directors say of a fileserver, asked on their machines: no program of ours is started for it. */
import { Fault, messageOf } from "../../base/fault.ts";
import type { DirectorSpec } from "../../model/director-spec.ts";
import type { Spec } from "../../model/spec.ts";
import { waitFor } from "../../system/clock.ts";
import { DIRECTOR_STATUS_PATH, type DirectorStatus } from "../../wire/director.ts";
import { run } from "../client.ts";
import type { World } from "../measure.ts";

type Asking = Pick<World, "machines" | "clock" | "spec">;

const SOCKET = "/run/holdfast/director.sock";
const ASK_TIMEOUT_MS = 20_000;
const ASK_INTERVAL_MS = 1_000;

function directorOf(spec: Spec | undefined, fileserver: string): DirectorSpec | undefined {
  return spec?.directors.find(({ services }) => services.some((service) => service.fileserver === fileserver));
}

/** Machines of the director before the fileserver; none where there is no director. */
export function directorsOf(spec: Spec | undefined, fileserver: string): readonly string[] {
  return directorOf(spec, fileserver)?.machines.map(({ name }) => name) ?? [];
}

/** Rejects where none has it, or more than one. */
export async function directorWithAddress(world: Asking, fileserver: string): Promise<string> {
  const machines = directorsOf(world.spec, fileserver);
  const replies = await Promise.all(machines.map((machine) => ask(world, machine, fileserver)));
  const having = replies.flatMap(({ machine, here }) => (here ? [machine] : []));
  const [only] = having;
  if (only !== undefined && having.length === 1) return only;
  const problems = replies.flatMap(({ problem }) => problem ?? []);
  throw new Fault({
    code: "no-one-director",
    what: `the address of ${fileserver} is on ${having.length === 0 ? "no director" : having.join(" and ")}${problems.length === 0 ? "" : `: ${problems.join("; ")}`}`,
  });
}

/**
 * Until every director of the fileserver sends its packets to the node that serves, and exactly one has the address.
 * Rejects past the bound, with what was wrong last.
 */
export async function expectDirectors(
  world: Asking,
  fileserver: string,
  servingNow: () => Promise<string>,
  timeoutMs: number,
): Promise<void> {
  let troubles: readonly string[] = ["they were not asked"];
  const bound = { what: "the directors", timeoutMs, intervalMs: ASK_INTERVAL_MS };
  const agreed = await waitFor(world.clock, bound, async () => {
    const node = await servingNow();
    const replies = await Promise.all(directorsOf(world.spec, fileserver).map((one) => ask(world, one, fileserver)));
    troubles = troublesOf(replies, node);
    return troubles.length === 0 ? true : undefined;
  });
  if (agreed === true) return;
  throw new Fault({
    code: "directors-disagree",
    what: `the directors of ${fileserver} are not as they should be after ${Math.round(timeoutMs / 1000)} s: ${troubles.join("; ")}`,
  });
}

interface Reply {
  readonly machine: string;
  readonly here: boolean;
  readonly serving: readonly string[];
  readonly problem?: string;
}

function troublesOf(replies: readonly Reply[], node: string): readonly string[] {
  const having = replies.flatMap(({ machine, here }) => (here ? [machine] : []));
  return [
    ...replies.flatMap(({ problem }) => problem ?? []),
    ...replies
      .filter(({ problem, serving }) => problem === undefined && serving.join() !== node)
      .map(({ machine, serving }) => `${machine} sends packets to ${serving.join(", ") || "nobody"}, not to ${node}`),
    ...(having.length === 1 ? [] : [`the address is on ${having.join(" and ") || "no director"}`]),
  ];
}

async function ask({ machines }: Asking, machine: string, fileserver: string): Promise<Reply> {
  const nothing = { machine, here: false, serving: [] };
  try {
    const call = ["curl", "--silent", "--fail", "--max-time", "10", "--unix-socket", SOCKET];
    const text = await run(machines, machine, [...call, `http://director${DIRECTOR_STATUS_PATH}`], {
      timeoutMs: ASK_TIMEOUT_MS,
    });
    const { services, problems } = JSON.parse(text) as DirectorStatus;
    const service = services.find((one) => one.fileserver === fileserver);
    if (service === undefined) return { ...nothing, problem: `${machine} does not know ${fileserver}` };
    const { here, serving } = service;
    return {
      machine,
      here,
      serving,
      ...(problems.length === 0 ? {} : { problem: `${machine}: ${problems.join(", ")}` }),
    };
  } catch (error) {
    return { ...nothing, problem: `${machine}: ${messageOf(error)}` };
  }
}
