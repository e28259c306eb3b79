/** The watch over one fileserver for as long as this node serves it: begun by a takeover, or over what is found serving, and ended by a release. */
import type { FileserverSpec } from "../model/spec.ts";
import { NOTHING_WATCHED, scaled, type Node, type StepContext, type WatchEnd } from "./context.ts";
import { openLockdWaker, type LockdWaker } from "./lockd-waker.ts";
import { notifyForgotten } from "./notify.ts";
import { inheritFromRunning, watchService, type ServiceView, type ServiceWatch } from "./service-watch.ts";
import type { LivingHolder } from "./standby.ts";

/** sm-notify goes into the background at once. */
const NOTIFY_BOUND_MS = 5_000;

export interface WatchKeeper {
  watches(): boolean;
  view(): ServiceView | undefined;
  /** Another fileserver's lock manager has stopped. */
  lockdMaySleep(): void;
  /** Of the last watch of this service: a release that failed before it recorded anything is tried again. */
  end(): Promise<WatchEnd>;
  /** A takeover begins: what was watched before is another service. */
  forget(): void;
  begin(context: StepContext): void;
  /** Over what an agent that was started anew finds serving; nothing happens where it is watched already. */
  beginRunning({ client, pid }: LivingHolder): Promise<void>;
  /** The address is about to be opened again: where nothing watched, what was asked for meanwhile is not known. */
  clientsWereKeptOut(): void;
}

export function openWatchKeeper(node: Node, fileserver: FileserverSpec): WatchKeeper {
  let watch: ServiceWatch | undefined;
  let waker: LockdWaker | undefined;
  let ended: WatchEnd = NOTHING_WATCHED;
  let keptOut = false;

  return {
    watches: () => watch !== undefined,
    view: () => watch?.view(),
    lockdMaySleep: () => void waker?.lookClosely(),

    async end() {
      waker?.stop();
      if (watch !== undefined) ended = await watch.stop();
      watch = undefined;
      return ended;
    },

    forget() {
      ended = NOTHING_WATCHED;
      keptOut = false;
    },

    begin({ found, holder, insidePid }) {
      if (found.inherited === undefined) return;
      const { inherited, nobodyToNotify } = found;
      const v3GraceLasts = fileserver.protocols.includes("v3") && nobodyToNotify !== true;
      const parts = { node, fileserver, holder: holder(), insidePid: insidePid() };
      watch = watchService({ ...parts, inherited, written: found.reopened, v3GraceLasts, keptOut: false });
      waker = openLockdWaker(parts);
    },

    async beginRunning({ client, pid }) {
      if (watch !== undefined) return;
      const parts = { node, fileserver, holder: client, insidePid: pid };
      const found = await inheritFromRunning(parts);
      if (found.v3GraceLasts) {
        const told = await notifyForgotten(fileserver, pid, client, scaled(node, NOTIFY_BOUND_MS));
        if (told > 0) node.log(`${fileserver.name}: ${told} clients had not been told of the takeover`);
      }
      watch = watchService({ ...parts, ...found, keptOut });
      waker = openLockdWaker(parts);
    },

    clientsWereKeptOut() {
      keptOut ||= watch === undefined;
    },
  };
}
