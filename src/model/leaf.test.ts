import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  checkAddress,
  checkAgent,
  checkCidr,
  checkDevice,
  checkDuration,
  checkFile,
  checkFsid,
  checkHost,
  checkHostname,
  checkInterface,
  checkMac,
  checkName,
  checkPath,
  checkText,
  isDiskPath,
  isHostName,
  parseDurationS,
  parseLvName,
  problemOf,
  quoted,
  type LeafCheck,
} from "./leaf.ts";
import { isName, parseFileserverName, parseNodeName, parseVolumeName } from "./names.ts";

interface Cases {
  readonly check: LeafCheck;
  readonly good: readonly string[];
  /** Text, and a word of the message that says what is wrong or what to write. */
  readonly bad: readonly (readonly [text: string, says: RegExp])[];
}

const CASES: Readonly<Record<string, Cases>> = {
  name: {
    check: checkName,
    good: ["home", "n1", "a", "a-b", "x".repeat(32)],
    bad: [
      ["", /lower-case/],
      ["Home", /lower-case/],
      ["-a", /hyphen/],
      ["a-", /hyphen/],
      ["a.b", /lower-case/],
      ["x".repeat(33), /33 characters/],
      ["a\n", /name/],
    ],
  },
  hostname: {
    check: checkHostname,
    good: ["home.lab.example", "a.b", `${"x".repeat(60)}.abc`],
    bad: [
      ["home", /no domain/],
      ["Home.lab.example", /home\.lab\.example/],
      ["10.77.0.50", /not a host name/],
      [`${"x".repeat(62)}.abc`, /66 characters/],
      ["a..b", /not a host name/],
      ["a.b.", /not a host name/],
      ["a_b.c", /not a host name/],
    ],
  },
  host: {
    check: checkHost,
    good: ["st", "10.77.0.9", "fd77::9", "st.lab.example"],
    bad: [
      ["a b", /neither/],
      ["-x", /neither/],
      ["10.77.0.300", /neither/],
    ],
  },
  address: {
    check: checkAddress,
    good: ["10.77.0.11", "fd77::11"],
    bad: [
      ["10.77.0.11/24", /leave the prefix length out: 10\.77\.0\.11/],
      ["127.0.0.1", /loopback/],
      ["n1", /not an IP address/],
      ["ff02::1", /multicast/],
    ],
  },
  cidr: {
    check: checkCidr,
    good: ["10.77.0.50/24", "fd77::50/64", "10.77.0.50/32", "10.77.0.0/31"],
    bad: [
      ["10.77.0.50", /10\.77\.0\.50\/24/],
      ["fd77::50", /\/64/],
      ["10.77.0.0/24", /network itself/],
      ["10.77.0.255/24", /broadcast/],
      ["224.0.0.1/4", /multicast/],
      ["127.0.0.1/8", /loopback/],
      ["10.77.0.50/0", /Internet/],
      ["10.77.0.50/33", /prefix length/],
      ["10.077.0.50/24", /not an address/],
    ],
  },
  interface: {
    check: checkInterface,
    good: ["eth1", "bond0.100", "enp3s0f0np0", "x".repeat(15)],
    bad: [
      ["lo", /loopback/],
      ["x".repeat(16), /15 characters/],
      ["eth1@if2", /before any @/],
      ["eth 1", /interface/],
      ["../x", /interface/],
      ["-x", /interface/],
      ["", /interface/],
    ],
  },
  mac: {
    check: checkMac,
    good: ["02:00:00:00:00:01", "0A:bb:cc:dd:ee:ff"],
    bad: [
      ["00:11:22:33:44:55", /maker/],
      ["03:00:00:00:00:01", /multicast/],
      ["02-00-00-00-00-01", /six pairs/],
      ["02:00:00:00:00", /six pairs/],
    ],
  },
  device: {
    check: checkDevice,
    good: ["home/data", "NFS_SHARED/home", "/dev/disk/by-id/wwn-0x6001405abc", "/dev/disk/by-id/scsi-360:1"],
    bad: [
      ["/dev/sda", /boot to boot/],
      ["/dev/home/data", /write home\/data/],
      ["/dev/mapper/home-data", /VG\/LV/],
      ["data", /VG\/LV/],
      ["a/b/c", /VG\/LV/],
      ["-a/b", /VG\/LV/],
      ["a/..", /VG\/LV/],
      ["a/b_rmeta_0", /VG\/LV/],
      ["/dev/disk/by-id/../../sda", /by-id/],
    ],
  },
  path: {
    check: checkPath,
    good: ["/", "/export/data", "/srv/a+b@c=d_e.f"],
    bad: [
      ["export", /absolute/],
      ["/export/../etc", /write \/etc/],
      ["/export//data", /write \/export\/data/],
      ["/export/", /write \/export/],
      ["/a b", /\/etc\/exports/],
      ['/a"b', /\/etc\/exports/],
      ["/a(rw)", /\/etc\/exports/],
      ["/a#b", /\/etc\/exports/],
      ["/a\\040b", /\/etc\/exports/],
      ["/a\n/b", /\/etc\/exports/],
      [`/${"x".repeat(256)}`, /too long/],
      ["/x".repeat(600), /too long/],
    ],
  },
  file: {
    check: checkFile,
    good: ["ssh_config", "/a b/c"],
    bad: [
      ["-oProxyCommand=x", /hyphen/],
      ["", /file/],
      ["a\u0000b", /control/],
    ],
  },
  text: {
    check: checkText,
    good: ["", "hello world"],
    bad: [
      ["a\nb", /control/],
      ["x".repeat(1025), /1024/],
    ],
  },
  agent: {
    check: checkAgent,
    good: ["scsi", "ipmilan"],
    bad: [
      ["../x", /fence agent/],
      ["Scsi", /fence agent/],
    ],
  },
  fsid: {
    check: checkFsid,
    good: ["6f1c3c9e-6f0e-4c2b-9d54-0b8f7d0f2a11", "6F1C3C9E-6F0E-4C2B-9D54-0B8F7D0F2A11"],
    bad: [
      ["0", /UUID/],
      ["1", /UUID/],
      ["00000000-0000-0000-0000-000000000000", /zeros/],
    ],
  },
  duration: {
    check: checkDuration(10, 3600, "why"),
    good: ["10s", "1h", "60m"],
    bad: [
      ["9s", /between 10 and 3600/],
      ["2h", /between/],
      ["15", /15s or 10m/],
      ["1.5h", /number/],
      ["-5s", /number/],
    ],
  },
};

