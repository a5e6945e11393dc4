import { join } from 'node:path'
import type { QuestionWith } from '../question.ts'
import { type Picture, tile } from '../video/picture.ts'
import { writeJpeg } from '../video/pictures.ts'
import { fileName, folderOfCount } from './results/store.ts'

/** Frames in one row of a contact sheet. */
const columns = 4

/** Writes a contact sheet of the frames that each question sees; questions that see the same ones share it. */
export async function withSheets(
  folder: string,
  questions: readonly QuestionWith<'shown'>[],
  thumbnails: ReadonlyMap<number, Picture> | undefined,
  signal: AbortSignal,
): Promise<QuestionWith<'shown'>[]> {
  if (!thumbnails?.size) return questions.map(question => ({ ...question }))
  const written = new Map<string, string>()
  const out: QuestionWith<'shown'>[] = []
  for (const question of questions) {
    const { shown, fields, count } = question
    const frames = shown.indices.join(',')
    const place = folderOfCount(folder, count)
    let sheet = written.get(`${place}\n${frames}`)
    if (sheet === undefined) {
      sheet = `frames/${fileName(`${fields.clip}\n${frames}`)}.jpg`
      const pictures = shown.indices.flatMap(index => thumbnails.get(index) ?? [])
      await writeJpeg(join(place, sheet), tile(pictures, columns), 5, signal)
      written.set(`${place}\n${frames}`, sheet)
    }
    out.push({ ...question, shown: { ...shown, sheet } })
  }
  return out
}
