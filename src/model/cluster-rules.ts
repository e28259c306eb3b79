/** Rules about the cluster as a whole: those that only Pacemaker needs, and who is to be beside whom. */
import { ownerOf, type Draft, type DraftFileserver } from "./draft.ts";
import { nearest } from "./nearest.ts";
import type { Finding, SpecPath } from "./problem.ts";
import type { ClusterSpec, FencingSpec } from "./spec.ts";

export function clusterFindings(draft: Draft): readonly Finding[] {
  const { cluster } = draft;
  return [
    ...draft.fileservers.flatMap((fileserver) => neighbourFindings(fileserver, draft)),
    ...(cluster?.engine === "pacemaker"
      ? [...linkFindings(cluster), ...fencingFindings(cluster), ...draft.fileservers.flatMap(idFindings)]
      : []),
  ];
}

function linkFindings(cluster: ClusterSpec): readonly Finding[] {
  const first = cluster.nodes[0];
  if (first === undefined) return [];
  return cluster.nodes.flatMap((node, index) =>
    node.addresses.length === first.addresses.length
      ? []
      : [
          {
            code: "links-differ",
            path: ["cluster", "nodes", index, "addresses"],
            other: ["cluster", "nodes", 0, "addresses"],
            what: `node ${node.name} has ${node.addresses.length} addresses and ${first.name} has ${first.addresses.length}`,
            why: "the first address of every node makes the first corosync link, the second the second, and so on",
            remedy: "write one address per link for every node, in the same order",
          } as const,
        ],
  );
}

function fencingFindings(cluster: ClusterSpec): readonly Finding[] {
  if (cluster.fencing.length === 0) {
    return [
      {
        code: "fencing-missing",
        path: ["cluster", "fencing"],
        what: "there is no way to fence a node",
        why: "a node that only seems to be lost goes on writing, and two writers destroy a file system: without fencing nothing is ever taken over",
        remedy: "write fencing: [{ agent: scsi }], or leave the key out, which means the same",
      },
    ];
  }
  return cluster.fencing.flatMap((way, index) => wayFindings(cluster, way, ["cluster", "fencing", index]));
}

function wayFindings(cluster: ClusterSpec, way: FencingSpec, path: SpecPath): readonly Finding[] {
  const names = cluster.nodes.map((node) => node.name as string);
  const perNode = Object.entries(way.nodes ?? {});
  const unknown = perNode.flatMap(([name]): readonly Finding[] =>
    names.includes(name)
      ? []
      : [
          {
            code: "node-unknown",
            path: [...path, "nodes", name],
            atKey: true,
            what: `there is no node ${JSON.stringify(name)}`,
            why: "its options would be used for nobody",
            remedy: `use one of: ${names.join(", ")}`,
          },
        ],
  );
  const without = way.nodes === undefined ? [] : names.filter((name) => way.nodes?.[name] === undefined);
  const incomplete = without.map((name): Finding => ({
    code: "fencing-incomplete",
    path: [...path, "nodes"],
    what: `${name} has no options here, and the other nodes have`,
    why: `nobody could fence ${name} this way`,
    remedy: `add ${name}: { … }`,
  }));
  const options = [
    ...Object.keys(way.options).map((key) => ({ key, at: [...path, "options", key] })),
    ...perNode.flatMap(([name, each]) => Object.keys(each).map((key) => ({ key, at: [...path, "nodes", name, key] }))),
  ];
  return [...unknown, ...incomplete, ...options.flatMap(({ key, at }) => optionFindings(key, at))];
}

/** Words that fence agents use for what nobody else may know (fence-agents, fencing.py, all_opt). */
const SECRET = /(?:^|[_-])(?:passwd|password|passphrase|secret|token|community|apikey)$/;
const SWITCHES_OFF = /^(?:stonith|fencing)[_-]enabled$/;

function optionFindings(key: string, path: SpecPath): readonly Finding[] {
  if (SWITCHES_OFF.test(key)) {
    return [
      {
        code: "fencing-off",
        path,
        atKey: true,
        what: `${key} is not for you to set: fencing cannot be switched off`,
        why: "without fencing two nodes write to one file system as soon as they lose sight of each other",
        remedy: "leave it out",
      },
    ];
  }
  if (!SECRET.test(key)) return [];
  return [
    {
      code: "fencing-secret",
      path,
      atKey: true,
      what: `${key} is a secret, and the spec is read by many`,
      why: "the spec lies on every node, in backups and in version control",
      remedy: `write ${key}=… into a file of mode 0600 on every node, and name the file: secrets: /etc/holdfast/fencing.secret`,
    },
  ];
}

const RESERVED = /^(?:[0-9]|fence-|holdfast-|cli-)/;

/** A fileserver's name is its id in Pacemaker's configuration, where an id begins with a letter (XML, NCName). */
function idFindings(fileserver: DraftFileserver): readonly Finding[] {
  if (!RESERVED.test(fileserver.spec.name)) return [];
  return [
    {
      code: "name-reserved",
      path: [...fileserver.path, "name"],
      what: `${fileserver.spec.name} cannot be the name of a fileserver under Pacemaker`,
      why: "ids there begin with a letter, and fence-, holdfast- and cli- belong to others",
      remedy: "choose another name",
    },
  ];
}

function neighbourFindings(fileserver: DraftFileserver, draft: Draft): readonly Finding[] {
  const names: readonly string[] = draft.fileservers.map((each) => each.spec.name);
  const { apart = [], together = [] } = fileserver.spec.placement;
  const lists = [
    { key: "apart", list: apart },
    { key: "together", list: together },
  ];
  const unknown = lists.flatMap(({ key, list }) =>
    list.flatMap((name, index): readonly Finding[] => {
      const path = [...fileserver.path, "placement", key, index];
      if (name === fileserver.spec.name) {
        return [
          {
            code: "placement-conflict",
            path,
            what: `${ownerOf(fileserver)} names itself`,
            why: "it is always where it is",
            remedy: "leave it out",
          },
        ];
      }
      if (names.includes(name)) return [];
      const near = nearest(name, names);
      return [
        {
          code: "fileserver-unknown",
          path,
          what: `there is no fileserver ${JSON.stringify(name)}`,
          why: "a place beside nobody means nothing",
          remedy: near === undefined ? "name a fileserver of this spec" : `did you mean ${near}?`,
        },
      ];
    }),
  );
  const both = apart.filter((name) => together.includes(name));
  const conflicts = both.map((name): Finding => ({
    code: "placement-conflict",
    path: [...fileserver.path, "placement", "together", together.indexOf(name)],
    other: [...fileserver.path, "placement", "apart", apart.indexOf(name)],
    what: `${name} is to be on the same node and on another`,
    why: "it cannot be both",
    remedy: "keep one of the two",
  }));
  return [...unknown, ...conflicts];
}
