/**
 * What is refused on real machines, each with its word and exit status, and nothing changed: the fileserver serves where
 * it served, and a client that writes all the while sees no error. What is refused before any machine is asked (the
 * spec's own mistakes) is tested beside the model.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  bringLabUp,
  holdfast,
  prepareIn,
  releaseScript,
  said,
  servedBy,
  specFile,
  takeLabDown,
  type Ran,
} from "./lab-under-test.ts";

const COMMAND_TIMEOUT_MS = 240_000;
const ADDRESS = "10.77.0.51";

function move(to: string): Promise<Ran> {
  return holdfast(["move", "media", to, "--json", "-f", specFile()], COMMAND_TIMEOUT_MS);
}

/** The fault's code, as `--json` tells it. */
function codeOf({ stdout }: Ran): string | undefined {
  return (JSON.parse(stdout) as { readonly error?: { readonly code: string } }).error?.code;
}

async function refusedMove(to: string, code: string): Promise<Ran> {
  const ran = await move(to);
  assert.equal(ran.status, 3, said(ran));
  assert.equal(codeOf(ran), code, said(ran));
  return ran;
}

const WRITER = `mkdir -p /mnt/refusals
mount -t nfs -o vers=4.2,hard ${ADDRESS}:/export/data /mnt/refusals
rm -f /var/tmp/refusals.stop /var/tmp/refusals.errors; : > /var/tmp/refusals.errors
setsid sh -c 'while [ ! -e /var/tmp/refusals.stop ]; do
  echo x >> /mnt/refusals/.written 2>> /var/tmp/refusals.errors || echo failed >> /var/tmp/refusals.errors; sleep 0.3
done; : > /var/tmp/refusals.ended' </dev/null >/dev/null 2>&1 &`;

before(bringLabUp);
after(takeLabDown);

