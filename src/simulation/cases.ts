/** The fileservers that schedules are about. Specs and graphs are made once per logic, not once per schedule. */
import { parseFileserverName, parseVolumeName } from "../model/names.ts";
import { defined } from "../base/assert.ts";
import type { FileserverSpec, VolumeSpec } from "../model/spec.ts";
import { makeGraphs, type Graphs, type Logic } from "./logic.ts";
import type { Random } from "./random.ts";

export interface LogicCase {
  readonly logic: Logic;
  readonly fileserver: FileserverSpec;
  readonly graphs: Graphs;
}

export interface Cases {
  draw(random: Random): LogicCase;
}

const SYSTEM_IDS: readonly string[] = ["n1", "n2", "n3"];
const GRACE_S = 20;
const LEASE_S = 15;

export function makeCases(logic: Logic): Cases {
  const made = [1, 2].map((volumes) => {
    const fileserver = sampleFileserver(volumes);
    return { logic, fileserver, graphs: makeGraphs(logic, fileserver, SYSTEM_IDS) };
  });
  return { draw: (random) => random.pick(made) };
}

function sampleFileserver(volumes: number): FileserverSpec {
  return {
    name: defined(parseFileserverName("home"), "a name"),
    hostname: "home.lab.example",
    addresses: [{ family: 4, address: "10.77.0.50", prefixLength: 24 }],
    gateways: [],
    interface: "eth1",
    link: "macvlan",
    mac: "02:00:00:00:00:01",
    protocols: ["v3", "v4"],
    volumes: Array.from({ length: volumes }, (_, index) => sampleVolume(`data${index + 1}`)),
    exports: [],
    placement: { failback: "manual" },
    nfs: {
      threads: 16,
      leaseS: LEASE_S,
      graceS: GRACE_S,
      courtesyS: 3_600,
      allowV40: false,
      ports: { mountd: 20_048, statd: 662, lockd: 4_001 },
    },
  };
}

/** Each in a group of its own, on a LUN of its own: what protects one does not protect the other. */
function sampleVolume(name: string): VolumeSpec {
  return {
    name: defined(parseVolumeName(name), "a name"),
    device: { kind: "lv", vg: name, lv: name },
    filesystem: "xfs",
    mountPath: `/export/${name}`,
  };
}
