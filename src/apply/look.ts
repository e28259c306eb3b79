/**
 * Looks at a node through its shell: one script, one answer, nothing changed. The script asks only for what Holdfast
 * wants to know; the answer is lines of a key, a tab and a value, where texts are in base64.
 */
import { Fault } from "../base/fault.ts";
import { isName } from "../model/names.ts";
import type {
  DeviceObservation,
  SecretsObservation,
  SharedSecretObservation,
  SystemObservation,
  UnitObservation,
  VolumeGroupObservation,
} from "../model/system-observed.ts";
import { quoteForShell } from "../ssh/remote-commands.ts";

export interface Questions {
  readonly packages: readonly string[];
  readonly files: readonly string[];
  readonly units: readonly string[];
  readonly volumeGroups: readonly string[];
  /** Paths, and VG/LV. */
  readonly devices: readonly string[];
  readonly secrets: readonly SecretsQuestion[];
  readonly hostNames: readonly string[];
  /** Files that machines share whole; what is in them stays there. */
  readonly sharedSecrets?: readonly string[];
}

export interface SecretsQuestion {
  readonly file: string;
  readonly devices: readonly { readonly id: string; readonly nodes: readonly string[] }[];
}

export interface Look {
  readonly system: SystemObservation;
  /** Fileservers of which processes run here, also where no agent does. */
  readonly scopes: readonly string[];
  /** What `cibadmin --query` and `crm_mon` said; undefined where Pacemaker does not run or did not answer. */
  readonly cib: string | undefined;
  readonly clusterState: string | undefined;
}

export const SPEC_PATH = "/etc/holdfast/holdfast.yaml";
export const GENERATION_PATH = "/etc/holdfast/generation";
export const AGENT_ENV_PATH = "/etc/holdfast/agent.env";
export const AUTHKEY_PATH = "/etc/corosync/authkey";
export const LRM_SECRETS = "/var/lib/pacemaker/lrm/secrets";
/** A logical volume that was made and not yet formatted carries it: a killed apply goes on there. */
export const UNFORMATTED_TAG = "holdfast_unformatted";

const words = (list: readonly string[]): string => list.map(quoteForShell).join(" ");

export function lookScript(questions: Questions): string {
  const lines = [
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8; export PATH LC_ALL",
    // A name with a tab or newline in it would be read as something else; none of those asked for has one.
    'say() { printf \'%s\\t%s\\n\' "$1" "$2"; }',
    "encoded() { base64 | tr -d '\\n'; }",
    'say clock "$(date +%s%3N)"',
    'say hostname "$(hostname -s 2>/dev/null || hostname)"',
    'say os "$(. /etc/os-release 2>/dev/null; echo "$ID $VERSION_ID")"',
    'say synchronised "$(timeout 10 timedatectl show -p NTPSynchronized --value 2>/dev/null)"',
    `say generation "$(cut -d ' ' -f 1 ${GENERATION_PATH} 2>/dev/null)"`,
    `say time-scale "$(sed -n 's/^HOLDFAST_TIME_SCALE=//p' ${AGENT_ENV_PATH} 2>/dev/null)"`,
    `dpkg-query -W -f 'package\\t\${Package} \${db:Status-Status}\\n' ${words(questions.packages)} 2>/dev/null`,
    `for file in ${words(questions.files)}; do [ -r "$file" ] && say "file $file" "$(encoded < "$file")"; done`,
    `systemctl show -p Id -p LoadState -p UnitFileState -p ActiveState ${words(questions.units)} 2>/dev/null | sed 's/^\\(.\\)/unit\\t\\1/; s/^$/unit\\t/'`,
    `[ -r ${AUTHKEY_PATH} ] && say authkey "$(sha256sum < ${AUTHKEY_PATH} | cut -c 1-64)"`,
    ...programLines(),
    ...storageLines(questions),
    ...secretLines(questions.secrets),
    `for file in ${words(questions.sharedSecrets ?? [])}; do`,
    '  [ -r "$file" ] && say "shared $file" "$(stat -c \'%a %u\' "$file") $(sha256sum < "$file" | cut -c 1-64)"; done',
    `for name in ${words(questions.hostNames)}; do say "name $name" "$(getent ahosts "$name" | cut -d ' ' -f 1 | sort -u | tr '\\n' ' ')"; done`,
    ...firewallLines(),
    "for scope in /sys/fs/cgroup/holdfast.slice/holdfast-*.scope; do",
    '  [ -d "$scope" ] && name=${scope##*/holdfast-} && say scope "${name%.scope}"; done',
    "if systemctl is-active --quiet pacemaker.service; then",
    '  cib=$(timeout 20 cibadmin --query 2>/dev/null | encoded) && [ -n "$cib" ] && say cib "$cib"',
    '  state=$(timeout 20 crm_mon --one-shot --inactive --fence-history=3 --output-as=xml 2>/dev/null | encoded) && [ -n "$state" ] && say state "$state"',
    "fi",
    "say end end",
  ];
  return `${lines.join("\n")}\n`;
}

