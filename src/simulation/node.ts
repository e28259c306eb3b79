/** A node's power: boots, power losses, and the freeze of its virtual machine. */
import { after, newOwner, resume } from "./events.ts";
import { loseMemory, sync } from "./volume.ts";
import { newSite, type SimNode, type World } from "./world.ts";

const BOOT_MS_LEAST = 3_000;
const BOOT_MS_MOST = 12_000;
/** xfsaild, the flusher: what a thawed node does before anybody has told it anything. */
const WRITE_BACK_MS_MOST = 400;

export function powerOff(world: World, node: SimNode, why: string): void {
  if (!node.on) return;
  world.trace?.(world.events.nowMs, node.name, `is off: ${why}`);
  for (const on of node.site.mounts) if (on !== undefined) loseMemory(world, node, on);
  node.on = false;
  node.owner.living = false;
  node.agent = undefined;
  node.site = newSite(world.volumes.length);
  node.registered.clear();
  node.storageWaiters = [];
  node.commands = 0;
  node.engine.running = false;
  world.disturb("own");
  world.connectivityChanged();
}

export function powerOn(world: World, node: SimNode): void {
  if (node.on) return;
  node.on = true;
  node.owner = newOwner();
  world.trace?.(world.events.nowMs, node.name, "has booted");
  world.booted(node);
}

/** At once, without a sync: sysrq b, a panic, or a reset from outside. */
export function reboot(world: World, node: SimNode, why: string): void {
  if (!node.on) return;
  world.tally.reboots += 1;
  powerOff(world, node, why);
  bootLater(world, node);
}

export function bootLater(world: World, node: SimNode): void {
  const delayMs = world.random.between(BOOT_MS_LEAST, BOOT_MS_MOST);
  after(world.events, world.ground, delayMs, () => {
    if (!node.heldOff) powerOn(world, node);
  });
}

export function freeze(world: World, node: SimNode): void {
  if (!node.on || node.owner.frozen) return;
  node.owner.frozen = true;
  node.frozenMs = world.events.nowMs;
  world.trace?.(world.events.nowMs, node.name, "is frozen");
  world.disturb("own");
  world.connectivityChanged();
}

export function thaw(world: World, node: SimNode): void {
  if (!node.owner.frozen) return;
  node.owner.frozen = false;
  node.thawedMs = world.events.nowMs;
  world.trace?.(world.events.nowMs, node.name, "goes on");
  world.disturb("own");
  writeBackSoon(world, node);
  for (const run of node.owner.deferred.splice(0)) resume(node.owner, run);
  world.connectivityChanged();
}

/** Nobody asks the kernel to write its log: it does so when it likes. */
export function writeBackSoon(world: World, node: SimNode): void {
  for (const on of node.site.mounts) {
    if (on === undefined) continue;
    after(world.events, node.owner, world.random.between(0, WRITE_BACK_MS_MOST), () => {
      if (node.site.mounts[on.volume.index] === on && node.cuts.storage === "none") sync(world, node, on);
    });
  }
}
