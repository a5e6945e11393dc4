import readJsonl from './read/jsonl.ts'
import streamBatch from './stream/batch.ts'
import streamTake from './stream/take.ts'
import writeJsonl from './write/jsonl.ts'

/** The operators by their names in graphs. */
export const operators = {
  'read.jsonl': readJsonl,
  'stream.batch': streamBatch,
  'stream.take': streamTake,
  'write.jsonl': writeJsonl,
}

/** The resource types by their names in graphs. */
export const resources = {}
