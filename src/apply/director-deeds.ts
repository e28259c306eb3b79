/** What is done on the machines of directors. */
import { randomBytes } from "node:crypto";
import { Fault } from "../base/fault.ts";
import type { Design } from "../plan/design.ts";
import { DIRECTOR_STAMP_PATH } from "../plan/directors.ts";
import type { DirectorAction } from "../plan/plan.ts";
import { quoteForShell } from "../ssh/remote-commands.ts";
import type { NodeShell, OpenShell } from "./node-shell.ts";

type ActionOf<K extends DirectorAction["kind"]> = Extract<DirectorAction, { readonly kind: K }>;

/** As docs/director.md makes it by hand. */
const SECRET_BYTES = 32;
const START_TIMEOUT_MS = 120_000;

/** Over stdin, from the machine that has it or made here: it is in no argument and in no log. */
export async function shareDirectorSecret(
  action: ActionOf<"share-director-secret">,
  { shell }: { readonly shell: OpenShell },
): Promise<void> {
  const secret =
    action.from === undefined
      ? `${randomBytes(SECRET_BYTES).toString("base64")}\n`
      : await shell(action.from).read(action.file);
  await Promise.all(action.to.map((machine) => shell(machine).put(action.file, secret, 0o600)));
}

export async function writeDirectorFiles(
  action: ActionOf<"write-director-files">,
  { shell, design }: { readonly shell: OpenShell; readonly design: Design },
): Promise<void> {
  const designed = design.directors?.find(({ machine }) => machine === action.node);
  for (const path of action.files) {
    const file = designed?.files.find((each) => each.path === path);
    if (file === undefined) throw new Fault({ code: "file-unknown", what: `the design has no file ${path}` });
    await shell(action.node).put(path, file.text, file.mode);
  }
}

/** In their order: the address comes after the table. The director's own unit has started when its socket is there. */
export async function startDirector(
  shell: NodeShell,
  { units, restart, stamp }: Pick<ActionOf<"start-director">, "units" | "restart" | "stamp">,
  timeScale: number,
): Promise<void> {
  const words = (list: readonly string[]): string => list.map(quoteForShell).join(" ");
  const script = `set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8; export PATH LC_ALL
systemctl daemon-reload
systemctl enable --quiet ${words(units)}
${restart.map((unit) => `systemctl restart ${quoteForShell(unit)} || { systemctl --no-pager --lines=20 status ${quoteForShell(unit)} >&2; exit 1; }`).join("\n")}
`;
  await shell.must(script, START_TIMEOUT_MS * timeScale, "starting the director");
  await shell.put(DIRECTOR_STAMP_PATH, stamp, 0o644);
}
