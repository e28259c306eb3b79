import { SUITES } from "../lab/recipe.ts";
import { imageOf } from "../lab/up.ts";
import type { CliCommand } from "./command.ts";
import { labWorld, wordOption } from "./lab-options.ts";

export const LAB_IMAGE: CliCommand = {
  words: ["lab", "image"],
  summary: "build the machines' image if the cache has none, so that the next `lab up` need not",
  arguments: [],
  options: [{ flags: "--suite <suite>", help: "Debian's name: trixie (13) or bookworm (12)", default: "trixie" }],
  run: async ({ options, io }) => {
    const image = await imageOf(labWorld(io), wordOption(options, "suite", SUITES) ?? "trixie");
    io.say(`image ${image.id} is in ${image.folder}`);
    io.document({ id: image.id, folder: image.folder, disk: image.disk });
    return 0;
  },
};
