// Whole prompts, byte for byte as the published scripts make them from the same rows.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { Question } from '../../../operators/question.ts'
import { type Profile, worded } from '../../../operators/read/benchmark.ts'
import { readMlvu } from '../../../operators/read/mlvu.ts'
import { readMmvu } from '../../../operators/read/mmvu.ts'
import { readMvbench } from '../../../operators/read/mvbench.ts'
import { readVideoMme } from '../../../operators/read/video-mme.ts'
import { imageMarker, renderPrompt, templates } from '../../../operators/text/template.ts'

const think =
  'Output the thinking process in <think> </think> and final answer (option) in <answer> </answer> tags.'
const letter = "Answer with the option's letter from the given choices directly."

const chat = (words: string) =>
  'A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, ' +
  `and polite answers to the user's questions. USER: <image>\n${words} ASSISTANT:`

function write(folder: string, files: Readonly<Record<string, unknown>>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content instanceof Buffer ? content : JSON.stringify(content))
  }
  return folder
}

/** The prompts of a benchmark in a profile, as a model reads them. */
const promptsOf = async (
  read: (settings: ReturnType<typeof settingsOf>) => Promise<{ questions: readonly Question[] }>,
  path: string,
  profile: Profile,
): Promise<string[]> => {
  const { questions } = await read(settingsOf(path, profile))
  return questions.map(({ question }) => renderPrompt(templates.qwen2_base, `${imageMarker}\n${question}`))
}

const settingsOf = (path: string, profile: Profile) => ({
  ...worded({ path, profile, instruction: '' }),
  questions: 'choice' as const,
  duration: 'all',
  subtitles: false,
})

t.test('MVBench: options with letters and full stops; white space after the last one is cut', async t => {
  const rows = [
    {
      video: 'a.mp4',
      question: ' What did she lift? ',
      candidates: ['The box ', 'A cup. \u00a0\n'],
      answer: 'x',
    },
    {
      video: 'b.mp4',
      question: 'Which\ncolour?',
      candidates: ['$& red', 'é', 'yes: "no"', '', ' '],
      answer: 'é',
    },
  ]
  const path = write(t.testdir(), { 'json/action_antonym.json': rows })
  for (const profile of ['published', 'strict'] as const)
    t.strictSame(await promptsOf(readMvbench, path, profile), [
      chat(`What did she lift? \nOptions:\nA. The box \nB. A cup.\n${think}`),
      chat(`Which\ncolour?\nOptions:\nA. $& red\nB. é\nC. yes: "no"\nD. \nE.\n${think}`),
    ])
  t.strictSame(await promptsOf(readMvbench, path, 'base'), [
    chat(`What did she lift? \n(A) The box \n(B) A cup.\n${letter}`),
    chat(`Which\ncolour?\n(A) $& red\n(B) é\n(C) yes: "no"\n(D) \n(E)\n${letter}`),
  ])
})

t.test('MLVU: options with letters in brackets; white space after the last one is cut', async t => {
  const row = { video: 'a.mp4', duration: 3, question_type: 'ego', answer: 'x' }
  const rows = [
    { ...row, question: 'Where is the key?  ', candidates: ['On  the shelf', ' in it', 'No.', 'Lost\t '] },
    { ...row, question: 'An <image> of what?', candidates: ['a', 'b', 'c', ''] },
  ]
  const path = write(t.testdir(), { 'json/3_ego.json': rows })
  const shelf = 'Where is the key?  \n(A) On  the shelf\n(B)  in it\n(C) No.\n(D) Lost\n'
  const image = 'An  of what?\n(A) a\n(B) b\n(C) c\n(D)\n'
  for (const [profile, instruction] of [
    ['published', think],
    ['strict', think],
    ['base', letter],
  ] as const)
    t.strictSame(await promptsOf(readMlvu, path, profile), [
      chat(shelf + instruction),
      chat(image + instruction),
    ])
})

t.test('MMVU: five options without a line before them; white space stays', async t => {
  const row = {
    id: 'validation_1',
    video: 'Art/1.mp4',
    youtube_url: '',
    question_type: 'multiple-choice',
    metadata: {},
  }
  const choices = { A: 'one ', B: '2.5 µm', C: 'x²', D: 'none', E: 'all of them  ' }
  const rows = [{ ...row, question: 'Which style?\n', choices, answer: 'C' }]
  const path = write(t.testdir(), { 'validation.json': rows })
  const words = 'Which style?\n\nA. one \nB. 2.5 µm\nC. x²\nD. none\nE. all of them  \n'
  for (const [profile, instruction] of [
    ['published', think],
    ['strict', think],
    ['base', letter],
  ] as const)
    t.strictSame(await promptsOf(readMmvu, path, profile), [chat(words + instruction)])
})

