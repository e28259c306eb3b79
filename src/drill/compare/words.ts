/** Names and marks that several pictures share. Pure. */

export function protocolName(protocol: string): string {
  return protocol === "all" ? "all protocols" : `NFS${protocol}`;
}

/** As it stands in a sentence. */
export function faultName(scenario: string): string {
  if (scenario === "planned-move") return "planned move";
  return scenario.replaceAll("-", " ");
}

/** 1, 2 and 5 of every power of ten; only the powers where that would be too many. */
export function axisMarks(low: number, high: number): readonly number[] {
  const decades = Math.log10(high / low);
  const digits = decades > 3.2 ? [1] : [1, 2, 5];
  const marks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const digit of digits) {
      const ms = digit * 10 ** power;
      if (ms >= low && ms <= high) marks.push(ms);
    }
  }
  return marks;
}
