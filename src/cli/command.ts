/** A command of the command line is a value: its words, its help and its handler. `main.ts` turns the list into a program. */

export interface Argument {
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
  readonly variadic?: boolean;
}

export interface Option {
  /** In commander's form: "-f, --file <path>" or "--keep". */
  readonly flags: string;
  readonly help: string;
  readonly default?: string | number | boolean;
}

export interface Invocation {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly io: Io;
}

/** Where a command speaks. Facts go to stdout, progress to stderr; with --json stdout carries one document and nothing else. */
export interface Io {
  readonly json: boolean;
  /** One line for a person on stdout; dropped with --json. */
  say(line: string): void;
  /** One line of progress on stderr. */
  progress(line: string): void;
  /** The command's one JSON document on stdout; dropped without --json. */
  document(value: unknown): void;
  /** True where stdout is a terminal: colour and redrawing are allowed. */
  readonly terminal: boolean;
  /** True once the reader of stdout has gone: what only prints, again and again, ends; what works goes on. */
  closed(): boolean;
}

export interface CliCommand {
  /** Words after `holdfast`, e.g. ["lab", "up"]. */
  readonly words: readonly string[];
  readonly summary: string;
  /** Longer help, shown by --help after the options. */
  readonly details?: string;
  readonly arguments: readonly Argument[];
  readonly options: readonly Option[];
  /** Resolves with the exit status: 0 done, 1 failed, 2 wrong usage or invalid spec, 3 refused. Faults may be thrown. */
  run(invocation: Invocation): Promise<number>;
}
