/** A function that gives `make` of the present value of `source`, and computes it once for each value. */
export function derived<Source extends object, Value>(
  source: () => Source,
  make: (of: Source) => Value,
): () => Value {
  let last: { of: Source; value: Value } | undefined
  return () => {
    const of = source()
    if (last?.of !== of) last = { of, value: make(of) }
    return last.value
  }
}