for (const [name, { check, good, bad }] of Object.entries(CASES)) {
  describe(name, () => {
    test("takes what is right", () => {
      for (const text of good) assert.equal(check(text), undefined, text);
    });
    test("says what is wrong with the rest", () => {
      for (const [text, says] of bad) {
        const problem = check(text);
        assert.ok(problem !== undefined, `${JSON.stringify(text)} was taken`);
        assert.match(`${problem.what} ${problem.why} ${problem.remedy}`, says, text);
      }
    });
  });
}

test("nothing that a shell, exports(5) or nfs.conf(5) reads as more than a word gets through", () => {
  const dangerous = /[\s"'`$\\(){}[\]<>|&;#*?!,]|^-/;
  const strict = [
    checkName,
    checkHostname,
    checkHost,
    checkAddress,
    checkCidr,
    checkInterface,
    checkMac,
    checkDevice,
    checkPath,
    checkAgent,
    checkFsid,
  ];
  const start = fc.constantFrom(
    "",
    "a",
    "/a",
    "a/b",
    "10.0.0.1",
    "home.example",
    "02:00:00:00:00:01",
    "/dev/disk/by-id/x",
  );
  const piece = fc.constantFrom(
    " ",
    "\n",
    "\t",
    '"',
    "'",
    "$(x)",
    "`x`",
    "\\",
    "(rw)",
    "#",
    "*",
    ",",
    ";",
    "&",
    "|",
    "-",
    "\u00a0",
    "é",
    "a",
    "1",
  );
  fc.assert(
    fc.property(start, fc.array(piece, { maxLength: 4 }), start, (before, middle, after) => {
      const text = before + middle.join("") + after;
      for (const check of strict) {
        if (dangerous.test(text) || /[^ -~]/.test(text)) assert.notEqual(check(text), undefined, JSON.stringify(text));
      }
    }),
    { numRuns: 2000 },
  );
});

test("values are read as they were checked", () => {
  assert.deepEqual(parseLvName("home/data"), { vg: "home", lv: "data" });
  assert.equal(parseLvName("/dev/home/data"), undefined);
  assert.ok(isDiskPath("/dev/disk/by-id/wwn-1"));
  assert.equal(isDiskPath("/dev/disk/by-path/x"), false);
  assert.equal(parseDurationS("10m"), 600);
  assert.equal(parseDurationS("2d"), 172_800);
  assert.equal(parseDurationS("10"), undefined);
  assert.ok(isHostName("c1") && isHostName("C1.lab.example"));
  assert.equal(isHostName("10.0.0"), false);
  assert.ok(isName("home"));
  for (const parse of [parseNodeName, parseFileserverName, parseVolumeName]) {
    assert.equal(parse("home"), "home");
    assert.equal(parse("no/name"), undefined);
  }
});

test("messages repeat a value in quotes and bounded", () => {
  assert.equal(quoted('a"b'), String.raw`"a\"b"`);
  assert.ok(quoted("x".repeat(10_000)).length < 80);
  assert.deepEqual(problemOf("bad-name")("a", "b", "c"), { code: "bad-name", what: "a", why: "b", remedy: "c" });
});
