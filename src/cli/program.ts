/** The program's entry: runs `main` and turns its status into the process's. */
import { main } from "./main.ts";

process.exitCode = await main(process.argv.slice(2));
