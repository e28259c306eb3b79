/**
 * A real tree of small files on the volume, as the work of a drill: what Debian packages brought to the node, with
 * checksums. It is made by the serving node on the volume itself: 20,000 creations through an emulated client take
 * many minutes, and the client is to meet the tree uncached anyway.
 */
import { Fault } from "../base/fault.ts";
import { runScript, run } from "./client.ts";
import { mountPatternOn, type FileserverTarget } from "./placement.ts";
import type { Machines } from "./ports.ts";

export const TREE_FILES_MIN = 20_000;
/** Below the export: world-writable, because clients' root is squashed. */
export const DRILL_FOLDER = "holdfast-drill";
const TREE_TIMEOUT_MS = 600_000;

export interface TreeSettings {
  readonly node: string;
  readonly target: FileserverTarget;
  /** 0: only the folder, no tree. */
  readonly files: number;
}

/** Enters the mount namespace of a process that has the export mounted, and runs the script from there. */
const ENTER = `pid=$(grep -l -s -E -- "$1" /proc/[0-9]*/mountinfo | head -n 1 | cut -d/ -f3)
shift
if [ -z "$pid" ]; then echo "no process on this machine has $1 mounted" >&2; exit 66; fi
exec nsenter -t "$pid" -m sh -s -- "$@"
`;

export const TREE_SCRIPT = `set -eu
umask 0
folder=$1/$2 want=$3
mkdir -p "$folder"; chmod 1777 "$folder"
cd "$folder"
have=$(cat tree.ready 2>/dev/null || echo 0)
if [ "$want" -eq 0 ] || [ "$have" -ge "$want" ]; then echo "$have"; exit 0; fi
rm -rf tree tree.ready tree.md5; mkdir tree
list=$(mktemp)
trap 'rm -f "$list"' EXIT
# Files of up to 8 KiB; names that md5sum would have to quote are left out.
find \${4:-/usr /var/lib/dpkg/info} -xdev -type f -size -9k ! -name '*[\\\\
]*' 2>/dev/null | head -n "$want" | cut -c2- > "$list"
[ -s "$list" ] || { echo "found no files to copy" >&2; exit 67; }
have=0 round=0
while [ "$have" -lt "$want" ]; do
  round=$((round + 1)); mkdir "tree/$round"
  head -n $((want - have)) "$list" | tar -C / --owner=65534 --group=65534 --mode=a+rw --ignore-failed-read -cf - -T - | tar -C "tree/$round" -xpf -
  have=$(find tree -type f | wc -l)
  [ "$round" -lt 200 ] || { echo "only $have of $want files after $round copies" >&2; exit 68; }
done
(cd tree && find . -type f -print0 | xargs -0 md5sum) | sed 's|^\\([0-9a-f]*  \\)[.]/|\\1|' > tree.md5
sync -f .
echo "$have" > tree.ready
echo "$have"
`;

/** Makes the drill's folder and the tree once; resolves with the number of files in it. */
export async function prepareTree(machines: Machines, settings: TreeSettings): Promise<number> {
  const { node, target, files } = settings;
  const argv = [
    "sh",
    "-c",
    ENTER,
    "sh",
    await mountPatternOn(machines, node, target),
    target.exportPath,
    DRILL_FOLDER,
    String(files),
  ];
  const printed = await run(machines, node, argv, { input: TREE_SCRIPT, timeoutMs: TREE_TIMEOUT_MS });
  const count = Number(printed.trim());
  if (Number.isInteger(count) && count >= files) return count;
  throw new Fault({ code: "tree-not-made", what: `the tree on ${node} has ${printed.trim()} files, wanted ${files}` });
}

/** Takes what one session left; the tree stays for the next. */
export async function removeSession(machines: Machines, client: string, directory: string): Promise<void> {
  await runScript(machines, client, 'rm -rf -- "$1"\n', [directory], TREE_TIMEOUT_MS);
}
