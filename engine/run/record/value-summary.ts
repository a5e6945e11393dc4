/** Gives the elements of a value that is not in the memory of this process, or undefined for a value that it does not know. */
export type ValueReader = (value: unknown) => Promise<ArrayLike<number>> | undefined

/** What the elements of a tensor have in common; of NaN only their number counts. */
interface Statistics {
  min: number | string
  mean: number | string
  max: number | string
  nan: number
}

/**
 * A short form of a value: tensors as their type, shape and statistics, long lists and texts as their beginning. The readers are
 * asked at once, while the value is alive; their answers may take a while.
 */
export async function summaryOf(value: unknown, readers: Iterable<ValueReader> = []): Promise<unknown> {
  const waiting: Promise<unknown>[] = []
  const all = [...readers]
  const look = (tensor: object, title: string): unknown => {
    const read = ArrayBuffer.isView(tensor)
      ? Promise.resolve(numbersIn(tensor))
      : all.map(reader => reader(tensor)).find(found => found !== undefined)
    if (!read) return title
    const facts: Record<string, unknown> = { tensor: title }
    waiting.push(read.then(elements => elements && Object.assign(facts, statisticsOf(elements))))
    return facts
  }
  const short = shortened(value, look, 0)
  await Promise.all(waiting)
  return short
}

function shortened(value: unknown, look: (tensor: object, title: string) => unknown, depth: number): unknown {
  const inside = (one: unknown) => shortened(one, look, depth + 1)
  if (typeof value === 'string')
    return value.length > 200 ? `${value.slice(0, 200)}… (${value.length})` : value
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol')
    return typeof value
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (ArrayBuffer.isView(value)) {
    const length = 'length' in value ? value.length : value.byteLength
    return look(value, `${value.constructor.name}(${length})`)
  }
  if ('shape' in value && Array.isArray(value.shape)) {
    const type = 'type' in value && typeof value.type === 'string' ? value.type : 'tensor'
    return look(value, `${type}[${value.shape.join(', ')}]`)
  }
  if (depth === 4) return Array.isArray(value) ? `list of ${value.length}` : 'object'
  if (Array.isArray(value)) {
    const first = value.slice(0, 4).map(inside)
    return value.length > 4 ? [...first, `… (${value.length})`] : first
  }
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, inside(one)]))
}

/** The elements of an array of numbers; undefined for other views. */
function numbersIn(view: ArrayBufferView): ArrayLike<number> | undefined {
  if (view instanceof DataView || view instanceof BigInt64Array || view instanceof BigUint64Array)
    return undefined
  return view as unknown as ArrayLike<number> // the other views are arrays of numbers
}

/** Undefined where there is no element. */
function statisticsOf(elements: ArrayLike<number>): Statistics | undefined {
  let [min, max, sum, nan] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0]
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] ?? Number.NaN
    if (Number.isNaN(element)) nan++
    else {
      if (element < min) min = element
      if (element > max) max = element
      sum += element
    }
  }
  const count = elements.length - nan
  if (count === 0) return elements.length === 0 ? undefined : { min: 'none', mean: 'none', max: 'none', nan }
  return { min: shown(min), mean: shown(sum / count), max: shown(max), nan }
}

/** JSON has no infinity. */
const shown = (value: number): number | string =>
  Number.isFinite(value) ? Number(value.toPrecision(6)) : String(value)
