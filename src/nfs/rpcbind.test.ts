import assert from "node:assert/strict";
import { test } from "node:test";
import { SAMPLE_SPEC } from "../../tests/sample-spec.ts";
import { defined } from "../base/assert.ts";
import { loadSpec } from "../model/load.ts";
import { encodeReply, openRecordReader, readCall } from "./rpc.ts";
import { encodeSets, registrationsOf, whyNotSet, universalAddress } from "./rpcbind.ts";
import { readerOf, word } from "./xdr.ts";

const FILESERVER = defined(loadSpec(SAMPLE_SPEC, "holdfast.yaml").fileservers[0], "the sample has a fileserver");

test("what rpc.nfsd has the kernel register", () => {
  const lines = registrationsOf({ ...FILESERVER, protocols: ["v3", "v4"] }).map(
    ({ program, version, netid, address }) => `${program} ${version} ${netid} ${address}`,
  );
  assert.deepEqual(lines, [
    "100003 3 tcp 0.0.0.0.8.1",
    "100003 3 tcp6 ::.8.1",
    "100227 3 tcp 0.0.0.0.8.1",
    "100227 3 tcp6 ::.8.1",
    "100003 4 tcp 0.0.0.0.8.1",
    "100003 4 tcp6 ::.8.1",
  ]);
  assert.deepEqual(
    new Set(registrationsOf({ ...FILESERVER, protocols: ["v4"] }).map(({ program }) => program)),
    new Set([100_003]),
  );
});

test("the calls, as rpcbind reads them", () => {
  const registrations = registrationsOf({ ...FILESERVER, protocols: ["v4"] });
  const calls = openRecordReader()
    .push(encodeSets(registrations))
    .map((message) => defined(readCall(message), "a call"));
  assert.deepEqual(
    calls.map(({ xid, program, version, procedure }) => [xid, program, version, procedure]),
    [
      [1, 100_000, 4, 1],
      [2, 100_000, 4, 1],
    ],
  );
  const reader = readerOf(defined(calls[1], "two calls").body);
  assert.deepEqual(
    [reader.word(), reader.word(), reader.text(10), reader.text(100), reader.text(10)],
    [100_003, 4, "tcp6", "::.8.1", "superuser"],
  );
});

test("the answers: set, refused, not understood", () => {
  assert.equal(whyNotSet(encodeReply(1, word(1))), undefined);
  assert.match(whyNotSet(encodeReply(1, word(0))) ?? "", /registered for another/);
  // RFC 5531, section 9: accepted, but the procedure is not there.
  assert.equal(
    whyNotSet(new Uint8Array([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3])),
    "PROC_UNAVAIL",
  );
  assert.throws(() => whyNotSet(new Uint8Array(4)), RangeError);
});

test("an address and a port as rpcinfo and rpcbind write them", () => {
  assert.equal(universalAddress("10.77.0.50", 2049), "10.77.0.50.8.1");
  assert.equal(universalAddress("fd77::50", 2049), "fd77::50.8.1");
});
