/** Text that clients chose, for a terminal: control characters, which could rewrite what stands there, come as "?". */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
