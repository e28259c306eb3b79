/** The agent's death, as an out-of-memory killer would bring it: SIGKILL, no word of farewell. */
import { Fault } from "../base/fault.ts";
import { runScript } from "./client.ts";
import type { Machines } from "./ports.ts";

/** A start of Node takes up to ten seconds under emulation, and systemd waits before it restarts. */
const RESTART_TIMEOUT_MS = 90_000;

/**
 * The question's pipe is kept open for a moment: an HTTP server of Node gives up a request whose asker has closed its end.
 * Prints the process ids before and after; ends when another process answers on the socket.
 */
const SCRIPT = `set -eu
before=$(systemctl show -P MainPID holdfast-agent)
[ "$before" != 0 ] || { echo "the agent does not run" >&2; exit 66; }
kill -KILL "$before"
tries=0
while [ "$tries" -lt 150 ]; do
  sleep 0.5; tries=$((tries + 1))
  after=$(systemctl show -P MainPID holdfast-agent)
  if [ "$after" != 0 ] && [ "$after" != "$before" ] &&
    { printf 'GET /v1/status HTTP/1.0\\r\\nHost: agent\\r\\n\\r\\n'; sleep 2; } | socat -t 10 - UNIX-CONNECT:/run/holdfast/agent.sock 2>/dev/null | head -n 1 | grep -q ' 200 '; then
    echo "$before $after"; exit 0
  fi
done
echo "the agent did not come back" >&2; exit 67
`;

/** Kills the agent of a node and waits until a new one answers. */
export async function killAgent(machines: Machines, node: string): Promise<void> {
  const printed = await runScript(machines, node, SCRIPT, [], RESTART_TIMEOUT_MS);
  if (/^\d+ \d+$/.test(printed.trim())) return;
  throw new Fault({
    code: "agent-kill-unreadable",
    what: `killing ${node}'s agent printed ${JSON.stringify(printed)}`,
  });
}
