/**
 * A LUN as a target implements persistent reservations (SPC-4, 5.13; type 5), spoken to in the bytes of the commands.
 * Each path is a nexus of its own: "sg-n1", "sg-n2", … are the paths of nodes n1, n2.
 */
import { STATUS, UNIT_ATTENTION, type ScsiAnswer, type ScsiCommand } from "../src/scsi/generic.ts";
import type { ScsiPort } from "../src/scsi/reservation.ts";

export interface FakeLun {
  /** What a node with these paths sees of it, whatever the disk is called. */
  port(...paths: readonly string[]): ScsiPort;
  /** The commands that came, as words: "sg-n1 register-and-ignore 0x1". */
  readonly heard: string[];
  /** The next command whose words match is answered so instead. An Error is thrown. */
  failNext(words: RegExp, answer: Partial<ScsiAnswer> | Error, times?: number): void;
  readonly registrations: Map<string, string>;
  holder: string | undefined;
}

const ACTIONS: Readonly<Record<number, string>> = {
  0: "register",
  1: "reserve",
  2: "release",
  5: "preempt-and-abort",
  6: "register-and-ignore",
};
const GOOD: ScsiAnswer = { status: 0, senseKey: 0, additionalSense: "", hostStatus: 0, data: Buffer.alloc(0) };
const CONFLICT: ScsiAnswer = { ...GOOD, status: STATUS.reservationConflict };

export const unitAttention: Partial<ScsiAnswer> = { status: STATUS.checkCondition, senseKey: UNIT_ATTENTION };

export function fakeLun(): FakeLun {
  const failures: { words: RegExp; answer: Partial<ScsiAnswer> | Error; times: number }[] = [];
  const lun: FakeLun = {
    registrations: new Map(),
    holder: undefined,
    heard: [],
    failNext: (words, answer, times = 1) => void failures.push({ words, answer, times }),
    port: (...paths) => ({
      generics: () => Promise.resolve(paths),
      send: (path, command) => {
        const words = `${path} ${inWords(command)}`;
        lun.heard.push(words);
        const failure = failures.find((one) => one.times > 0 && one.words.test(words));
        if (failure === undefined) return Promise.resolve(execute(lun, path, command));
        failure.times -= 1;
        if (failure.answer instanceof Error) return Promise.reject(failure.answer);
        return Promise.resolve({ ...GOOD, ...failure.answer });
      },
    }),
  };
  return lun;
}

function inWords(command: ScsiCommand): string {
  const action = (command.command[1] ?? 0) & 0x1f;
  if (command.command[0] === 0x5e) return action === 0 ? "read-keys" : "read-reservation";
  const { own, other } = keysOf(command);
  return [ACTIONS[action], ...[own, other].filter((key) => key !== "0x0")].join(" ");
}

function keysOf({ send = Buffer.alloc(24) }: ScsiCommand): { readonly own: string; readonly other: string } {
  return { own: `0x${send.readBigUInt64BE(0).toString(16)}`, other: `0x${send.readBigUInt64BE(8).toString(16)}` };
}

function execute(lun: FakeLun, path: string, command: ScsiCommand): ScsiAnswer {
  const action = (command.command[1] ?? 0) & 0x1f;
  if (command.command[0] === 0x5e) return action === 0 ? keysAnswer(lun) : holderAnswer(lun);
  const { own, other } = keysOf(command);
  const registered = lun.registrations.get(path);
  const name = ACTIONS[action];
  if (name === "register-and-ignore") return setKey(lun, path, other);
  if (registered === undefined ? own !== "0x0" || name !== "register" : registered !== own) return CONFLICT;
  if (name === "register") return setKey(lun, path, other);
  if (name === "reserve") {
    if (lun.holder !== undefined && lun.holder !== path) return CONFLICT;
    lun.holder = path;
  }
  if (name === "release" && lun.holder === path) lun.holder = undefined;
  if (name === "preempt-and-abort") {
    const victims = [...lun.registrations].filter(([, key]) => key === other).map(([victim]) => victim);
    if (victims.length === 0) return CONFLICT;
    for (const victim of victims) lun.registrations.delete(victim);
    if (lun.holder !== undefined && victims.includes(lun.holder)) lun.holder = path;
  }
  return GOOD;
}

function setKey(lun: FakeLun, path: string, key: string): ScsiAnswer {
  if (key !== "0x0") lun.registrations.set(path, key);
  else {
    lun.registrations.delete(path);
    if (lun.holder === path) lun.holder = undefined;
  }
  return GOOD;
}

function keysAnswer({ registrations }: FakeLun): ScsiAnswer {
  const keys = [...registrations.values()];
  const data = Buffer.alloc(8 + 8 * keys.length);
  data.writeUInt32BE(8 * keys.length, 4);
  keys.forEach((key, index) => data.writeBigUInt64BE(BigInt(key), 8 + 8 * index));
  return { ...GOOD, data };
}

function holderAnswer({ registrations, holder }: FakeLun): ScsiAnswer {
  const key = holder === undefined ? undefined : registrations.get(holder);
  const data = Buffer.alloc(key === undefined ? 8 : 24);
  if (key !== undefined) {
    data.writeUInt32BE(16, 4);
    data.writeBigUInt64BE(BigInt(key), 8);
  }
  return { ...GOOD, data };
}
