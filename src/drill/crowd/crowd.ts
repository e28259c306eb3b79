/** A hundred NFSv3 clients in one process. */
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LOOK_FILE, LOOK_WORD, STATUS_FILE, type CrowdConfig, type CrowdLook, type CrowdStatus } from "./config.ts";
import { makeMember, type Member } from "./member.ts";
import { serveNotify } from "./notify-server.ts";

const STATUS_INTERVAL_MS = 500;

export interface Crowd {
  /** Resolves when every client holds its lock; rejects where one cannot. */
  start(): Promise<void>;
  status(): CrowdStatus;
  look(): Promise<CrowdLook>;
  stop(): Promise<void>;
}

function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000_000 + Math.floor(nanoseconds / 1000);
}

export async function openCrowd(config: CrowdConfig): Promise<Crowd> {
  const world = { nowUs, sleep: (durationMs: number) => sleep(durationMs) };
  const members = config.addresses.map((address, at) => makeMember(config, world, address, at + 1));
  const closes = await Promise.all(
    members.map((member) =>
      serveNotify({
        address: member.address,
        portmapPort: config.ownPortmapPort,
        notifyPort: config.notifyPort,
        notified: (state) => member.notified(state),
      }),
    ),
  );
  let at = 0;
  // Spread over the interval, as a hundred machines would be.
  const timer = setInterval(
    () => {
      const member = members[(at += 1) % members.length];
      if (member?.file() !== undefined) void member.alive();
    },
    Math.max(1, Math.floor(config.aliveIntervalMs / members.length)),
  );
  return {
    start: () => eachOf(members, config.atOnce, (member) => member.start()),
    status: () => ({ nowUs: nowUs(), members: members.map((member) => member.status()) }),
    look: () => lookAround(members),
    stop: async () => {
      clearInterval(timer);
      await eachOf(members, config.atOnce, (member) => member.stop());
      for (const close of closes.splice(0)) close();
    },
  };
}

async function eachOf(
  members: readonly Member[],
  atOnce: number,
  deed: (member: Member) => Promise<void>,
): Promise<void> {
  const open = [...members];
  const work = async (): Promise<void> => {
    for (let member = open.shift(); member !== undefined; member = open.shift()) await deed(member);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** Each lock is asked for by the next client. */
async function lookAround(members: readonly Member[]): Promise<CrowdLook> {
  const [held, lost, unknown]: [string[], string[], string[]] = [[], [], []];
  for (const [at, member] of members.entries()) {
    const { address } = member;
    const asker = members[(at + 1) % members.length];
    const its = member.file();
    const found = its === undefined ? false : await asker?.looksAt(its);
    (found === undefined ? unknown : found ? held : lost).push(address);
  }
  return { held, lost, unknown };
}

function writeWhole(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value));
  renameSync(`${path}.new`, path);
}

/** Runs until SIGTERM: writes its status twice a second, and looks at all locks whenever it is given the word. */
export async function runCrowd(config: CrowdConfig): Promise<void> {
  const crowd = await openCrowd(config);
  const place = (name: string): string => join(config.folder, name);
  const starting = crowd.start();
  let looking = false;
  const answer = async (): Promise<void> => {
    writeWhole(place(LOOK_FILE), await crowd.look());
    looking = false;
  };
  const timer = setInterval(() => {
    writeWhole(place(STATUS_FILE), crowd.status());
    if (looking || !existsSync(place(LOOK_WORD))) return;
    looking = true;
    rmSync(place(LOOK_WORD));
    void answer();
  }, STATUS_INTERVAL_MS);
  process.once("SIGTERM", () => {
    clearInterval(timer);
    void crowd.stop();
  });
  // Rejects, and ends the program with its words, where a client is given no lock.
  await starting;
}
