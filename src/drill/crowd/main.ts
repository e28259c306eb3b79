/** The crowd's program on the client: `crowd.mjs CONFIG.json`, until SIGTERM. */
import { readFileSync } from "node:fs";
import type { CrowdConfig } from "./config.ts";
import { runCrowd } from "./crowd.ts";

await runCrowd(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as CrowdConfig);
