import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeRecord } from "../../nfs/rpc.ts";
import { join, word, type Xdr } from "../../nfs/xdr.ts";
import { captured, tcp } from "../capture/fake-frames.ts";
import { OPERATION, readNfs, type NfsEnds, type NfsMessage } from "./nfs-messages.ts";
import { compoundCall, nfs3Call, nfsReply, playedConnection } from "./played-nfs.ts";

const V4: NfsEnds = { client: ["10.77.0.21", "fd77::21"], fileserver: ["10.77.0.50"] };
const V6: NfsEnds = { client: ["fd77::21"], fileserver: ["fd77::50"] };
const { SEQUENCE, PUTFH, PUTROOTFH, OPEN, LOCK, CREATE_SESSION, RECLAIM_COMPLETE } = OPERATION;
const GETATTR = 9;

const asked = (...messages: readonly Xdr[]): readonly NfsMessage[] =>
  readNfs([playedConnection(V4).asks(5, ...messages)], V4);
const answered = (...messages: readonly Xdr[]): readonly NfsMessage[] =>
  readNfs([playedConnection(V4).answers(5, ...messages)], V4);

/** Its whole length in the mark, but only so much of it. */
const cut = (message: Xdr, bytes: number): Xdr => message.subarray(0, bytes);

describe("what a client asks", () => {
  const compounds: readonly (readonly [asked: readonly number[], read: readonly number[]])[] = [
    [[CREATE_SESSION], [CREATE_SESSION]],
    [
      [SEQUENCE, RECLAIM_COMPLETE],
      [SEQUENCE, RECLAIM_COMPLETE],
    ],
    [
      [SEQUENCE, PUTFH, OPEN, GETATTR],
      [SEQUENCE, PUTFH, OPEN],
    ],
    [
      [SEQUENCE, PUTROOTFH, GETATTR, LOCK],
      [SEQUENCE, PUTROOTFH, GETATTR],
    ],
    [[], []],
  ];
  for (const [operations, read] of compounds) {
    test(`a COMPOUND of ${operations.join(", ") || "nothing"}`, () => {
      for (const [minorVersion, protocol] of [undefined, "v4.1", "v4.2", undefined].entries()) {
        const key = "10.77.0.21 812 7";
        const expected = [{ kind: "call", atMs: 5, key, protocol, operations: read }];
        assert.deepEqual(asked(compoundCall(7, operations, minorVersion)), expected);
      }
    });
  }

  test("several in one segment, the last of them not whole", () => {
    const lock = compoundCall(3, [SEQUENCE, PUTFH, LOCK]);
    const messages = asked(compoundCall(1, [CREATE_SESSION]), nfs3Call(2), cut(lock, 170), word(1, 2, 3));
    assert.deepEqual(
      messages.map((one) => (one.kind === "call" ? [one.key.split(" ")[2], one.protocol, one.operations] : one)),
      [
        ["1", "v4.2", [CREATE_SESSION]],
        ["2", "v3", []],
        ["3", "v4.2", [SEQUENCE, PUTFH, LOCK]],
      ],
    );
  });

  test("what is no beginning of a call is passed over, and what stands behind it", () => {
    const call = compoundCall(1, [CREATE_SESSION]);
    const noCalls: readonly (readonly [string, Xdr])[] = [
      ["nothing", new Uint8Array()],
      ["the middle of a call", call.subarray(8)],
      ["zeros", new Uint8Array(400)],
      ["ones", new Uint8Array(400).fill(0xff)],
      ["an RPC header that is not whole", cut(call, 30)],
      ["a fragment that is not the last", join(word(100), call.subarray(4))],
      ["another program", nfs3Call(1, 100_021)],
      ["a reply", nfsReply(1)],
    ];
    for (const [name, payload] of noCalls)
      assert.deepEqual(asked(payload, call), name === "nothing" ? asked(call) : [], name);
  });
});

describe("what a server answers", () => {
  test("several in one segment, each with its status", () => {
    assert.deepEqual(answered(nfsReply(1, 10_052), nfsReply(2)), [
      { kind: "reply", atMs: 5, key: "10.77.0.21 812 1", status: 10_052 },
      { kind: "reply", atMs: 5, key: "10.77.0.21 812 2", status: 0 },
    ]);
  });

  test("one that RPC refuses has none, one that is empty is well", () => {
    const refused = encodeRecord(word(1, 1, 1, 1, 2));
    const empty = encodeRecord(word(2, 1, 0, 0, 0, 0));
    assert.deepEqual(
      answered(refused, empty).map((one) => (one.kind === "reply" ? one.status : one)),
      [undefined, 0],
    );
  });

  test("a call of the server, or half a header, is none", () => {
    assert.deepEqual(answered(compoundCall(1, [CREATE_SESSION])), []);
    assert.deepEqual(answered(cut(nfsReply(1), 20)), []);
  });
});

test("only what this client and this fileserver say on NFS's port, over either family", () => {
  const six = playedConnection(V6);
  const call = compoundCall(1, [CREATE_SESSION]);
  const frames = [six.connects(1), six.asks(2, call), six.answers(3, nfsReply(1))];
  const kinds = (ends: NfsEnds): readonly string[] => readNfs(frames, ends).map(({ kind }) => kind);
  assert.deepEqual(kinds(V6), ["connect", "call", "reply"]);
  assert.deepEqual(kinds({ client: ["FD77::22"], fileserver: V6.fileserver }), []);
  assert.deepEqual(kinds(V4), []);
  const elsewhere = tcp({ from: ["10.77.0.21", 812], to: ["10.77.0.50", 111], flags: "A", payload: [...call] });
  assert.deepEqual(readNfs([captured(1, elsewhere), captured(2, [1, 2, 3])], V4), []);
});

test("whatever the bytes are, reading comes to its end", () => {
  const call = [...compoundCall(1, [SEQUENCE, PUTFH, LOCK])];
  fc.assert(
    fc.property(fc.nat(call.length), fc.uint8Array({ maxLength: 60 }), (at, noise) => {
      const damaged = Uint8Array.from([...call.slice(0, at), ...noise, ...call.slice(at + noise.length)]);
      const player = playedConnection(V4);
      readNfs([player.asks(1, damaged), player.answers(2, damaged)], V4);
    }),
  );
});
