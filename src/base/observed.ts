/**
 * A value that was looked for in the world. "Could not look" is never "is not there":
 * every reader has to say what it does with `known: false`, and safe readers do nothing.
 */
export type Observed<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly why: string };

export function known<T>(value: T): Observed<T> {
  return { known: true, value };
}

export function unknown<T = never>(why: string): Observed<T> {
  return { known: false, why };
}

export function mapObserved<A, B>(observed: Observed<A>, change: (value: A) => B): Observed<B> {
  return observed.known ? known(change(observed.value)) : observed;
}
