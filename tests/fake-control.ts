/** A fileserver's control of which nothing is here; a test puts its own answers in the place of these. */
import type { FileserverControl } from "../src/agent/fileserver.ts";
import type { FileserverSpec } from "../src/model/spec.ts";
import type { Timeline } from "../src/wire/timeline.ts";

export const FAKE_TIMELINE: Timeline = {
  id: "1",
  kind: "takeover",
  fileserver: "home",
  node: "n1",
  startedAtMs: 0,
  outcome: "done",
  steps: [],
};

export function fakeControl(spec: FileserverSpec, answers: Partial<FileserverControl> = {}): FileserverControl {
  return {
    spec,
    status: () =>
      Promise.resolve({ name: spec.name, state: "warm", because: [], addresses: [], connections: 0, nfsdThreads: 0 }),
    clients: () => Promise.reject(new Error("nobody is served")),
    prepare: () => Promise.resolve("n1"),
    takeover: () => Promise.resolve(FAKE_TIMELINE),
    release: () => Promise.resolve({ ...FAKE_TIMELINE, kind: "release" }),
    lockdMaySleep: () => undefined,
    serves: () => false,
    announce: () => undefined,
    isSuccessor: () => false,
    sight: () => Promise.resolve({ judgement: { state: "warm", lacks: [] }, empty: true }),
    check: () => Promise.resolve([]),
    inUse: () => Promise.resolve(false),
    idle: () => true,
    silence: () => undefined,
    resume: () => Promise.resolve(),
    silenced: () => false,
    hush: () => Promise.resolve(false),
    warm: () => Promise.resolve(),
    history: () => [],
    ...answers,
  };
}
