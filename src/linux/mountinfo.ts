/** /proc/PID/mountinfo: proc_pid_mountinfo(5). */

export interface Mount {
  readonly root: string;
  readonly path: string;
  readonly filesystem: string;
  /** Device or other source, as the kernel names it. */
  readonly source: string;
  readonly device: { readonly major: number; readonly minor: number };
}

export function parseMountinfo(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before, after] = line.split(" - ");
    const fields = before?.split(" ") ?? [];
    const [filesystem, source] = after?.split(" ") ?? [];
    const device = /^(\d+):(\d+)$/.exec(fields[2] ?? "");
    if (
      fields[3] === undefined ||
      fields[4] === undefined ||
      filesystem === undefined ||
      source === undefined ||
      device === null
    )
      return [];
    return [
      {
        root: unescapeOctal(fields[3]),
        path: unescapeOctal(fields[4]),
        filesystem,
        source: unescapeOctal(source),
        device: { major: Number(device[1]), minor: Number(device[2]) },
      },
    ];
  });
}

/** Space, tab, newline and backslash come as \040 and so on. */
function unescapeOctal(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
