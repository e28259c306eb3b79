/** One check of one server: what it is asked, and the one event that its answers make. */
import { healthEvent, type HealthState, type NfsWord } from "../balance/health.ts";
import type { ServerNews } from "../balance/outlook.ts";
import { mapObserved, type Observed } from "../base/observed.ts";
import type { DirectorCheckSpec, DirectorServerSpec, DirectorServiceSpec } from "../model/director-spec.ts";
import type { NfsQuestion, Role, RoleQuestion } from "./ask-server.ts";

/** From the begin of one check to that of the next: so that a failing one is over before the interval is. */
export function checkEveryMs({ intervalMs, timeoutMs, tries }: DirectorCheckSpec): number {
  return intervalMs - tries * timeoutMs;
}

export interface Questions {
  askNfs(question: NfsQuestion): Promise<NfsWord>;
  askRole(question: RoleQuestion): Promise<Observed<Role>>;
}

export interface CheckGround {
  readonly cluster: string;
  readonly rolePort: number;
  readonly secret: string;
  readonly timeScale: number;
  readonly xid: number;
  readonly questions: Questions;
}

/**
 * Role and NFS are asked at the same time, so that both together take no longer than the tries of one. Only a server
 * that is known to stand by is not asked for NFS before its agent says otherwise: nobody would answer there.
 */
export async function checkServer(
  service: DirectorServiceSpec,
  server: DirectorServerSpec,
  state: HealthState,
  ground: CheckGround,
): Promise<ServerNews> {
  const asksRole = service.check.how === "role";
  if (!asksRole) return news(server, undefined, await nfsWord(service, server, ground));
  if (state !== "wrong-role") {
    const [role, nfs] = await Promise.all([roleOf(service, server, ground), nfsWord(service, server, ground)]);
    return news(server, role, nfs);
  }
  const role = await roleOf(service, server, ground);
  const serves = role.known && role.value.role === "serving";
  return news(server, role, serves ? await nfsWord(service, server, ground) : "not-asked");
}

function news(server: DirectorServerSpec, role: Observed<Role> | undefined, nfs: NfsWord): ServerNews {
  const word = role === undefined ? undefined : mapObserved(role, (value) => value.role);
  const term = role?.known === true ? role.value.term : undefined;
  return { server: server.name, event: healthEvent(word, nfs), ...(term === undefined ? {} : { term }) };
}

function roleOf(
  service: DirectorServiceSpec,
  server: DirectorServerSpec,
  ground: CheckGround,
): Promise<Observed<Role>> {
  const { check } = service;
  return ground.questions.askRole({
    cluster: ground.cluster,
    node: server.name,
    addresses: server.node?.addresses ?? [],
    port: ground.rolePort,
    fileserver: service.fileserver ?? "",
    secret: ground.secret,
    timeoutMs: check.timeoutMs * check.tries * ground.timeScale,
  });
}

/** By the first address: the two families of one server are one NFS server. */
function nfsWord(service: DirectorServiceSpec, server: DirectorServerSpec, ground: CheckGround): Promise<NfsWord> {
  const { check } = service;
  const [address] = server.addresses;
  if (address === undefined) return Promise.resolve("not-asked");
  return ground.questions.askNfs({
    how: check.how === "tcp" ? "tcp" : "rpc",
    address,
    port: check.port,
    timeoutMs: check.timeoutMs * ground.timeScale,
    tries: check.tries,
    xid: ground.xid,
  });
}
