/**
 * Locks and probes of one client on a fileserver that nothing is done to. Pure.
 *
 * What is held over one protocol is tried over the other: to the server that is another client. The first try also takes
 * back the delegation under which the locks would never have left the client.
 */
import { mountSettings, sessionFolder, type ClientPlan, type PlannedLoop } from "./client-plan.ts";
import type { LoopKind, Protocol } from "./names.ts";
import type { FileserverTarget } from "./placement.ts";
import { fileOn, plannedLoop, stealing, type LoopGround } from "./planned-loop.ts";

const PROTOCOLS: readonly [Protocol, Protocol] = ["v3", "v4.2"];
const LOCKS_EACH = 10;

/** Adds to a client's plan the held locks on `target`, and with `probes` the loops that time it. */
export function besidePlan(
  plan: ClientPlan,
  ground: LoopGround,
  target: FileserverTarget,
  probes: readonly LoopKind[],
): ClientPlan {
  const { machine } = plan;
  const place = { machine, target, held: 0 };
  const held = PROTOCOLS.map((protocol) => plannedLoop(ground, { ...place, protocol, kind: "held", held: LOCKS_EACH }));
  const [first, second] = PROTOCOLS.map((protocol) => plannedLoop(ground, { ...place, protocol, kind: "steal" }));
  const seen = (loop: PlannedLoop): readonly PlannedLoop[] => held.filter(({ protocol }) => protocol !== loop.protocol);
  const steals = [first, second].flatMap((loop) =>
    loop === undefined
      ? []
      : [
          stealing(
            loop,
            seen(loop).map((other) => fileOn(ground, target, loop, other)),
          ),
        ],
  );
  const looks = held.flatMap((loop) => {
    const other = held.find(({ protocol }) => protocol !== loop.protocol);
    return other === undefined ? [] : [{ loop: loop.name, ...fileOn(ground, target, other, loop) }];
  });
  const timed = probes.map((kind) => ({
    ...plannedLoop(ground, { ...place, protocol: "v4.2", kind }),
    recordsPerRound: 1,
  }));
  const mounts = PROTOCOLS.map((protocol) => mountSettings({ ...ground, client: machine }, protocol, target));
  const known = new Set(plan.mounts.map(({ directory }) => directory));
  return {
    ...plan,
    mounts: [...plan.mounts, ...mounts.filter(({ directory }) => !known.has(directory))],
    loops: [...plan.loops, ...held, ...steals, ...timed],
    looks: [...plan.looks, ...looks],
    leftovers: [...plan.leftovers, ...mounts.slice(0, 1).map((mount) => sessionFolder(mount, ground.id))],
  };
}
