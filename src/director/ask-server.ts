/** Questions to one server: NFS by RPC NULL or by TCP alone, and its role to its agent. */
import { connect } from "node:net";
import type { NfsWord } from "../balance/health.ts";
import { messageOf } from "../base/fault.ts";
import { known, unknown, type Observed } from "../base/observed.ts";
import type { RoleWord } from "../model/role.ts";
import { isNullReply, nullCall } from "../nfs/rpc-null.ts";
import { ROLES_PATH, roleAnswerSchema } from "../wire/role.ts";
import { askSigned } from "../wire/signed-http.ts";

export interface NfsQuestion {
  readonly how: "rpc" | "tcp";
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly tries: number;
  /** An unsigned 32-bit number that is another one for each question. */
  readonly xid: number;
}

/** One answer is enough; of several failures the last one is told. Never rejects. */
export async function askNfs(question: NfsQuestion): Promise<NfsWord> {
  let word: NfsWord = "not-asked";
  for (let tried = 0; tried < question.tries; tried += 1) {
    word = await askOnce({ ...question, xid: (question.xid + tried) >>> 0 });
    if (word === "answers" || word === "not-asked") return word;
  }
  return word;
}

/** The director's own troubles, which say nothing about the server: no address, no port, no route, no memory. */
const OWN_TROUBLES = [
  "EADDRNOTAVAIL",
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "ENETDOWN",
  "ENETUNREACH",
  "EACCES",
  "EPERM",
];

function askOnce(question: NfsQuestion): Promise<NfsWord> {
  const { address, port, timeoutMs, xid } = question;
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (word: NfsWord): void => {
      clearTimeout(timer);
      // A reset instead of a FIN: nothing of the check stays behind on either side.
      socket.resetAndDestroy();
      resolve(word);
    };
    const timer = setTimeout(() => end("silent"), timeoutMs);
    let come = Buffer.alloc(0);
    socket.on("connect", () => {
      if (question.how === "tcp") end("answers");
      else socket.write(nullCall(xid));
    });
    socket.on("data", (chunk: Buffer) => {
      come = Buffer.concat([come, chunk]);
      const reply = isNullReply(come, xid);
      if (reply !== undefined) end(reply ? "answers" : "silent");
    });
    // A server that closes without a reply has not answered.
    socket.on("end", () => end("silent"));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const { code = "" } = error;
      if (OWN_TROUBLES.includes(code)) end("not-asked");
      else end(code === "ECONNREFUSED" ? "refuses" : "silent");
    });
  });
}

export interface RoleQuestion {
  readonly cluster: string;
  readonly node: string;
  /** All are asked at once: one answer is enough. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly fileserver: string;
  readonly secret: string;
  readonly timeoutMs: number;
}

export interface Role {
  readonly role: RoleWord;
  readonly term?: number;
}

/** What the node's agent says of the fileserver; unknown where none does. Never rejects. */
export async function askRole(question: RoleQuestion): Promise<Observed<Role>> {
  const { addresses, node, cluster, fileserver } = question;
  try {
    const answer = await Promise.any(
      addresses.map(async (host) => {
        const { port, secret, timeoutMs } = question;
        const given = roleAnswerSchema.parse(
          await askSigned({ host, port, method: "GET", path: ROLES_PATH, secret, timeoutMs }),
        );
        if (given.node !== node || given.cluster !== cluster) {
          throw new Error(`${host} is ${given.node} of ${given.cluster}, not ${node} of ${cluster}`);
        }
        return given;
      }),
    );
    const found = answer.fileservers.find(({ name }) => name === fileserver);
    if (found === undefined) return unknown(`the agent of ${node} knows no fileserver ${fileserver}`);
    return known({ role: found.role, ...(found.term === undefined ? {} : { term: found.term }) });
  } catch (error) {
    return unknown(error instanceof AggregateError ? error.errors.map(messageOf).join("; ") : messageOf(error));
  }
}
