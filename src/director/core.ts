/** What the director knows, and how news get from where they are heard into the kernel, one change after the other. */
import {
  changeText,
  firstOutlook,
  takeNews,
  type Change,
  type ServerNews,
  type ServiceOutlook,
} from "../balance/outlook.ts";
import { serversInForce } from "../balance/table.ts";
import { defined } from "../base/assert.ts";
import { explain } from "../base/fault.ts";
import type { DirectorSpec } from "../model/director-spec.ts";
import type { IpvsService } from "../model/director-table.ts";
import type { Clock } from "../system/clock.ts";
import type { DirectorChange } from "../wire/director.ts";
import type { Applier } from "./applier.ts";

export interface Core {
  outlook(service: string): ServiceOutlook;
  /** Resolves with true when what follows from the news is in force, with false where the kernel refused it. */
  hear(service: string, news: readonly ServerNews[]): Promise<boolean>;
  /** Brings the kernel to what is known at the start: who served goes on, everything else is held. */
  begin(): Promise<boolean>;
  /** Looks whether the kernel is as it was left, and mends it. */
  verify(): Promise<void>;
  changes(): readonly DirectorChange[];
  /** Why the kernel is not as it should be; empty where it is. */
  problems(): readonly string[];
}

export interface CoreParts {
  readonly director: DirectorSpec;
  readonly applier: Applier;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** The table when the director starts: whoever serves goes on serving. */
  readonly inForce: readonly IpvsService[];
}

const CHANGES_KEPT = 200;

export function makeCore(parts: CoreParts): Core {
  const { director, applier, clock, log } = parts;
  const outlooks = new Map(
    director.services.map((service) => [service.name, firstOutlook(service, serversInForce(service, parts.inForce))]),
  );
  const changes: DirectorChange[] = [];
  let problems: readonly string[] = [];
  /** Work for the kernel is done one after the other; whoever comes meanwhile shares the next run. */
  let running: Promise<boolean> = Promise.resolve(true);
  let waiting: Promise<boolean> | undefined;
  let dirty = true;

  const note = (change: Change): void => {
    const text = changeText(change);
    log(text);
    changes.push({ atMs: clock.wallMs(), service: change.service, text });
    if (changes.length > CHANGES_KEPT) changes.shift();
  };

  const run = async (work: (now: ReadonlyMap<string, ServiceOutlook>) => Promise<void>): Promise<boolean> => {
    try {
      await work(outlooks);
      problems = [];
      return true;
    } catch (error) {
      const said = explain(error);
      if (said.join() !== problems.join()) for (const line of said) log(line);
      problems = said;
      dirty = true;
      return false;
    }
  };

  const enqueue = (work: () => Promise<boolean>): Promise<boolean> => {
    running = running.then(work);
    return running;
  };

  const apply = (): Promise<boolean> => {
    waiting ??= enqueue(() => {
      waiting = undefined;
      if (!dirty) return Promise.resolve(problems.length === 0);
      dirty = false;
      return run((now) => applier.apply(now));
    });
    return waiting;
  };

  return {
    outlook: (service) => defined(outlooks.get(service), "a service of this director"),
    hear: (name, news) => {
      const service = defined(
        director.services.find((each) => each.name === name),
        "a service of this director",
      );
      const taken = takeNews(service, defined(outlooks.get(name), "its outlook"), news);
      outlooks.set(name, taken.outlook);
      for (const change of taken.changes) note(change);
      dirty ||= taken.changes.some(({ server }) => server === undefined);
      return apply();
    },
    begin: apply,
    verify: async () => {
      if (!(await enqueue(() => run((now) => applier.verify(now))))) await apply();
    },
    changes: () => changes,
    problems: () => problems,
  };
}
