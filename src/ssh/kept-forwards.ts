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

  /** Counted as a user before anything is waited for: what is in use is not closed. */
  function use(key: string, request: ForwardRequest): Kept {
    const one = kept.get(key) ?? begin(key, request);
    clearTimeout(one.timer);
    one.users += 1;
    return one;
  }

  async function useLiving(key: string, request: ForwardRequest): Promise<Kept> {
    const one = use(key, request);
    if (one.opened === undefined || (await one.opened.isAlive())) return one;
    one.users -= 1;
    forget(key, one);
    return use(key, request);
  }

  async function letGo(key: string, one: Kept, forward: Forward): Promise<void> {
    one.users -= 1;
    if (one.users > 0) return;
    const alive = kept.get(key) === one && (await forward.isAlive());
    if (one.users > 0) return;
    clearTimeout(one.timer);
    if (!alive) {
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
    const one = await useLiving(key, request);
    const forward = await one.opening;
    one.opened = forward;
    let needed = true;
    return {
      socket: forward.socket,
      async close() {
        if (!needed) return;
        needed = false;
        await letGo(key, one, forward);
      },
    };
  };
}
