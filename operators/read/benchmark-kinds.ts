/** Kind `benchmark`: the name and all questions of a benchmark, of every shard. */
export interface Benchmark {
  name: string
  /** The average that the benchmark quotes: over all questions, or the mean of the parts' accuracies. */
  headline: Headline
  unions?: Unions
  /** Every question that is asked, in order. */
  questions: readonly ListedQuestion[]
  /** Rows that are not asked, and why. */
  excluded: readonly { id: string; reason: string }[]
  findings: readonly Finding[]
  shard: number
  shards: number
}

/** A question without its words. The digests say whether two benchmarks ask and count the same. */
export interface ListedQuestion {
  id: string
  clip: string
  question?: string
  gold?: string
}

/** `tasks`: the mean of the tasks' accuracies; `groups.NAME`: the mean over the values of group NAME. */
export type Headline = 'micro' | 'tasks' | `groups.${string}`

/** Tasks by the name under which they count as one in the mean of the tasks: the mean of their accuracies. */
export type Unions = Readonly<Record<string, readonly string[]>>

/** Something noteworthy in the data. */
export interface Finding {
  code:
    | 'missing-clip'
    | 'empty-clip'
    | 'unwinnable'
    | 'repeated-option'
    | 'duplicate-id'
    | 'duplicate-question'
    | 'unknown-field'
    | 'not-asked'
    | 'bad-bounds'
  /** A question's id or a field's name, and details. */
  about: string
}
