import { unreachable } from "../base/assert.ts";
import type { VolumeDevice } from "./spec.ts";

/** The device as the spec writes it: VG/LV, or the disk's path. */
export function deviceName(device: VolumeDevice): string {
  switch (device.kind) {
    case "lv":
      return `${device.vg}/${device.lv}`;
    case "disk":
      return device.path;
    default:
      return unreachable(device);
  }
}
