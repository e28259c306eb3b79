/** Where directors ask this node what its fileservers are: answered from memory, so that no question waits for a program. */
import type { Server } from "node:http";
import { Fault, messageOf } from "../base/fault.ts";
import type { DirectorSpec } from "../model/director-spec.ts";
import type { Spec } from "../model/spec.ts";
import { readSecret } from "../system/secret-file.ts";
import { ROLES_PATH } from "../wire/role.ts";
import { serveSigned } from "../wire/signed-http.ts";
import type { Directors } from "./directors.ts";

/** Directors that have a fileserver which this node may serve. */
export function directorsBefore(spec: Spec, node: string): readonly DirectorSpec[] {
  return spec.directors.filter(({ services }) =>
    services.some(({ fileserver, servers }) => fileserver !== undefined && servers.some(({ name }) => name === node)),
  );
}

/**
 * Secrets by director. One that cannot be read is told about and left out: a node without its directors' ear still
 * serves, and must not stay down for it.
 */
export async function readSecrets(
  directors: readonly DirectorSpec[],
  log: (line: string) => void,
): Promise<ReadonlyMap<string, string>> {
  const secrets = new Map<string, string>();
  for (const { name, secret } of directors) {
    try {
      secrets.set(name, await readSecret(secret));
    } catch (error) {
      log(`director ${name} is told nothing and learns nothing here: ${why(error)}`);
    }
  }
  return secrets;
}

/** One listener per port. A port that is not free is told about, as above. */
export async function serveRoles(
  specs: readonly DirectorSpec[],
  secrets: ReadonlyMap<string, string>,
  directors: Directors,
  log: (line: string) => void,
  host?: string,
): Promise<readonly Server[]> {
  const servers: Server[] = [];
  const listening = new Map<number, string>();
  for (const { name, ports } of specs) {
    const secret = secrets.get(name);
    if (secret === undefined || listening.get(ports.roles) === secret) continue;
    try {
      const route = { method: "GET" as const, path: ROLES_PATH, answer: async () => directors.roles() };
      const where = { port: ports.roles, ...(host === undefined ? {} : { host }) };
      servers.push(await serveSigned({ ...where, secret, routes: [route] }));
      listening.set(ports.roles, secret);
    } catch (error) {
      log(`director ${name} learns nothing here: ${why(error)}`);
    }
  }
  return servers;
}

function why(error: unknown): string {
  const remedy = error instanceof Fault ? error.remedy : undefined;
  return remedy === undefined ? messageOf(error) : `${messageOf(error)}; ${remedy}`;
}
