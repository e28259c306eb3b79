import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Writable } from "node:stream";
import { test } from "node:test";
import { printerTo, type OutputStream } from "./printer.ts";

/** Fails every write with this code, as a pipe without a reader or a full disk does. */
function failing(code: string): OutputStream {
  const error = Object.assign(new Error(code), { code });
  return new Writable({ write: (_chunk, _encoding, done) => done(error) }) as unknown as OutputStream;
}

test("what is printed arrives", async () => {
  let arrived = "";
  const stream = new Writable({ write: (chunk, _encoding, done) => ((arrived += String(chunk)), done()) });
  const printer = printerTo(stream as unknown as OutputStream);
  printer.print("one\n");
  printer.print("two\n");
  assert.equal(await printer.flush(), undefined);
  assert.equal(arrived, "one\ntwo\n");
  assert.equal(printer.closed(), false);
});

test("a reader that went away is no failure, and the printer says so", async () => {
  const printer = printerTo(failing("EPIPE"));
  printer.print("one\n");
  assert.equal(await printer.flush(), undefined);
  assert.equal(printer.closed(), true);
  printer.print("two\n");
  assert.equal(await printer.flush(), undefined);
});

test("a disk that is full is a failure", async () => {
  const printer = printerTo(failing("ENOSPC"));
  printer.print("one\n");
  assert.match(String(await printer.flush()), /ENOSPC/);
  assert.equal(printer.closed(), false);
});

const PROGRAM = join(import.meta.dirname, "program.ts");
const START_TIMEOUT_MS = 20_000;

test("the command line whose reader has gone ends quietly, and with its own status", async () => {
  const child = spawn(process.execPath, ["--no-warnings", PROGRAM, "schema"], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: START_TIMEOUT_MS,
  });
  // Closed before the program has even started: its first write finds no reader.
  child.stdout.destroy();
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  assert.deepEqual([status, said], [0, ""]);
});
