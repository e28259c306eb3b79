/** Signed questions and answers over HTTP: both sides of what agents and directors say to each other. */
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Fault, messageOf } from "../base/fault.ts";
import { answerSignature, makeNonce, NONCE_HEADER, requestSignature, sameSignature, SIGNATURE_HEADER } from "./role.ts";

export interface SignedCall {
  readonly host: string;
  readonly port: number;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly secret: string;
  /** Of the whole call. */
  readonly timeoutMs: number;
}

const ANSWER_BYTES_MAX = 256 * 1024;
const REQUEST_BYTES_MAX = 16 * 1024;
const CONNECTIONS_MAX = 128;
/** Whoever connects and says nothing is not kept. */
const SILENCE_MAX_MS = 10_000;

/** The answer's JSON. Rejects with a Fault: nobody there, not in time, not signed, not 200. */
export function askSigned(call: SignedCall): Promise<unknown> {
  const nonce = makeNonce();
  const body = call.body === undefined ? "" : JSON.stringify(call.body);
  const signature = requestSignature(call.secret, { method: call.method, path: call.path, nonce, body });
  const headers = {
    [NONCE_HEADER]: nonce,
    [SIGNATURE_HEADER]: signature,
    ...(body === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
  };
  const { host, port, method, path } = call;
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void => reject(unanswered(call, error));
    // No agent: a kept connection to a machine that has been replaced meanwhile would cost a timeout.
    const asked = request({ host, port, method, path, headers, agent: false }, (response) => {
      void readAll(response, ANSWER_BYTES_MAX)
        .then((text) => resolve(checkedAnswer(call, nonce, response, text)))
        .catch(failed)
        .finally(() => clearTimeout(timer));
    });
    const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${call.timeoutMs} ms`)), call.timeoutMs);
    asked.on("error", (error) => {
      clearTimeout(timer);
      failed(error);
    });
    asked.end(body);
  });
}

function checkedAnswer(call: SignedCall, nonce: string, response: IncomingMessage, text: string): unknown {
  const status = response.statusCode ?? 0;
  if (status === 401) throw new Error("it does not know our secret");
  const wanted = answerSignature(call.secret, nonce, status, text);
  if (!sameSignature(response.headers[SIGNATURE_HEADER], wanted))
    throw new Error("its answer is not signed as it should be");
  if (status !== 200) throw new Error(`it answered with status ${status}`);
  return JSON.parse(text);
}

function unanswered(call: SignedCall, error: unknown): Fault {
  return new Fault({
    code: "no-signed-answer",
    what: `${call.host} port ${call.port} gave no good answer: ${messageOf(error)}`,
    remedy: "look whether the program runs there, and whether both machines have the same secret file",
    cause: error,
  });
}

export interface SignedRoute {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** `body` is the request's JSON, undefined where it had none. What it throws is answered with status 500. */
  answer(body: unknown): Promise<unknown>;
}

export interface SignedServerOptions {
  readonly port: number;
  /** All addresses of the machine unless said otherwise. */
  readonly host?: string;
  readonly secret: string;
  readonly routes: readonly SignedRoute[];
}

/** Resolves when it listens. Whoever does not know the secret learns that, and nothing else. */
export function serveSigned(options: SignedServerOptions): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    void respond(options, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = SILENCE_MAX_MS;
  server.headersTimeout = SILENCE_MAX_MS;
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(
        new Fault({
          code: "port-not-free",
          what: `port ${options.port} cannot be listened on: ${messageOf(error)}`,
          remedy: "write another port in the director's ports:, or end the program that has it",
          cause: error,
        }),
      ),
    );
    server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) }, () =>
      resolve(server),
    );
  });
}

async function respond(
  options: SignedServerOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const body = await readAll(incoming, REQUEST_BYTES_MAX);
  const { method = "", url: path = "" } = incoming;
  const nonce = incoming.headers[NONCE_HEADER];
  if (
    typeof nonce !== "string" ||
    !sameSignature(incoming.headers[SIGNATURE_HEADER], requestSignature(options.secret, { method, path, nonce, body }))
  ) {
    outgoing.writeHead(401).end();
    return;
  }
  const route = options.routes.find((each) => each.method === method && each.path === path);
  const { status, text } = route === undefined ? { status: 404, text: "{}" } : await answerOf(route, body);
  outgoing.writeHead(status, {
    "content-type": "application/json",
    [SIGNATURE_HEADER]: answerSignature(options.secret, nonce, status, text),
  });
  outgoing.end(text);
}

async function answerOf(route: SignedRoute, body: string): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const given: unknown = body === "" ? undefined : JSON.parse(body);
    return { status: 200, text: JSON.stringify(await route.answer(given)) };
  } catch (error) {
    return { status: 500, text: JSON.stringify({ error: messageOf(error) }) };
  }
}

function readAll(from: IncomingMessage, bytesMax: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    from.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) from.destroy(new Error(`more than ${bytesMax} bytes`));
      else chunks.push(chunk);
    });
    from.on("error", reject);
    from.on("end", () => resolve(Buffer.concat(chunks).toString()));
  });
}
