/**
 * Fileservers of other shapes than the lab's own: several volumes in one group, ext4, a plain disk without LVM, IPv6 only.
 * Each moves there and back under a client, and nothing is lost. Not an ipvlan: on one interface it cannot stand beside
 * the macvlan of the other fileserver.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import type { DrillDocument } from "../../src/drill/document.ts";
import { prepareVolumesScript } from "../../src/lab/cluster-spec.ts";
import {
  assertNothingLost,
  bringLabUp,
  holdfast,
  LAB,
  prepareIn,
  releaseScript,
  said,
  servedBy,
  specFile,
  takeLabDown,
} from "./lab-under-test.ts";

const COMMAND_TIMEOUT_MS = 240_000;
const DRILL_TIMEOUT_MS = 900_000;
const NODES = ["n1", "n2"] as const;
const AGENT_SOCKET = "/run/holdfast/agent.sock";

interface Shape {
  readonly what: string;
  readonly family: "4" | "6";
  readonly protocols: readonly string[];
  /** Lines of the fileserver `media` in the spec, from its hostname on. */
  readonly spec: string;
  /** $disk is the whole LUN, empty. */
  readonly volumes: string;
}

/** A file system as an administrator leaves it for Holdfast. */
const FURNISH = `furnish() {
  mkdir -p /run/lab/volume; mount "$1" /run/lab/volume
  install -d -m 0700 /run/lab/volume/.holdfast; install -d -m 1777 /run/lab/volume/export
  umount /run/lab/volume
}`;

const SHAPES: readonly Shape[] = [
  {
    what: "an IPv6 address only, two volumes in one group, the second one ext4",
    family: "6",
    protocols: ["v4.2", "v3"],
    spec: `    hostname: media.lab.example
    address: "fd77::51/64"
    interface: eth1
    volumes:
      - { name: data, device: media/data, filesystem: xfs }
      - { name: more, device: media/more, filesystem: ext4 }
    exports:
      - { path: /export/data, volume: data, clients: [{ match: "fd77::/64", options: [rw] }] }
      - { path: /export/more, volume: more, clients: [{ match: "fd77::/64", options: [rw] }] }
`,
    volumes: `pvcreate -q -y $disk >/dev/null; vgcreate -q --setautoactivation n media $disk >/dev/null
lvcreate -q -y -W n -L 2G -n data media >/dev/null; lvcreate -q -y -W n -l 100%FREE -n more media >/dev/null
mkfs.xfs -q -f -K /dev/media/data; furnish /dev/media/data
mkfs.ext4 -q -F -E nodiscard /dev/media/more; furnish /dev/media/more
vgchange -q -a n media >/dev/null`,
  },
  {
    what: "ext4 on a plain disk",
    family: "4",
    protocols: ["v4.2", "v3"],
    spec: `    hostname: media.lab.example
    address: 10.77.0.51/24
    interface: eth1
    volumes:
      - { name: data, device: DISK, filesystem: ext4 }
    exports:
      - { path: /export/data, volume: data, clients: [{ match: 10.77.0.0/24, options: [rw] }] }
`,
    volumes: "mkfs.ext4 -q -F -E nodiscard $disk; furnish $disk",
  },
];

/** The disk below `media`, by the name that it has on every node. */
const DISK = "$(ls /dev/disk/by-id/wwn-0x60014051* | grep -v part | head -n 1)";

async function answering(node: string): Promise<void> {
  const script = `systemctl restart holdfast-agent
tries=0; until socat -u OPEN:/dev/null UNIX-CONNECT:${AGENT_SOCKET} 2>/dev/null; do
  tries=$((tries + 1)); [ $tries -lt 120 ] || exit 1; sleep 0.5; done`;
  await prepareIn(node, script);
}

/** Nobody serves `media`; its disk is made anew, and every node and the command line have the spec. */
async function reshape(spec: string, volumes: string): Promise<void> {
  const on = await servedBy("media");
  if (typeof on === "string") await prepareIn(on, releaseScript("media"));
  await prepareIn(
    "n1",
    `${FURNISH}
disk=${DISK}
vgremove -q -y --config 'local/extra_system_ids=["n2"]' media >/dev/null 2>&1 || true
pvremove -q -y -ff $disk >/dev/null 2>&1 || true
wipefs -q -a $disk; udevadm settle
${volumes}
udevadm settle`,
  );
  await writeFile(specFile(), spec);
  for (const node of NODES) {
    await prepareIn(node, `cat > /etc/holdfast/holdfast.yaml <<'END-OF-SPEC'\n${spec}END-OF-SPEC`);
    await answering(node);
  }
  const served = await holdfast(["move", "media", "n1", "--json", "-f", specFile()], COMMAND_TIMEOUT_MS);
  assert.equal(served.status, 0, said(served));
}

before(bringLabUp);
after(takeLabDown);

describe("a fileserver of another shape", () => {
  let original = "";

  before(async () => {
    original = await readFile(specFile(), "utf8");
  });

  after(async () => {
    await reshape(original, prepareVolumesScript(NODES.length));
  });

  for (const shape of SHAPES) {
    describe(shape.what, () => {
      before(async () => {
        const disk = await prepareIn("n1", `echo ${DISK}`);
        const head = original.slice(0, original.indexOf("  - name: media\n"));
        await reshape(`${head}  - name: media\n${shape.spec.replace("DISK", disk)}`, shape.volumes);
      });

      for (const protocol of shape.protocols) {
        test(`moves there and back over ${protocol}`, async () => {
          const words = ["--fileserver", "media", "--family", shape.family, "--protocol", protocol];
          const more = ["--lab", LAB, "--runs", "2", "--tree-files", "100", "--json"];
          const ran = await holdfast(["drill", "planned-move", ...words, ...more], DRILL_TIMEOUT_MS);
          assert.equal(ran.status, 0, said(ran));
          const { runs } = JSON.parse(ran.stdout) as { runs: readonly DrillDocument[] };
          assert.deepEqual(
            runs.map(({ from, to, verdict }) => [from, to, verdict]),
            [
              ["n1", "n2", "pass"],
              ["n2", "n1", "pass"],
            ],
          );
          for (const { oracle } of runs) assertNothingLost(oracle);
        });
      }
    });
  }
});
