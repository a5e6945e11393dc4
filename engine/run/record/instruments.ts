import type { ValueReader } from './value-summary.ts'

/** What operators let others see of a run: numbers that change, and values that are not in the memory of the process. */
export class Instruments {
  readonly gauges = new Map<string, () => number>()
  readonly readers = new Set<ValueReader>()

  gauge = (name: string, read: () => number): void => {
    this.gauges.set(name, read)
  }

  inspect = (read: ValueReader): void => {
    this.readers.add(read)
  }
}
