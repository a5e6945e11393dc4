import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { coldStart, isDone, runGraph } from './demo-runs.ts'

/**
 * Makes the shipped checkpoint anew from random weights, stage by stage, and tells for each of its files whether the
 * bytes are the same; true when all are. Stages that were done in `out` are not done again.
 */
export function rebuild(out: string): boolean {
  const folderOf = (stage: string) => join(out, `rebuild-${stage}`)
  const modelOf = (stage: string) => join(folderOf(stage), 'checkpoints/last/model')
  const data = join(out, 'rebuild-shapes')
  const stage = (name: string, set: readonly string[]) => {
    if (!isDone(folderOf(name))) runGraph(name, folderOf(name), 1, set)
  }
  stage('data', [`out=${data}`])
  stage('pretrain', [`data=${data}`, `model=${data}`])
  stage('finetune', [`data=${data}`, `model=${modelOf('pretrain')}`])
  stage('coldstart', [`data=${data}`, `model=${modelOf('finetune')}`])
  const told = readdirSync(coldStart).map(name => {
    const difference = differenceOf(name, join(coldStart, name), join(modelOf('coldstart'), name))
    console.log(`${name}: ${difference || 'the same bytes'}`)
    return difference
  })
  return told.every(difference => difference === '')
}

function differenceOf(name: string, shippedFile: string, rebuiltFile: string): string {
  const [shipped, rebuilt] = [readFileSync(shippedFile), readFileSync(rebuiltFile)]
  if (shipped.equals(rebuilt)) return ''
  if (!name.endsWith('.safetensors') || shipped.length !== rebuilt.length) return 'other bytes'
  const [ours, theirs] = [weightsOf(shipped), weightsOf(rebuilt)]
  const distances = ours.map((weight, i) => Math.abs(weight - (theirs[i] ?? Number.NaN)))
  const [count, most] = distances.reduce(
    ([other, largest], distance) => [other + (distance === 0 ? 0 : 1), Math.max(largest, distance)],
    [0, 0],
  )
  return `${count} of ${ours.length} weights differ, by at most ${most}`
}

/** The weights of a safetensors file that holds float32 only: they follow the header, whose length is in the first 8 bytes. */
function weightsOf(file: Buffer): Float32Array {
  const start = 8 + Number(file.readBigUInt64LE())
  return new Float32Array(Uint8Array.from(file.subarray(start)).buffer)
}
