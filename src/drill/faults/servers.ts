/** Who serves a fileserver, looked at again and again while a fault is under way; and whether there were ever two. Pure. */

export interface ServerSample {
  readonly atMs: number;
  /** Has it mounted; undefined: the node could not be asked (off, frozen, booting). */
  readonly mounted: ReadonlyMap<string, boolean | undefined>;
  /** Nodes whose key is registered on its disk, by the storage's own word; undefined where that was not to be had. */
  readonly registered: readonly string[] | undefined;
  readonly holder: string | undefined;
}

/**
 * Nodes that have it mounted and can still write it. A node that was fenced while it was frozen or cut off has it mounted
 * until it reboots, and that does no harm: the storage refuses what it writes.
 */
export function writersOf({ mounted, registered }: ServerSample): readonly string[] {
  const having = [...mounted].flatMap(([node, has]) => (has === true ? [node] : []));
  if (registered !== undefined) return having.filter((node) => registered.includes(node));
  // Which of several could write it is not known then, and a guess would be an accusation.
  return having.length > 1 ? [] : having;
}

/** The node that serves; undefined where none does, or where it cannot be told which one. */
export function serverOf(sample: ServerSample): string | undefined {
  const writers = writersOf(sample);
  if (writers.length <= 1) return writers[0];
  return writers.find((node) => node === sample.holder);
}

export interface ServersVerdict {
  readonly samples: number;
  /** Of the samples in which nobody served, from the first to the last of each stretch, added up. */
  readonly unservedMs: number;
  readonly because: readonly string[];
}

/**
 * Two nodes that can both write is the one thing that must never be. Nodes are not asked at one instant: a move between
 * the two questions looks like it, once; so it takes two samples, one after the other, with the same two nodes.
 */
export function judgeServers(samples: readonly ServerSample[], fileserver: string): ServersVerdict {
  const twice = samples
    .map((sample) => writersOf(sample))
    .find((writers, at, all) => {
      const before = all[at - 1] ?? [];
      return writers.length > 1 && writers.filter((node) => before.includes(node)).length > 1;
    });
  let unservedMs = 0;
  for (const [at, sample] of samples.entries()) {
    const next = samples[at + 1];
    if (next !== undefined && writersOf(sample).length === 0) unservedMs += next.atMs - sample.atMs;
  }
  return {
    samples: samples.length,
    unservedMs: Math.round(unservedMs),
    because:
      twice === undefined ? [] : [`two servers: ${twice.join(" and ")} had ${fileserver} mounted and could write it`],
  };
}

/**
 * What the kernel's target says of a disk's reservations (core_scsi3 attributes in configfs: res_pr_registered_i_pts and
 * res_holder, target_core_configfs.c): initiators by name, of which the part behind the last colon is the machine.
 */
export function parseStorageKeys(printed: string): Pick<ServerSample, "registered" | "holder"> {
  const machineOf = (name: string): string => name.split(",")[0]?.split(":").at(-1) ?? name;
  const registered = [...printed.matchAll(/ Node: (\S+)/g)].map(([, name = ""]) => machineOf(name));
  const holder = / Initiator: (\S+)/.exec(printed)?.[1];
  return { registered: [...new Set(registered)], holder: holder === undefined ? undefined : machineOf(holder) };
}
