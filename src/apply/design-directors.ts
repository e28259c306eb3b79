/** What the spec comes to on the machines of its directors. No I/O. */
import { machineSetup } from "../balance/machine-files.ts";
import type { DirectorMachine, DirectorSpec } from "../model/director-spec.ts";
import type { Spec } from "../model/spec.ts";
import type { DesignedDirector } from "../plan/design.ts";
import { DIRECTOR_ENV_PATH, DIRECTOR_STAMP_PATH } from "../plan/directors.ts";
import { SPEC_PATH, type Questions } from "./look.ts";

const DIRECTOR_UNIT = "holdfast-director.service";
const DIRECTOR_UNIT_PATH = `/etc/systemd/system/${DIRECTOR_UNIT}`;
/** Of Node.js, in the program itself; Debian 12 does not bring it along. */
const PROGRAM_PACKAGES: readonly string[] = ["libatomic1"];

/** The file that a director shares with the nodes; undefined where it asks no agent. */
export function secretOf(director: DirectorSpec): string | undefined {
  return director.services.some(({ decidedBy }) => decidedBy === "cluster") ? director.secret : undefined;
}

/** @param asked the time scale that was asked for; undefined: the machines keep what they have. */
export function designDirectors(
  spec: Spec,
  unitText: string,
  timeScale: number,
  asked: number | undefined,
): readonly DesignedDirector[] {
  const env =
    asked === undefined
      ? []
      : [{ path: DIRECTOR_ENV_PATH, mode: 0o600, text: `HOLDFAST_TIME_SCALE=${asked}\n`, unit: DIRECTOR_UNIT }];
  return spec.directors.flatMap((director) =>
    director.machines.map((machine) => {
      const setup = machineSetup(director, machine, timeScale);
      const others = setup.units.filter((unit) => unit !== DIRECTOR_UNIT);
      return {
        director: director.name,
        machine: machine.name,
        packages: [...setup.packages, ...PROGRAM_PACKAGES],
        files: [
          { path: DIRECTOR_UNIT_PATH, mode: 0o644, text: unitText, unit: DIRECTOR_UNIT },
          ...env,
          ...setup.files.map(({ path, text }) => ({ path, mode: 0o644, text, unit: others[0] ?? DIRECTOR_UNIT })),
        ],
        units: setup.units,
        secret: secretOf(director),
      };
    }),
  );
}

export function questionsForDirector(director: DirectorSpec): Questions {
  const setups = director.machines.map((machine: DirectorMachine) => machineSetup(director, machine, 1));
  return {
    packages: [...new Set([...setups.flatMap(({ packages }) => packages), ...PROGRAM_PACKAGES])],
    files: [
      ...new Set([
        SPEC_PATH,
        DIRECTOR_UNIT_PATH,
        DIRECTOR_ENV_PATH,
        DIRECTOR_STAMP_PATH,
        ...setups.flatMap(({ files }) => files.map(({ path }) => path)),
      ]),
    ],
    units: [...new Set(setups.flatMap(({ units }) => units))],
    volumeGroups: [],
    devices: [],
    secrets: [],
    hostNames: [],
    sharedSecrets: [secretOf(director) ?? []].flat(),
  };
}