t.test('Video-MME: options as they are stated; white space stays', async t => {
  const path = write(t.testdir(), { 'videomme/test-00000-of-00001.parquet': Buffer.from(table, 'base64') })
  const question = 'Which sign stands\nat the door? \n'
  const options = 'A. Open. \nB. Closed.\nC. “Gone”.\nD. None.  \n'
  for (const profile of ['published', 'strict'] as const)
    t.strictSame(await promptsOf(readVideoMme, path, profile), [
      chat(`${question}Options:\n${options}${think}`),
    ])
  t.strictSame(await promptsOf(readVideoMme, path, 'base'), [chat(`${question}${options}${letter}`)])
})

/** One row as hyparquet-writer writes it: two blanks before the question, one after it, two after the last option. */
const table =
  'UEFSMRUGFRIVFlwVAhUAFQIVABUEFQAAAAMBBxgDAAAAMDAxFQYVFhUaXBUCFQAVAhUAFQQVAAAAAwEJIAUAAABzaG9ydBUGFR4V' +
  'IlwVAhUAFQIVABUEFQAAAAMBDTAJAAAAS25vd2xlZGdlFQYVEhUWXBUCFQAVAhUAFQQVAAAAAwEHGAMAAABMYXcVBhUMFRBcFQIV' +
  'ABUCFQAVBBUAAAADAQQMAAAAABUGFQ4VElwVAhUAFQIVABUEFQAAAAMBBRABAAAAaxUGFRYVGlwVAhUAFQIVABUEFQAAAAMBCSAF' +
  'AAAAMDAxLTEVBhUkFShcFQIVABUCFQAVBBUAAAADARA8DAAAAE9DUiBQcm9ibGVtcxUGFU4VUlwVAhUAFQIVABUEFQAAAAMBJZAh' +
  'AAAAICBXaGljaCBzaWduIHN0YW5kcwphdCB0aGUgZG9vcj8gFQYVgAEVhAFcFQgVABUCFQAVBhUEAAADDgP/ADvoCQAAAEEuIE9w' +
  'ZW4uIAoAAABCLiBDbG9zZWQuDgAAAEMuIOKAnEdvbmXigJ0uCgAAAEQuIE5vbmUuICAVBhUOFRJcFQIVABUCFQAVBBUAAAADAQUQ' +
  'AQAAAEMVBBnsSAZzY2hlbWEVFgAVDCUCGAh2aWRlb19pZCUAABUMJQIYCGR1cmF0aW9uJQAAFQwlAhgGZG9tYWluJQAAFQwlAhgM' +
  'c3ViX2NhdGVnb3J5JQAAFQwlAhgDdXJsJQAAFQwlAhgHdmlkZW9JRCUAABUMJQIYC3F1ZXN0aW9uX2lkJQAAFQwlAhgJdGFza190' +
  'eXBlJQAAFQwlAhgIcXVlc3Rpb24lAAA1AhgHb3B0aW9ucxUCFQYANQQYBGxpc3QVAgAVDCUCGAdlbGVtZW50JQAAFQwlAhgGYW5z' +
  'd2VyJQAAFgIZHBm8JggcFQwZFQAZGAh2aWRlb19pZBUCFgIWPBZAJggAACZIHBUMGRUAGRgIZHVyYXRpb24VAhYCFkAWRCZIAAAm' +
  'jAEcFQwZFQAZGAZkb21haW4VAhYCFkgWTCaMAQAAJtgBHBUMGRUAGRgMc3ViX2NhdGVnb3J5FQIWAhY8FkAm2AEAACaYAhwVDBkV' +
  'ABkYA3VybBUCFgIWNhY6JpgCAAAm0gIcFQwZFQAZGAd2aWRlb0lEFQIWAhY4Fjwm0gIAACaOAxwVDBkVABkYC3F1ZXN0aW9uX2lk' +
  'FQIWAhZAFkQmjgMAACbSAxwVDBkVABkYCXRhc2tfdHlwZRUCFgIWThZSJtIDAAAmpAQcFQwZFQAZGAhxdWVzdGlvbhUCFgIWeBZ8' +
  'JqQEAAAmoAUcFQwZFQAZOAdvcHRpb25zBGxpc3QHZWxlbWVudBUCFggWrgEWsgEmoAUAACbSBhwVDBkVABkYBmFuc3dlchUCFgIW' +
  'OBY8JtIGAAAW2gYWAjaGBwAoCWh5cGFycXVldBm8HAAAHAAAHAAAHAAAHAAAHAAAHAAAHAAAHAAAHAAAHAAAAJMCAABQQVIx'
