/** The control socket: lines in, lines out. A bad request gets an error as its answer and never ends the switch. */
import { createServer, type Server, type Socket } from "node:net";
import { z } from "zod";
import { AssertionError } from "../../base/assert.ts";
import { Fault, faultDocument, messageOf } from "../../base/fault.ts";
import { CONTROL_LINE_BYTES_MAX, requestSchema, type Request } from "./protocol.ts";

const CONNECTIONS_MAX = 32;
/** A connection on which nothing is said for this long is ended. */
const IDLE_MS_MAX = 60_000;
const NEWLINE = 0x0a;

export interface ControlServer {
  readonly server: Server;
  readonly sockets: Set<Socket>;
}

/** `answer` gets valid requests only, one at a time per connection. `shutDown` is called once that request is answered. */
export function makeControlServer(answer: (request: Request) => Promise<unknown>, shutDown: () => void): ControlServer {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setTimeout(IDLE_MS_MAX, () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    // The reading loop below ends with the same error; who asked is gone, and nobody else needs to know.
    socket.on("error", () => undefined);
    converse(socket, answer, shutDown).catch((error: unknown) => {
      socket.destroy();
      // Not a request's fault but the switch's own bug: it ends the process, as an assertion does everywhere.
      if (error instanceof AssertionError)
        setImmediate(() => {
          throw error;
        });
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  return { server, sockets };
}

async function converse(
  socket: Socket,
  answer: (request: Request) => Promise<unknown>,
  shutDown: () => void,
): Promise<void> {
  for await (const line of linesOf(socket)) {
    const { text, request } = await answerLine(line, answer);
    if (request?.request === "shutdown") {
      socket.end(`${text}\n`, shutDown);
      return;
    }
    socket.write(`${text}\n`);
  }
  socket.end();
}

async function answerLine(
  line: string | Fault,
  answer: (request: Request) => Promise<unknown>,
): Promise<{ text: string; request?: Request }> {
  try {
    if (line instanceof Fault) throw line;
    const request = parseRequest(line);
    return { text: JSON.stringify({ ok: true, result: await answer(request) }), request };
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    return { text: JSON.stringify({ ok: false, error: faultDocument(error) }) };
  }
}

function parseRequest(line: string): Request {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw invalid(`not JSON: ${messageOf(error)}`);
  }
  const parsed = requestSchema.safeParse(value);
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
  return parsed.data;
}

/** Ends after a line that is too long: where the next one begins is not looked for. */
async function* linesOf(socket: Socket): AsyncGenerator<string | Fault> {
  let pieces: Buffer[] = [];
  let piecesBytes = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      pieces.push(chunk.subarray(from, at));
      from = at + 1;
      const line = Buffer.concat(pieces).toString();
      pieces = [];
      piecesBytes = 0;
      if (line.trim() !== "") yield line;
    }
    pieces.push(chunk.subarray(from));
    piecesBytes += chunk.length - from;
    if (piecesBytes > CONTROL_LINE_BYTES_MAX) {
      yield invalid(`a line is longer than ${CONTROL_LINE_BYTES_MAX} bytes`);
      return;
    }
  }
}

function invalid(what: string): Fault {
  return new Fault({
    kind: "invalid",
    code: "switch-request-invalid",
    what: `the switch cannot take this request: ${what}`,
  });
}
