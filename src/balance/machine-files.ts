/** What has to be on a director's machine besides the executable and the spec, as data for whoever puts it there. Pure. */
import type { DirectorMachine, DirectorSpec } from "../model/director-spec.ts";
import { keepalivedText } from "./keepalived.ts";

export interface MachineFile {
  readonly path: string;
  readonly text: string;
  readonly because: string;
}

export interface MachineSetup {
  /** Debian's. */
  readonly packages: readonly string[];
  readonly files: readonly MachineFile[];
  /** Enabled and started, in this order; restarted when one of the files has changed. */
  readonly units: readonly string[];
}

/** tickle_tcp is in resource-agents. */
const PACKAGES = ["ipvsadm", "nftables", "iproute2", "kmod", "resource-agents"];

/** `machine` is one of the director's. The secret file and the spec are not among the files: they are the same on nodes. */
export function machineSetup(director: DirectorSpec, machine: DirectorMachine, timeScale: number): MachineSetup {
  const alone = director.machines.length === 1;
  if (alone) return { packages: PACKAGES, files: [], units: ["holdfast-director.service"] };
  return {
    packages: [...PACKAGES, "keepalived"],
    files: [
      {
        path: "/etc/keepalived/keepalived.conf",
        text: keepalivedText(director, machine, timeScale),
        because: "holds the flows' addresses on one of the machines",
      },
      {
        path: "/etc/default/keepalived",
        text: 'DAEMON_ARGS="--vrrp"\n',
        because: "VRRP only: the IPVS table is the director's",
      },
      {
        path: "/etc/systemd/system/keepalived.service.d/holdfast.conf",
        text: `# The addresses come after the table: an address without one refuses clients, and they wait 3 s and more.
[Unit]
Wants=holdfast-director.service
After=holdfast-director.service
`,
        because: "a machine that boots takes no packets before it knows where they go",
      },
    ],
    units: ["holdfast-director.service", "keepalived.service"],
  };
}