/** Starting the program costs seconds on an emulated machine; an agent that runs tells its version itself. */
function programLines(): readonly string[] {
  return [
    "if [ -x /usr/bin/holdfast ]; then",
    "  if [ -S /run/holdfast/agent.sock ]; then say program agent",
    '  else say program "$(timeout 60 /usr/bin/holdfast --version 2>/dev/null | head -n 1)"; fi',
    "fi",
  ];
}

function storageLines(questions: Questions): readonly string[] {
  const disks = questions.devices.filter((device) => device.startsWith("/"));
  const volumes = questions.devices.filter((device) => !device.startsWith("/"));
  return [
    "if command -v lvm >/dev/null; then",
    "  say system-id \"$(lvm systemid 2>/dev/null | sed -n 's/.*system ID: *//p')\"",
    `  for group in ${words(questions.volumeGroups)}; do`,
    '    found=$(vgs --foreign --nohints --readonly --noheadings --separator " " -o vg_systemid,vg_autoactivation "$group" 2>/dev/null) &&',
    '      say "vg $group" "$found" &&',
    '      lvs --foreign --nohints --readonly --noheadings --separator " " -o lv_name,lv_tags "$group" 2>/dev/null | while read -r lv tags; do say "lv $group" "$lv $tags"; done',
    "  done",
    "fi",
    "look_at() {",
    '  [ -b "$2" ] || return 0',
    // Exit status 2: nothing found (blkid(8)); anything else: it could not look.
    '  found=$(blkid -p -s TYPE -s PTTYPE -o value "$2" 2>/dev/null); status=$?',
    "  case $status in 0) ;; 2) found=none ;; *) found=unknown ;; esac",
    '  used=no; device=$(readlink -f "$2"); [ -n "$(ls "/sys/class/block/${device##*/}/holders" 2>/dev/null)" ] && used=yes',
    '  for part in "/sys/class/block/${device##*/}"/*/holders/*; do [ -e "$part" ] && used=yes; done',
    `  grep -qs "^$device[0-9p]* " /proc/mounts && used=yes`,
    '  say "device $1" "$used $(echo "$found" | tr "\\n" "+")"',
    "}",
    `for disk in ${words(disks)}; do look_at "$disk" "$disk"; done`,
    `for volume in ${words(volumes)}; do look_at "$volume" "/dev/$volume"; done`,
  ];
}

function secretLines(secrets: readonly SecretsQuestion[]): readonly string[] {
  return secrets.flatMap(({ file, devices }) => {
    const path = quoteForShell(file);
    return [
      `if [ -r ${path} ]; then`,
      `  say "secrets ${file}" "$(stat -c '%a %u' ${path})"`,
      `  sed -n 's/^\\([A-Za-z0-9_.-]*\\)=.*/\\1/p' ${path} | while read -r name; do say "secret ${file}" "$name"; done`,
      ...devices.map(({ id, nodes }) => `  ${secretCheck(path, file, id, nodes)}`),
      "fi",
    ];
  });
}

