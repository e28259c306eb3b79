/** Every code that a check of the spec can give, with its meaning in a few words. Stable: scripts match on them. */

export const PROBLEM_CODES = {
  // The text
  "spec-too-large": "the file is larger than 1 MiB",
  "spec-not-text": "a byte that no text file holds, or not UTF-8",
  "not-yaml": "the YAML does not parse",
  "yaml-too-deep": "nested deeper than any spec is",
  "yaml-too-many": "more values than any spec has",
  "yaml-alias": "an anchor or alias",
  "yaml-tag": "an explicit tag or directive",
  "duplicate-key": "one key twice in one map",
  // The shape
  "missing-key": "a required key is not there",
  "unknown-key": "a key that does not exist",
  "wrong-type": "text where a number is wanted, a list where a map is wanted, …",
  "wrong-value": "not one of the values that this key takes",
  "out-of-range": "a number outside its range",
  "too-few": "an empty text or list",
  "too-many": "a longer text or list than Holdfast carries",
  // Single values
  "bad-name": "not an RFC 1123 label of at most 32 characters",
  "bad-hostname": "not a fully qualified host name of at most 64 characters",
  "bad-host": "neither an address nor a host name",
  "bad-address": "not an IP address that a machine can have",
  "bad-cidr": "not an address with its prefix length, or none that a machine can have",
  "bad-interface": "not the name of a network interface",
  "bad-mac": "not a locally administered unicast MAC address",
  "bad-device": "neither VG/LV nor a stable path of a disk",
  "bad-path": "not an absolute, normalised path in plain characters",
  "bad-file": "not the path of a file",
  "bad-duration": "not a time such as 15s or 10m",
  "bad-fsid": "not a UUID",
  "bad-client": "not a client that exports(5) knows",
  "bad-option": "not an export option",
  "bad-agent": "not the name of a fence agent",
  "bad-text": "control characters in a text",
  // Export options
  "option-unsafe": "an option that would lose acknowledged writes or weaken the export",
  "option-taken": "an option that Holdfast sets itself or that cannot work with it",
  "option-not-yet": "an option that this release does not carry",
  "option-conflict": "two options that contradict each other",
  "client-twice": "one client twice in one export",
  // Rules across the spec
  "api-version": "a version of the spec that this release does not read",
  "name-taken": "one name for two things of a kind",
  "hostname-taken": "one host name for two fileservers",
  "address-taken": "one address in two places",
  "family-twice": "two addresses, or two gateways, of one family for one fileserver",
  "networks-overlap": "networks on one interface that overlap without being the same",
  "gateway-outside": "a gateway outside every network of its fileserver",
  "mac-taken": "one MAC address for two fileservers",
  "link-mixed": "macvlan and ipvlan on one interface",
  "device-taken": "one device for two volumes",
  "group-shared": "two fileservers in one volume group",
  "mount-forbidden": "a mount path in a system folder",
  "mount-taken": "two volumes at one mount path, or one inside the other",
  "volume-unknown": "an export of a volume that the fileserver does not have",
  "export-outside": "an export path outside its volume",
  "export-reserved": "an export path with Holdfast's own folder name in it",
  "export-taken": "one path exported twice",
  "fsid-taken": "one fsid for two exports",
  "node-unknown": "a preferred node that the cluster does not have",
  "links-differ": "nodes with different numbers of addresses (pacemaker)",
  "port-taken": "one port for two services of a fileserver",
  "lockd-port-differs": "fileservers with different lockd ports",
  "grace-too-short": "a grace period shorter than the lease",
} as const;

export type ProblemCode = keyof typeof PROBLEM_CODES;

/** What works, but not as one might think. A spec with warnings is valid. */
export const WARNING_CODES = {
  "client-anyone": "an export to every machine that reaches the address",
  "client-by-name": "a client known by name, so that name service decides about access",
  "no-root-squash": "root on a client is root on the volume",
  "insecure-port": "requests from unprivileged ports are accepted",
  "client-unreachable": "clients outside the fileserver's networks and no gateway",
  "export-nested": "one export inside another",
  "grace-differs": "fileservers with different grace periods, which lockd takes from one kernel setting",
  "v4.0-grace": "a protocol that makes every takeover last its whole grace",
  "short-lease": "a lease that a short network trouble outlasts",
  "one-node": "only one node, so that nothing can move",
  "no-effect": "a setting that does nothing together with the others",
  "not-yet": "a setting that this release does not carry out",
} as const;

export type WarningCode = keyof typeof WARNING_CODES;
