/**
 * Connections that one program needs again and again. A handshake costs a round trip or two and, on the other machine, a
 * fork and the mathematics of a key exchange; a move asks each node four times.
 */
import { forwardSocket, type Forward, type ForwardRequest } from "./forward.ts";

/** Hands out forwards as `forwardSocket` does; to close one is to say that it is not needed now. */
export type OpenForward = (request: ForwardRequest) => Promise<Pick<Forward, "socket" | "close">>;

interface Kept {
  readonly opening: Promise<Forward>;
  opened?: Forward;
  users: number;
  timer?: NodeJS.Timeout;
}

/**
 * Short: over a connection to a machine that was reset meanwhile the first request would fail, and no machine boots in
 * this time.
 */
const LINGER_MS = 10_000;

/** @param open of a test. */
export function keepForwards(open = forwardSocket, lingerMs = LINGER_MS): OpenForward {
  const kept = new Map<string, Kept>();

  // Nothing that has to be waited for can be done there.
  process.on("exit", () => {
    for (const { opened } of kept.values()) opened?.closeNow();
  });

  function begin(key: string, request: ForwardRequest): Kept {
    const one: Kept = { opening: open(request), users: 0 };
    kept.set(key, one);
    one.opening.catch(() => forget(key, one));
    return one;
  }

  function forget(key: string, one: Kept): void {
    clearTimeout(one.timer);
    if (kept.get(key) === one) kept.delete(key);
  }

  async function living(key: string): Promise<Kept | undefined> {
    const one = kept.get(key);
    if (one?.opened === undefined || (await one.opened.isAlive())) return one;
    forget(key, one);
    return undefined;
  }

  async function letGo(key: string, one: Kept, forward: Forward): Promise<void> {
    one.users -= 1;
    if (one.users > 0) return;
    clearTimeout(one.timer);
    if (kept.get(key) !== one || !(await forward.isAlive())) {
      forget(key, one);
      return forward.close();
    }
    one.timer = setTimeout(() => {
      forget(key, one);
      forward.close().catch(() => undefined);
    }, lingerMs);
    // A program that has nothing else to do ends.
    one.timer.unref();
  }

  return async (request) => {
    const key = [request.configPath ?? "", request.host, request.remoteSocket].join(" ");
    const one = (await living(key)) ?? kept.get(key) ?? begin(key, request);
    clearTimeout(one.timer);
    one.users += 1;
    const forward = await one.opening;
    one.opened = forward;
    let needed = true;
    return {
      socket: forward.socket,
      async close() {
        if (needed) await letGo(key, one, forward);
        needed = false;
      },
    };
  };
}
