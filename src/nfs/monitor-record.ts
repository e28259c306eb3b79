/**
 * The records of statd's `sm` and `sm.bak` folders: who is to be told when this server has lost its locks
 * (nsm_create_monitor_record and nsm_parse_line, support/nsm/file.c of nfs-utils).
 */
import { isIP } from "node:net";
import { known, unknown, type Observed } from "../base/observed.ts";

export interface MonitorRecord {
  /** The file's name: the client's name in the resolver, or its address where it has none (statd_canonical_name). */
  readonly name: string;
  /** As the lock manager names the client; absent where that is a host name (fs.nfs.nsm_use_hostnames). */
  readonly address?: string;
}

const COOKIE_DIGITS = 32;

/**
 * One entry for each line: a client with several addresses has one each. What is no record, and a file without any,
 * comes as unknown: statd skips it, so that client would not be notified, and the caller has to say so.
 *
 * The first word of a line is no client's address but where the lock manager listens for statd: always 127.0.0.1.
 */
export function parseMonitorFile(fileName: string, text: string): readonly Observed<MonitorRecord>[] {
  const lines = text.split("\n").filter((line) => line !== "");
  if (lines.length === 0) return [unknown(`${fileName} is empty`)];
  return lines.map((line) => parseLine(fileName, line));
}

function parseLine(fileName: string, line: string): Observed<MonitorRecord> {
  const words = /^(?:[0-9a-f]{8} ){4}([0-9a-f]+) (\S+) +(\S+)$/i.exec(line);
  if (words?.[1]?.length !== COOKIE_DIGITS) return unknown(`${fileName} has a line that is no record: ${shown(line)}`);
  const [, , monitored = ""] = words;
  return known(isIP(monitored) === 0 ? { name: fileName } : { name: fileName, address: monitored });
}

/**
 * A file that sm-notify reads as if statd had written it. Program, version and procedure are lockd's own, by which statd
 * would call it back on this node (NLM 100021 version 3 procedure 16); sm-notify does not use them.
 */
export function monitorFile(
  client: { readonly name: string; readonly addresses: readonly string[] },
  ownName: string,
): string {
  const names = client.addresses.length === 0 ? [client.name] : client.addresses;
  const cookie = "0".repeat(COOKIE_DIGITS);
  return names.map((name) => `0100007f 000186b5 00000003 00000010 ${cookie} ${name} ${ownName}\n`).join("");
}

const SHOWN_MAX = 60;

function shown(line: string): string {
  return JSON.stringify(line.length > SHOWN_MAX ? `${line.slice(0, SHOWN_MAX)}…` : line);
}
