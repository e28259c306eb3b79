/**
 * The directors before this node's fileservers: what each fileserver is here, for those who ask (role-endpoint.ts), and
 * told to every machine of its director as it changes.
 *
 * INVARIANTS
 * - Nothing here rejects, and no notice is waited for longer than its bound: a director that hears nothing asks by itself.
 * - A fileserver that nobody has looked at yet is "unclear", never "standby": standby takes a server out.
 * - Per fileserver and machine one notice is under way; of those that wait behind it only the last is sent.
 */
import { serverSide, type ServerSide } from "../balance/server-side.ts";
import { messageOf } from "../base/fault.ts";
import type { DirectorMachine, DirectorSpec } from "../model/director-spec.ts";
import type { RoleWord } from "../model/role.ts";
import type { Spec } from "../model/spec.ts";
import { NOTICES_PATH, noticeAnswerSchema, type Notice, type RoleAnswer } from "../wire/role.ts";
import type { askSigned } from "../wire/signed-http.ts";

export interface Directors {
  /** How the fileserver looks inside; undefined where no director stands before it. */
  side(fileserver: string): ServerSide | undefined;
  /** What all of them are, at once. */
  roles(): RoleAnswer;
  /**
   * From now on it is that, and its director's machines are told. Resolves when all have answered or were given up;
   * undefined where no director stands before it.
   *
   * @param term number of the takeover that it serves by; left out where it is not known, or does not serve.
   */
  say(fileserver: string, role: RoleWord, term?: number): Promise<Told | undefined>;
}

export interface Told {
  readonly machines: number;
  /** Of them, those that send packets by what was said. */
  readonly followed: number;
  readonly problems: readonly string[];
}

export interface DirectorsParts {
  readonly spec: Spec;
  readonly node: string;
  readonly timeScale: number;
  readonly log: (line: string) => void;
  /** By director; a director without one is told nothing. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly ask: typeof askSigned;
}

/** A director answers when its table has changed: milliseconds. Clients of a takeover wait meanwhile. */
const NOTICE_TIMEOUT_MS = 150;

interface Line {
  readonly machine: DirectorMachine;
  readonly director: DirectorSpec;
  /** For the next notice; each serves once. */
  nonce?: string;
  /** The notice before this one has been answered or given up. */
  free: Promise<unknown>;
  said: number;
}

interface Entry {
  readonly side: ServerSide;
  readonly lines: readonly Line[];
  role: RoleWord;
  term?: number | undefined;
}

interface Answer {
  readonly followed: boolean;
  readonly problem?: string;
}

/** Undefined where no director has a fileserver that this node may serve. */
export function openDirectors(parts: DirectorsParts): Directors | undefined {
  const entries = entriesOf(parts);
  if (entries.size === 0) return undefined;
  const { node, spec, log } = parts;
  return {
    side: (fileserver) => entries.get(fileserver)?.side,

    roles: () => ({
      cluster: spec.cluster.name,
      node,
      fileservers: [...entries].map(([name, { role, term }]) => ({
        name,
        role,
        ...(term === undefined ? {} : { term }),
      })),
    }),

    async say(fileserver, role, term) {
      const entry = entries.get(fileserver);
      if (entry === undefined) return undefined;
      entry.role = role;
      entry.term = term;
      const notice = { cluster: spec.cluster.name, node, fileserver, role, ...(term === undefined ? {} : { term }) };
      const answers = await Promise.all(entry.lines.map((line) => tellInTurn(parts, line, notice)));
      const problems = answers.flatMap(({ problem }) => problem ?? []);
      for (const problem of problems) log(`${fileserver}: a director was not told that it is ${role} here: ${problem}`);
      return { machines: answers.length, followed: answers.filter(({ followed }) => followed).length, problems };
    },
  };
}

function entriesOf({ spec, node }: DirectorsParts): ReadonlyMap<string, Entry> {
  return new Map(
    spec.fileservers.flatMap(({ name }) => {
      const side = serverSide(spec, name, node);
      if (side === undefined) return [];
      const director = spec.directors.find(({ services }) => services.some(({ fileserver }) => fileserver === name));
      const lines = (director?.machines ?? []).map((machine): Line => ({
        machine,
        director: director as DirectorSpec,
        free: Promise.resolve(),
        said: 0,
      }));
      return [[name, { side, lines, role: "unclear" as RoleWord }] as const];
    }),
  );
}

function tellInTurn(parts: DirectorsParts, line: Line, notice: Omit<Notice, "nonce">): Promise<Answer> {
  line.said += 1;
  const mine = line.said;
  const told = line.free.then(() => (mine === line.said ? tell(parts, line, notice) : { followed: false }));
  line.free = told;
  return told;
}

async function tell(parts: DirectorsParts, line: Line, notice: Omit<Notice, "nonce">): Promise<Answer> {
  const { machine, director, nonce } = line;
  const secret = parts.secrets.get(director.name);
  if (secret === undefined) return { followed: false, problem: `${machine.name}: there is no secret for it` };
  delete line.nonce;
  try {
    const answer = await parts.ask({
      host: machine.address,
      port: director.ports.notices,
      method: "POST",
      path: NOTICES_PATH,
      body: { ...notice, ...(nonce === undefined ? {} : { nonce }) } satisfies Notice,
      secret,
      timeoutMs: NOTICE_TIMEOUT_MS * parts.timeScale,
    });
    const { nonce: next, followed } = noticeAnswerSchema.parse(answer);
    line.nonce = next;
    return { followed };
  } catch (error) {
    return { followed: false, problem: `${machine.name}: ${messageOf(error)}` };
  }
}

/** For a timeline. */
export function toldText({ machines, followed, problems }: Told): string {
  return [`${followed} of ${machines} directors send packets here`, ...problems].join("; ");
}
