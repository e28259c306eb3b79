import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { recorded } from "../../tests/expected-commands.ts";
import { hostOfOwner, parseClientInfo, parseClientStates } from "./client-info.ts";

const IPV6 = recorded("nfs/client-info-v4.2-ipv6.txt");

describe("a client's info", () => {
  test("a Linux client over IPv6", () => {
    assert.deepEqual(parseClientInfo(IPV6), {
      known: true,
      value: {
        clientId: "0x4b936f956b017e38",
        address: "fd77::21",
        port: 681,
        status: "confirmed",
        renewedBeforeS: Number(/renew: (\d+)/.exec(IPV6)?.[1]),
        owner: "Linux NFSv4.2 c1",
        minorVersion: 2,
        implementation: "Linux 6.12.107+deb13-cloud-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-08-29) x86_64",
        callbackState: "UP",
        callbackAddress: "[fd77::21]:0",
      },
    });
  });

  test("kernel 6.1 writes the callback's address without quotes, and no revoked states", () => {
    const info = parseClientInfo(recorded("nfs/client-info-6.1.txt"));
    assert.ok(info.known);
    const { address, port, status, owner, callbackAddress } = info.value;
    assert.deepEqual(
      [address, port, status, owner, callbackAddress],
      ["fd77::21", 1006, "confirmed", "Linux NFSv4.2 c1", "[fd77::21]:0"],
    );
  });

  test("over IPv4, with another minor version", () => {
    const info = parseClientInfo(recorded("nfs/client-info-v4.1-ipv4.txt"));
    assert.ok(info.known);
    const { address, port, minorVersion, owner } = info.value;
    assert.deepEqual([address, port, minorVersion, owner], ["10.77.0.21", 701, 1, "Linux NFSv4.1 c1"]);
  });

  test("one whose lease has run out is a courtesy client", () => {
    const info = parseClientInfo(recorded("nfs/client-info-courtesy.txt"));
    assert.ok(info.known);
    assert.equal(info.value.status, "courtesy");
    assert.ok(info.value.renewedBeforeS > 15);
  });

  test("an IPv4 client of a socket for both families has an IPv4 address", () => {
    const info = parseClientInfo(IPV6.replace('"[fd77::21]:681"', '"[::ffff:10.77.0.21]:681"'));
    assert.equal(info.known && info.value.address, "10.77.0.21");
  });

  test("a v4.0 client names no implementation; its owner string is unescaped", () => {
    const text = IPV6.split("\n")
      .filter((line) => !line.startsWith("Implementation"))
      .join("\n")
      .replace(/^name: .*$/m, String.raw`name: "a\x22b\x5cc\x00\xe9"`);
    const info = parseClientInfo(text);
    assert.ok(info.known);
    assert.equal(info.value.owner, 'a"b\\c\0\u00e9');
    assert.ok(!("implementation" in info.value));
  });

  test("a line that is missing or not understood is named", () => {
    const without = (start: string): string =>
      IPV6.split("\n")
        .filter((line) => !line.startsWith(start))
        .join("\n");
    const why = (text: string): string => {
      const info = parseClientInfo(text);
      return info.known ? "known" : info.why;
    };
    assert.equal(why(""), "no client id");
    assert.equal(why(without("address")), "no address: absent");
    assert.equal(why(IPV6.replace("[fd77::21]:681", "(null)")), 'no address: "(null)"');
    assert.equal(why(without("status")), "status not known: absent");
    assert.equal(why(IPV6.replace("status: confirmed", "status: dozing")), "status not known: dozing");
    assert.equal(why(without("seconds")), "no time of the last renewal");
    assert.equal(why(without("name")), "no owner string");
    assert.equal(why(without("minor")), "no minor version");
    assert.equal(why(without("callback")), "known");
  });

  test("whatever is read, nothing is thrown", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseClientInfo(text)));
  });
});

describe("a client's states", () => {
  const text = recorded("nfs/client-states.txt");

  test("opens, locks and delegations are counted by their kind", () => {
    assert.deepEqual(parseClientStates(text), { opens: 2, locks: 1, delegations: 1 });
    assert.deepEqual(parseClientStates(recorded("nfs/client-states-6.1.txt")), { opens: 1, locks: 1, delegations: 1 });
    assert.deepEqual(parseClientStates(""), { opens: 0, locks: 0, delegations: 0 });
  });

  test("a state that was taken away is not counted; one without its file is", () => {
    const [open = ""] = text.split("\n");
    assert.equal(parseClientStates(open.replace(/ \}$/, ", admin-revoked }")).opens, 0);
    assert.equal(parseClientStates(open.replace(/superblock: .*, owner/, "owner")).opens, 1);
  });

  test("a file's name is no state, unless it holds a newline", () => {
    const [open = ""] = text.split("\n");
    const named = open.replace("export/a", "- 0x00: { type: lock, ");
    assert.deepEqual(parseClientStates(named), { opens: 1, locks: 0, delegations: 0 });
  });
});

test("the host in a Linux client's owner string", () => {
  const hosts = [
    ["Linux NFSv4.2 c1", "c1"],
    ["Linux NFSv4.1 c1.lab.example", "c1.lab.example"],
    ["Linux NFSv4.1 2f9e0a34-container/web-7", "web-7"],
    ["Linux NFSv4.0 c1/10.77.0.21", "c1"],
    ["Linux NFSv4.0 c1/some-id/10.77.0.21", "c1"],
    ["Linux NFSv4.0 c1", "c1"],
    ["Linux NFSv4.2 ", ""],
    ["Linux NFSv4.2 c1\u001b[2J", ""],
    ["4.1@unix:0.0.0.0.0.0", ""],
    ["", ""],
  ] as const;
  for (const [owner, host] of hosts) assert.equal(hostOfOwner(owner), host, owner);
});