/** Says so where a fence device does not have what the file says; the values stay where they are. */
function secretCheck(path: string, file: string, id: string, nodes: readonly string[]): string {
  const [only, ...more] = nodes;
  const prefix = only === undefined || more.length > 0 ? "" : `${only}.`;
  return [
    `sed -n 's/^\\([A-Za-z0-9_.-]*\\)=.*/\\1/p' ${path} | while read -r name; do key=$name;`,
    `case $name in *.*) [ -n "${prefix}" ] || continue; case $name in ${prefix === "" ? "/" : prefix}*) key=\${name#${prefix}} ;; *) continue ;; esac ;; esac;`,
    `[ "$(sed -n "s/^$name=//p" ${path} | head -n 1)" = "$(cat ${LRM_SECRETS}/${id}/"$key" 2>/dev/null)" ] || say "stale ${file}" "$key"; done`,
  ].join(" ");
}

function firewallLines(): readonly string[] {
  return [
    "firewall=none",
    "if command -v nft >/dev/null && nft list ruleset 2>/dev/null | grep -qE 'hook input.*policy drop|^[^#]* (drop|reject)'; then firewall=nftables; fi",
    "systemctl is-active --quiet firewalld.service && firewall=firewalld",
    'say firewall "$firewall"',
  ];
}

interface Line {
  readonly key: string;
  readonly value: string;
}

/** @param askedMs the asking machine's clock when the question went out, and when the answer was there. */
export function readLook(node: string, text: string, askedMs: readonly [before: number, after: number]): Look {
  const lines = text.split("\n").flatMap((line): readonly Line[] => {
    const tab = line.indexOf("\t");
    return tab < 0 ? [] : [{ key: line.slice(0, tab), value: line.slice(tab + 1) }];
  });
  const one = (key: string): string => lines.find((line) => line.key === key)?.value.trim() ?? "";
  const all = (key: string): readonly string[] =>
    lines.filter((line) => line.key === key).map(({ value }) => value.trim());
  if (one("end") !== "end") {
    throw new Fault({
      code: "look-cut-short",
      what: `${node} did not answer to the end`,
      remedy: `try: ssh ${node} true`,
    });
  }
  const below = (prefix: string): readonly Line[] =>
    lines.flatMap(({ key, value }) =>
      key.startsWith(`${prefix} `) ? [{ key: key.slice(prefix.length + 1), value: value.trim() }] : [],
    );
  const [id = "", version = ""] = one("os").split(" ");
  const files = below("file").map(({ key, value }) => [key, decoded(value)] as const);
  const cib = one("cib");
  const state = one("state");
  return {
    system: {
      os: { id, version },
      hostname: one("hostname"),
      packages: new Set(
        all("package").flatMap((each) => (each.endsWith(" installed") ? [each.slice(0, -" installed".length)] : [])),
      ),
      files: new Map(files),
      units: readUnits(lines),
      program: readProgram(lines),
      authkeyDigest: one("authkey") === "" ? undefined : one("authkey"),
      systemId: one("system-id") === "" ? undefined : one("system-id"),
      volumeGroups: readGroups(below("vg"), below("lv")),
      devices: readDevices(below("device"), below("lv")),
      secrets: readSecrets(below("secrets"), below("secret"), below("stale")),
      sharedSecrets: new Map(below("shared").map(({ key, value }) => [key, readShared(value)])),
      generation: Number(one("generation")) || 0,
      clockSynchronised: readYesNo(one("synchronised")),
      clockAheadMs: clockAhead(Number(one("clock")), askedMs),
      names: new Map(below("name").map(({ key, value }) => [key, value === "" ? [] : value.split(" ")])),
      firewall: readFirewall(one("firewall")),
      timeScale: Math.max(1, Number(one("time-scale")) || 1),
    },
    scopes: all("scope").filter(isName),
    cib: cib === "" ? undefined : decoded(cib),
    clusterState: state === "" ? undefined : decoded(state),
  };
}

function decoded(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}

