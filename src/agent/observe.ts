/** Looks for a fileserver on this node. Nothing is remembered: a restarted agent finds things as they are. */
import { messageOf } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import { judge, type Judgement, type Sighting } from "../failover/judge.ts";
import { HOLD_GROUP, OPEN_GROUP } from "../linux/hold-filter.ts";
import { isHushGroup } from "../linux/hush-filter.ts";
import { mapperName } from "../lvm/volume-group.ts";
import type { FileserverSpec } from "../model/spec.ts";
import { holderPid, linkGroup, linkIsUp, mapperDevice, mountsInside, nfsdThreads, scopeProcesses } from "./inside.ts";
import { volumePath } from "./places.ts";

export interface Found {
  readonly judgement: Judgement;
  readonly sighting: Sighting;
  readonly holderPid?: number;
  /** Any process inside the namespaces, the holder before others. */
  readonly insidePid?: number;
}

export async function observe(fileserver: FileserverSpec): Promise<Observed<Found>> {
  try {
    const scope = await scopeProcesses(fileserver.name);
    const holder = await holderPid(fileserver.name, scope);
    const insidePid = holder ?? scope.find((process) => process.name !== "systemd-run")?.pid;
    const [threads, link, mounts] =
      insidePid === undefined
        ? [0, { up: false, group: OPEN_GROUP }, []]
        : await Promise.all([
            nfsdThreads(insidePid),
            seeLink({ isUp: () => linkIsUp(insidePid), group: () => linkGroup(insidePid) }),
            mountsInside(insidePid),
          ]);
    const active = await Promise.all(
      fileserver.volumes.map(
        async ({ device }) =>
          device.kind === "lv" && (await mapperDevice(mapperName(device.vg, device.lv))) !== undefined,
      ),
    );
    const sighting: Sighting = {
      processes: scope.map((process) => process.name),
      holder: holder !== undefined,
      nfsdThreads: threads,
      linkUp: link.up,
      requestsHeld: link.group === HOLD_GROUP,
      volumes: fileserver.volumes.length,
      volumesMounted: fileserver.volumes.filter((volume) => mounts.some((mount) => mount.path === volumePath(volume)))
        .length,
      volumesActive: active.filter(Boolean).length,
    };
    return known({
      judgement: judge(sighting, fileserver.protocols.includes("v3")),
      sighting,
      ...(holder === undefined ? {} : { holderPid: holder }),
      ...(insidePid === undefined ? {} : { insidePid }),
    });
  } catch (error) {
    return unknown(`${fileserver.name} could not be looked at: ${messageOf(error)}`);
  }
}

export interface LinkLook {
  readonly isUp: () => Promise<boolean>;
  readonly group: () => Promise<number | undefined>;
}

/**
 * Whether the link serves. In the moment of a hush it is up and serves nobody, and nothing has to be undone after it; that
 * moment may begin and end between one look and the next, so what seems to be up is looked at again.
 */
export async function seeLink(look: LinkLook): Promise<{ readonly up: boolean; readonly group: number | undefined }> {
  const up = await look.isUp();
  const group = await look.group();
  return { up: up && !isHushGroup(group) && (await look.isUp()), group };
}
