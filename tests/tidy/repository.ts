/** Rules about the repository as a whole: words that stand nowhere, shell scripts, tools, pages, commands. */
import { spawnSync } from "node:child_process";
import { posix } from "node:path";
import { file, isSource, isTidyItself, linesThat, type Finding, type Rule, type TextFile } from "./rule.ts";

/** In two parts each, so that this file does not break its own rule. */
const REGISTRY_HOSTS = [
  ["registry.npm", "js.org"],
  ["npm", "js.com"],
  ["registry.yarn", "pkg.com"],
  ["deb.deb", "ian.org"],
  ["security.deb", "ian.org"],
  ["ftp.deb", "ian.org"],
  ["snapshot.deb", "ian.org"],
  ["archive.ubu", "ntu.com"],
  ["py", "pi.org"],
  ["files.python", "hosted.org"],
  ["proxy.go", "lang.org"],
  ["crates", ".io"],
  ["docker", ".io"],
  ["ghcr", ".io"],
].map((parts) => parts.join(""));

function registryFindings(from: TextFile): readonly Finding[] {
  return REGISTRY_HOSTS.filter((host) => from.text.includes(host)).map((host) => ({
    path: from.path,
    what: `names the registry ${host}`,
  }));
}

const EMOJI = /\p{Emoji_Presentation}|\u{FE0F}/u;
const SYNTAX_TIMEOUT_MS = 5000;

function shellOf({ path, text }: TextFile): "sh" | "bash" | undefined {
  const first = text.slice(0, text.indexOf("\n"));
  if (/^#!\/bin\/sh\b/.test(first)) return "sh";
  if (/^#!.*\bbash\b/.test(first)) return "bash";
  return path.endsWith(".sh") ? "sh" : undefined;
}

function shellFindings(from: TextFile): readonly Finding[] {
  const shell = shellOf(from);
  if (shell === undefined) return [];
  const result = spawnSync(shell, ["-n"], { input: from.text, encoding: "utf8", timeout: SYNTAX_TIMEOUT_MS });
  return result.status === 0 ? [] : [{ path: from.path, what: `${shell} -n: ${result.stderr.trim()}` }];
}

const TOOLS_PATH = "src/system/tools.ts";

function toolFindings(files: readonly TextFile[]): readonly Finding[] {
  const table = files.find(({ path }) => path === TOOLS_PATH);
  if (table === undefined) return [{ path: TOOLS_PATH, what: "is missing" }];
  const entries = [...table.text.matchAll(/^ {2}(?:"([^"]+)"|(\w+)): "([^"]*)",/gm)];
  if (entries.length === 0) return [{ path: TOOLS_PATH, what: "holds no tool that this rule can read" }];
  const others = files.filter(({ path }) => isSource(path) && path !== TOOLS_PATH);
  return entries.flatMap((entry) => {
    const tool = entry[1] ?? entry[2] ?? "";
    const path = entry[3] ?? "";
    const findings: Finding[] = [];
    if (!/^\/usr\/(?:s?bin|lib|libexec)\//.test(path))
      findings.push({ path: TOOLS_PATH, what: `${tool} is at ${path}, not below /usr` });
    if (!others.some(({ text }) => text.includes(`"${tool}"`)))
      findings.push({ path: TOOLS_PATH, what: `nothing starts ${tool}` });
    return findings;
  });
}

function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const match of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const heading = (match[1] ?? "").toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "");
    anchors.add(heading.trim().replaceAll(" ", "-"));
  }
  return anchors;
}

function linkFindings(files: readonly TextFile[]): readonly Finding[] {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const folders = new Set(files.flatMap(({ path }) => parentsOf(path)));
  return files
    .filter(({ path }) => path.endsWith(".md"))
    .flatMap((from) => {
      const prose = from.text.replaceAll(/^```[\s\S]*?^```/gm, "");
      return [...prose.matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)].flatMap((match) => {
        const link = match[1] ?? match[2] ?? "";
        if (/^[a-z]+:/.test(link)) return [];
        const [target = "", anchor] = link.split("#");
        const path = target === "" ? from.path : posix.join(posix.dirname(from.path), target);
        const text = texts.get(path);
        if (text === undefined && !folders.has(path.replace(/\/$/, "")))
          return [{ path: from.path, what: `link to ${link}: no such file` }];
        if (anchor === undefined || (text !== undefined && anchorsOf(text).has(anchor))) return [];
        return [{ path: from.path, what: `link to ${link}: no such heading` }];
      });
    });
}

function parentsOf(path: string): readonly string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

