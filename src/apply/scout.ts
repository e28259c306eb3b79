/** What a machine that is to become a node tells of itself, so that nobody has to type it: name, networks, empty disks. */
import { formatCidr, networkOf, parseCidr } from "../model/address.ts";

export interface Scout {
  readonly hostname: string;
  /** Addresses with prefix length of interfaces that lead somewhere, in the interfaces' order. */
  readonly links: readonly { readonly interface: string; readonly cidr: string }[];
  /** Whole disks under their stable names. */
  readonly disks: readonly { readonly path: string; readonly sizeBytes: number; readonly empty: boolean }[];
}

export interface Scouted {
  readonly nodes: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  /** Of the first machine. */
  readonly links: Scout["links"];
  /** Disks that every machine sees under one name, with nothing on them, largest first. */
  readonly emptyDisks: readonly string[];
}

export const SCOUT_SCRIPT = `PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8; export PATH LC_ALL
say() { printf '%s\\t%s\\n' "$1" "$2"; }
say hostname "$(hostname -s 2>/dev/null || hostname)"
ip -o -4 addr show scope global 2>/dev/null | while read -r number name family cidr rest; do say link "$name $cidr"; done
for path in /dev/disk/by-id/wwn-* /dev/disk/by-id/scsi-* /dev/disk/by-id/nvme-* /dev/disk/by-id/virtio-*; do
  [ -b "$path" ] || continue
  case $path in *-part[0-9]*) continue ;; esac
  device=$(readlink -f "$path"); name=\${device##*/}
  status=0; blkid -p "$path" >/dev/null 2>&1 || status=$?
  empty=no; [ $status -ne 2 ] || [ -n "$(ls /sys/class/block/$name/holders 2>/dev/null)" ] || grep -qs "^$device" /proc/mounts || empty=yes
  say disk "$path $(cat /sys/class/block/$name/size 2>/dev/null || echo 0) $empty $device"
done
say end end
`;

const SECTOR_BYTES = 512;

/** Undefined where the answer was cut short. */
export function readScout(text: string): Scout | undefined {
  const lines = text.split("\n").map((line) => {
    const [key = "", value = ""] = line.split("\t");
    return { key, words: value.trim().split(" ") };
  });
  if (!lines.some(({ key }) => key === "end")) return undefined;
  const devices = new Set<string>();
  return {
    hostname: lines.find(({ key }) => key === "hostname")?.words[0] ?? "",
    links: lines.flatMap(({ key, words }) =>
      key === "link" && words.length >= 2 ? [{ interface: words[0] ?? "", cidr: words[1] ?? "" }] : [],
    ),
    disks: lines.flatMap(({ key, words }) => {
      const [path = "", sectors = "0", empty = "no", device = ""] = words;
      // The first of a disk's names counts; wwn- comes first, because every node gives it the same.
      if (key !== "disk" || devices.has(device)) return [];
      devices.add(device);
      return [{ path, sizeBytes: Number(sectors) * SECTOR_BYTES, empty: empty === "yes" }];
    }),
  };
}

/** Rings: more of them are more cables to watch, and two are enough for any single fault. */
const LINKS_MAX = 2;

export function combineScouts(scouts: readonly Scout[]): Scouted {
  const [first, ...others] = scouts;
  if (first === undefined) return { nodes: [], links: [], emptyDisks: [] };
  const networks = first.links
    .map(({ cidr }) => networkText(cidr))
    .filter((network) => isShared(network, scouts))
    .slice(0, LINKS_MAX);
  return {
    nodes: scouts.map((scout) => ({
      name: scout.hostname,
      addresses: networks.flatMap((network) => addressIn(network, scout) ?? []),
    })),
    links: first.links,
    emptyDisks: first.disks
      .filter(({ path, empty }) => empty && others.every((other) => isEmptyThere(path, other)))
      .toSorted((a, b) => b.sizeBytes - a.sizeBytes)
      .map(({ path }) => path),
  };
}

function networkText(cidr: string): string | undefined {
  const parsed = parseCidr(cidr);
  return parsed === undefined ? undefined : formatCidr(networkOf(parsed.address, parsed.prefixLength));
}

function addressIn(network: string | undefined, scout: Scout): string | undefined {
  return scout.links.find(({ cidr }) => networkText(cidr) === network)?.cidr.split("/")[0];
}

/** Every machine is in it, each with an address of its own: a hypervisor's private network gives all of them the same. */
function isShared(network: string | undefined, scouts: readonly Scout[]): boolean {
  if (network === undefined) return false;
  const addresses = scouts.map((scout) => addressIn(network, scout));
  return addresses.every((address) => address !== undefined) && new Set(addresses).size === scouts.length;
}

function isEmptyThere(path: string, scout: Scout): boolean {
  return scout.disks.some((disk) => disk.path === path && disk.empty);
}
