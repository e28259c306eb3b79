/** What one fileserver is on this node, in the words that directors know. Does nothing where no director stands before it. */
import { messageOf } from "../base/fault.ts";
import type { Observed } from "../base/observed.ts";
import type { RoleWord } from "../model/role.ts";
import type { FileserverSpec } from "../model/spec.ts";
import type { Node } from "./context.ts";
import { observe, type Found } from "./observe.ts";
import { stateFolder } from "./state-folder.ts";
import { readTerm } from "./term.ts";

export interface RoleTeller {
  readonly behindDirector: boolean;
  /** Waits for nobody. */
  say(role: RoleWord): void;
  /** Says what is seen here. For after a run of which that is not known, and for an agent that has just started. */
  settle(): Promise<void>;
}

export interface RoleTellerParts {
  readonly observe: (fileserver: FileserverSpec) => Promise<Observed<Found>>;
  readonly readTerm: (insidePid: number, fileserver: FileserverSpec) => Promise<number>;
}

const REAL: RoleTellerParts = {
  observe,
  readTerm: (insidePid, fileserver) => readTerm(stateFolder(insidePid, fileserver)),
};

export function openRoleTeller(node: Node, fileserver: FileserverSpec, parts: RoleTellerParts = REAL): RoleTeller {
  const { directors } = node;
  const behindDirector = directors?.side(fileserver.name) !== undefined;
  let said = 0;

  function say(role: RoleWord, term?: number): void {
    if (!behindDirector) return;
    said += 1;
    void directors?.say(fileserver.name, role, term);
  }

  async function termOf(insidePid: number | undefined): Promise<number | undefined> {
    try {
      const term = insidePid === undefined ? 0 : await parts.readTerm(insidePid, fileserver);
      return term === 0 ? undefined : term;
    } catch (error) {
      node.log(`${fileserver.name}: ${messageOf(error)}`);
      return undefined;
    }
  }

  return {
    behindDirector,
    say: (role) => say(role),

    async settle() {
      if (!behindDirector) return;
      const before = said;
      const found = await parts.observe(fileserver);
      const role = roleOf(found);
      const term = role === "serving" && found.known ? await termOf(found.value.insidePid) : undefined;
      // A run that has begun meanwhile knows better.
      if (before === said) say(role, term);
    },
  };
}

/** With its link down nothing answers here, whatever else of it is left. */
function roleOf(found: Observed<Found>): RoleWord {
  if (!found.known) return "unclear";
  const { judgement, sighting } = found.value;
  if (judgement.state === "serving") return "serving";
  return sighting.linkUp ? "unclear" : "standby";
}