export const REPOSITORY_RULES: readonly Rule[] = [
  {
    name: "no registry is named",
    instead: "take mirrors from the host's own configuration at run time",
    find: (files) => files.flatMap(registryFindings),
    wrong: [
      [file("src/lab/a.ts", `const mirror = "http://${REGISTRY_HOSTS[3]}/debian";`)],
      [file("docs/a.md", `see ${REGISTRY_HOSTS[0]}`)],
    ],
    right: [[file("docs/a.md", "see debian.org")]],
  },
  {
    name: "a reader can open what is cited",
    instead: "cite docs/kernel-nfs.md with its section, the kernel's file, a man page or an RFC",
    find: (files) =>
      files
        .filter(({ path }) => !isTidyItself(path))
        .flatMap((from) =>
          linesThat(
            /\b(?:facts|design|spike|shared)\/[\w-]+\.\w+|^\s*(?:\/\/|\*).*\bfacts:/,
            from,
            "cites what is not here",
          ),
        ),
    wrong: [
      [file("src/nfs/a.ts", "// see facts/kernel-nfs.md, section 2")],
      [file("README.md", "as in design/interface.md")],
      [file("src/nfs/a.ts", "// facts: it hangs")],
    ],
    right: [
      [
        file(
          "src/nfs/a.ts",
          "// see docs/kernel-nfs.md, section 2; fs/nfsd/nfssvc.c; the facts are clear\nf({ facts: 1 })",
        ),
      ],
    ],
  },
  {
    name: "no emoji",
    instead: "say it in a word",
    find: (files) => files.flatMap((from) => linesThat(EMOJI, from, "emoji")),
    wrong: [
      [file("README.md", "done \u{2705}")],
      [file("src/cli/a.ts", 'io.say("\u{1F680}");')],
      [file("docs/a.md", "\u{26A0}\u{FE0F} careful")],
    ],
    right: [[file("README.md", "n1 → n2 … 20 µs ≤ 1 ✓ █ ▶")]],
  },
  {
    name: "shell scripts are valid",
    instead: "run sh -n on it",
    find: (files) => files.filter(({ path }) => !isTidyItself(path)).flatMap(shellFindings),
    wrong: [[file("demo", "#!/bin/sh\nif true; then\n")], [file("packaging/a.sh", "echo 'open\n")]],
    right: [[file("demo", "#!/bin/sh\nif true; then :; fi\n")], [file("docs/a.md", "if true; then")]],
  },
  {
    name: "every tool in the table is used, and stands below /usr",
    instead: "delete it from src/system/tools.ts",
    find: toolFindings,
    wrong: [
      [
        file(TOOLS_PATH, 'const T = {\n  ip: "/usr/sbin/ip",\n  "rpc.nfsd": "/usr/sbin/rpc.nfsd",\n};'),
        file("src/linux/a.ts", 'tool: "ip"'),
      ],
      [file(TOOLS_PATH, 'const T = {\n  ip: "ip",\n};'), file("src/linux/a.ts", 'tool: "ip"')],
      [file(TOOLS_PATH, "nothing here")],
    ],
    right: [[file(TOOLS_PATH, 'const T = {\n  ip: "/usr/sbin/ip",\n};'), file("src/linux/a.ts", 'tool: "ip"')]],
  },
  {
    name: "links in pages lead somewhere",
    instead: "correct the path or the heading",
    find: linkFindings,
    wrong: [
      [file("docs/a.md", "see [b](b.md)")],
      [file("docs/a.md", "see [b](b.md#two)"), file("docs/b.md", "# One")],
      [file("README.md", '<img src="docs/none.svg">')],
    ],
    right: [
      [
        file("docs/a.md", "see [b](b.md#the-one-and-two), [x](https://example.org/y) and [f](../docs)"),
        file("docs/b.md", "## The one, and two"),
      ],
      [file("docs/a.md", "```\n[b](none.md)\n```\n")],
    ],
  },
];

/** The commands that no page names. `words` as in src/cli/command.ts, e.g. ["lab", "up"]. */
export function commandsWithoutPage(
  commands: readonly { readonly words: readonly string[] }[],
  files: readonly TextFile[],
): readonly string[] {
  const pages = files.filter(({ path }) => path === "README.md" || path.startsWith("docs/")).map(({ text }) => text);
  return commands
    .map(({ words }) => ["holdfast", ...words].join(" "))
    .filter((line) => !pages.some((text) => new RegExp(`\\b${line}\\b`).test(text)));
}

/** Kinds of steps that the page about the takeover does not explain. */
export function stepsWithoutPage(kinds: readonly string[], page: string): readonly string[] {
  return kinds.filter((kind) => !page.includes(`\`${kind}\``));
}
