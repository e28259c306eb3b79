import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesGolden } from "../../tests/golden.ts";
import { planMachines } from "./plan.ts";
import { qemuArguments, qmpSocket, type MachineLaunch } from "./qemu.ts";

const PATHS = { disks: "/lab/disks", logs: "/lab/logs", sockets: "/tmp/hf-0123456789" };

function launchOf(name: string, more: Partial<MachineLaunch> = {}): MachineLaunch {
  const machine = planMachines({ nodes: 2, clients: 1, directors: 0 }).find((plan) => plan.name === name);
  assert.ok(machine);
  const image = { kernel: "/image/vmlinuz", initramfs: "/image/initramfs" };
  return { machine, image, paths: PATHS, accelerator: "tcg", sshPort: 40001, resume: false, ...more };
}

/** One option with its value per line. */
function asText(args: readonly string[]): string {
  return args.join("\n").replaceAll(/^(-[a-z]+)\n(?!-)/gm, "$1 ");
}

test("the storage machine's QEMU", () => {
  matchesGolden("lab/qemu-st.txt", asText(qemuArguments(launchOf("st"))));
});

test("a client has the lan only", () => {
  matchesGolden("lab/qemu-c1.txt", asText(qemuArguments(launchOf("c1"))));
});

test("under KVM the host's processor is shown, under emulation one without CMPXCHG16B", () => {
  assert.match(asText(qemuArguments(launchOf("n1", { accelerator: "kvm" }))), /^-accel kvm$\n^-cpu host$/m);
  assert.match(asText(qemuArguments(launchOf("n1"))), /^-cpu max,-cx16\b/m);
});

test("a machine that resumes is otherwise the machine that was stopped", () => {
  const booted = qemuArguments(launchOf("n1"));
  assert.deepEqual(qemuArguments(launchOf("n1", { resume: true })), [...booted, "-S", "-incoming", "defer"]);
});

test("a comma in a folder's name does not end an option", () => {
  const text = asText(qemuArguments(launchOf("st", { paths: { ...PATHS, disks: "/a,b/disks", logs: "/a,b/logs" } })));
  assert.match(text, /filename=\/a,,b\/disks\/lun0\.img,discard/);
  assert.match(text, /path=\/a,,b\/logs\/st\.console,append/);
});

test("sockets stay below the 108 bytes of a unix socket's path", () => {
  assert.ok(qmpSocket(PATHS, "n".repeat(31)).length < 108);
});
