/** The kernel's watchdog (Documentation/watchdog/watchdog-api.rst): who stops petting it is rebooted by it. */
import { closeSync, openSync, writeSync } from "node:fs";
import { messageOf } from "../base/fault.ts";

export interface Watchdog {
  /** Armed while something is served here; let go where nothing is. Never throws. */
  pet(serving: boolean): void;
  /** For an agent that ends in good order. One that is killed leaves it armed, for its successor to pet. */
  letGo(): void;
}

/** Written before the close, it disarms the device, where the driver lets itself be disarmed ("magic close"). */
const MAGIC_CLOSE = "V";

export function openWatchdog(device: string, log: (line: string) => void): Watchdog {
  let descriptor: number | undefined;
  let complaint = "";

  function letGo(): void {
    if (descriptor === undefined) return;
    const open = descriptor;
    descriptor = undefined;
    try {
      writeSync(open, MAGIC_CLOSE);
    } finally {
      closeSync(open);
    }
  }

  return {
    letGo,
    pet(serving) {
      try {
        if (!serving) return letGo();
        descriptor ??= openSync(device, "w");
        writeSync(descriptor, "\0");
        complaint = "";
      } catch (error) {
        // Told once; without it a hung node is still fenced, only not silenced by itself.
        if (complaint !== messageOf(error)) log(`the watchdog ${device} is not petted: ${messageOf(error)}`);
        complaint = messageOf(error);
      }
    },
  };
}