function readYesNo(text: string): boolean | undefined {
  return text === "" ? undefined : text === "yes";
}

function readFirewall(text: string): SystemObservation["firewall"] {
  return text === "firewalld" || text === "nftables" ? text : "none";
}

/** The node read its clock some time between the two: what is outside of that span is a difference. */
function clockAhead(nodeMs: number, [before, after]: readonly [number, number]): number {
  if (nodeMs > after) return nodeMs - after;
  return nodeMs < before ? nodeMs - before : 0;
}

function readProgram(lines: readonly Line[]): SystemObservation["program"] {
  const found = lines.find((line) => line.key === "program");
  if (found === undefined) return { state: "absent" };
  const version = found.value.trim();
  return { state: "present", version: version === "agent" || version === "" ? undefined : version };
}

/** Blocks of systemctl show, one per unit, with an empty line between. */
function readUnits(lines: readonly Line[]): ReadonlyMap<string, UnitObservation> {
  const units = new Map<string, UnitObservation>();
  let fields = new Map<string, string>();
  const close = (): void => {
    const id = fields.get("Id");
    if (id !== undefined) {
      units.set(id, {
        masked: fields.get("LoadState") === "masked" || fields.get("UnitFileState") === "masked",
        enabled: fields.get("UnitFileState") === "enabled",
        active: ["active", "activating", "reloading"].includes(fields.get("ActiveState") ?? ""),
      });
    }
    fields = new Map();
  };
  for (const { key, value } of lines) {
    if (key !== "unit") continue;
    const [name = "", ...rest] = value.split("=");
    if (name === "") close();
    else fields.set(name, rest.join("="));
  }
  close();
  return units;
}

function readGroups(groups: readonly Line[], volumes: readonly Line[]): ReadonlyMap<string, VolumeGroupObservation> {
  return new Map(
    groups.map(({ key, value }) => {
      const parts = value.split(" ").filter((part) => part !== "");
      const auto = parts.includes("enabled");
      return [
        key,
        {
          systemId: parts.find((part) => part !== "enabled") ?? "",
          autoActivation: auto,
          logicalVolumes: volumes.filter((each) => each.key === key).map((each) => each.value.split(" ")[0] ?? ""),
        },
      ] as const;
    }),
  );
}

function readDevices(devices: readonly Line[], volumes: readonly Line[]): ReadonlyMap<string, DeviceObservation> {
  const found = new Map<string, DeviceObservation>();
  for (const { key, value } of devices) {
    const [used = "", signature = ""] = value.split(" ");
    found.set(key, { signature: readSignature(signature), inUse: used === "yes" });
  }
  for (const { key, value } of volumes) {
    const [lv = "", tags = ""] = value.split(" ");
    // Whoever made it has not come to formatting it, whatever earlier owners of its blocks left there.
    if (tags.split(",").includes(UNFORMATTED_TAG)) found.set(`${key}/${lv}`, { signature: "", inUse: false });
  }
  return found;
}

function readShared(value: string): SharedSecretObservation {
  const [mode = "", owner = "", digest = ""] = value.split(" ");
  return { digest, private: isPrivate(mode, owner) };
}

function isPrivate(mode: string, owner: string): boolean {
  return owner === "0" && /^[0-7]?[0-7]00$/.test(mode.padStart(3, "0"));
}

function readSignature(text: string): string | undefined {
  const words = text.split("+").filter((word) => word !== "");
  if (words.includes("unknown")) return undefined;
  return words.filter((word) => word !== "none").join(" and ");
}

function readSecrets(
  files: readonly Line[],
  names: readonly Line[],
  stale: readonly Line[],
): ReadonlyMap<string, SecretsObservation> {
  return new Map(
    files.map(({ key, value }) => {
      const [mode = "", owner = ""] = value.split(" ");
      return [
        key,
        {
          names: names.filter((each) => each.key === key).map((each) => each.value),
          private: isPrivate(mode, owner),
          current: !stale.some((each) => each.key === key),
        },
      ] as const;
    }),
  );
}
