/** The faults that a cluster has to come through. Data; the words are in fault-words.ts. */
import { DAEMON_FAULTS } from "./daemon-faults.ts";
import { DIRECTOR_FAULTS } from "./director-faults.ts";
import type { FaultDocument } from "./fault-words.ts";
import { MACHINE_FAULTS } from "./machine-faults.ts";
import { NETWORK_FAULTS } from "./network-faults.ts";

export const FAULTS: readonly FaultDocument[] = [
  ...MACHINE_FAULTS,
  ...NETWORK_FAULTS,
  ...DAEMON_FAULTS,
  ...DIRECTOR_FAULTS,
];
