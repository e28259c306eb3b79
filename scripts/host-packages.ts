/** Installs the Debian packages that the lab needs on this host, where they are missing; says what it installs. */
import { explain } from "../src/base/fault.ts";
import { installHostPackages } from "../src/lab/host-packages.ts";
import { systemCommands } from "../src/system/commands.ts";

try {
  await installHostPackages(systemCommands({ timeScale: 1 }), (line) => process.stdout.write(`${line}\n`));
} catch (error) {
  for (const line of explain(error)) process.stdout.write(`${line}\n`);
  process.exitCode = 1;
}