describe("what is refused", () => {
  let on = "";
  let other = "";

  before(async () => {
    on = String(await servedBy("media"));
    other = on === "n1" ? "n2" : "n1";
    await prepareIn(
      on,
      `pid=$(cat /run/holdfast/fs/media/holder.pid)
chmod 1777 /proc/$pid/root/run/holdfast/volumes/data/export`,
    );
    await prepareIn("c1", WRITER);
  });

  test("the other node lacks the interface", async () => {
    await prepareIn(other, "ip link set eth1 down; ip link set eth1 name gone1");
    try {
      await refusedMove(other, "interface-missing");
    } finally {
      await prepareIn(other, "ip link set gone1 name eth1; ip link set eth1 up");
    }
    assert.equal(await servedBy("media"), on);
  });

  test("a stranger answers for the address, beside the fileserver itself", async () => {
    await prepareIn("st", `ip address add ${ADDRESS}/32 dev eth1`);
    try {
      const ran = await refusedMove(other, "address-taken");
      assert.match(ran.stdout, /52:54:00/, "it says whose hardware address it is");
    } finally {
      await prepareIn("st", `ip address del ${ADDRESS}/32 dev eth1`);
    }
    assert.equal(await servedBy("media"), on);
  });

  test("the other node does not see the disk", async () => {
    const disk = await prepareIn(other, "pvs --foreign --noheadings -o pv_name --select vg_name=media");
    await prepareIn(other, `echo 1 > /sys/block/${disk.replace("/dev/", "")}/device/delete`);
    try {
      await refusedMove(other, "volume-group-missing");
    } finally {
      await prepareIn(other, "iscsiadm -m session --rescan >/dev/null; udevadm settle");
    }
    assert.equal(await servedBy("media"), on);
  });

  test("somebody has the volume mounted on the other node", async () => {
    const table = await prepareIn(on, "dmsetup table media-data");
    const disk = await prepareIn(
      other,
      "cat /sys/block/$(basename $(pvs --foreign --noheadings -o pv_name --select vg_name=media))/dev",
    );
    const words = table.split(" ");
    const here = [...words.slice(0, 3), disk, ...words.slice(4)].join(" ");
    await prepareIn(
      other,
      `dmsetup create media-data --table '${here}'; mkdir -p /mnt/by-hand
mount -t xfs -o ro,norecovery /dev/mapper/media-data /mnt/by-hand`,
    );
    try {
      const ran = await refusedMove(other, "volume-in-use");
      assert.match(ran.stdout, /\/mnt\/by-hand/);
    } finally {
      await prepareIn(other, "umount /mnt/by-hand; dmsetup remove --retry media-data");
    }
    assert.equal(await servedBy("media"), on);
  });

  test("a full volume is no reason: it moves there and back", async () => {
    await prepareIn(
      on,
      `cat > /var/tmp/fill.sh <<'END'
cd /run/holdfast/volumes/data/export; mkdir -p fill; cd fill
fallocate -l $(($(df -k --output=avail . | tail -n 1) - 4096))K big
i=0; while dd if=/dev/zero of=f$i bs=64k count=16 2>/dev/null && [ $i -lt 20 ]; do i=$((i + 1)); done
i=0; while echo x 2>/dev/null > s$i && [ $i -lt 2000 ]; do i=$((i + 1)); done
! echo x 2>/dev/null > still-room
END
nsenter -t $(cat /run/holdfast/fs/media/holder.pid) -m sh /var/tmp/fill.sh`,
    );
    for (const to of [other, on]) {
      const ran = await move(to);
      assert.equal(ran.status, 0, said(ran));
    }
    await prepareIn(
      on,
      "rm -rf /proc/$(cat /run/holdfast/fs/media/holder.pid)/root/run/holdfast/volumes/data/export/fill",
    );
  });

  test("the writing client saw no error", async () => {
    const end = "touch /var/tmp/refusals.stop; until [ -e /var/tmp/refusals.ended ]; do sleep 0.2; done";
    const lines = await prepareIn(
      "c1",
      `${end}; wc -l < /mnt/refusals/.written; grep -v 'No space left' /var/tmp/refusals.errors | grep -vx failed || true; umount /mnt/refusals`,
    );
    const [written = "", ...errors] = lines.split("\n");
    assert.deepEqual(errors, []);
    assert.ok(Number(written) > 10, written);
  });

  describe("while nobody serves", () => {
    before(async () => {
      await prepareIn(on, releaseScript("media"));
    });

    test("a volume that somebody has reserved, with a key that no node has", async () => {
      const script = (action: string): string => `disk=$(pvs --foreign --noheadings -o pv_name --select vg_name=media)
key=$(sg_persist --no-inquiry --in --read-keys /dev/sda | sed -n 's/^ *\\(0x[0-9a-f]*\\) *$/\\1/p' | head -n 1)
${action}`;
      await prepareIn(
        on,
        script(`sg_persist --out --register-ignore --param-sark=0xabc $disk >/dev/null
sg_persist --out --reserve --param-rk=0xabc --prout-type=5 $disk >/dev/null`),
      );
      try {
        const ran = await refusedMove(other, "volume-reserved");
        assert.match(ran.stdout, /no node of this cluster/);
      } finally {
        await prepareIn(on, script("sg_persist --out --register --param-rk=0xabc --param-sark=0 $disk >/dev/null"));
      }
      assert.equal(await servedBy("media"), null);
    });

    test("a file system that needs repair; once it is repaired the fileserver serves again", async () => {
      const sector = (
        words: string,
      ): string => `vgchange --yes --systemid $(lvm systemid | sed 's/.*: *//') --config 'local/extra_system_ids=["n1","n2"]' media >/dev/null 2>&1 || true
lvchange -ay media/data; ${words}; lvchange -an media/data`;
      await prepareIn(
        on,
        sector(
          "dd if=/dev/media/data of=/var/tmp/sector bs=512 count=1 2>/dev/null; dd if=/dev/zero of=/dev/media/data bs=512 count=1 conv=fsync 2>/dev/null",
        ),
      );
      try {
        const ran = await refusedMove(on, "filesystem-needs-repair");
        assert.match(ran.stdout, /xfs_repair -n/);
      } finally {
        await prepareIn(on, sector("dd if=/var/tmp/sector of=/dev/media/data bs=512 count=1 conv=fsync 2>/dev/null"));
      }
      const repaired = await move(on);
      assert.equal(repaired.status, 0, said(repaired));
    });
  });
});
