import { at } from '../../engine/shared/at.ts'

/** A clip as a prompt words it. */
export interface ShownClip {
  /** Of each frame that the model sees, seconds after the beginning. */
  readonly seconds: readonly number[]
  readonly durationSeconds: number
}

/**
 * The frames of a clip in SmolVLM2's words, each with its time and an `<image>` for its visual tokens (SmolVLMProcessor of
 * transformers).
 */
export function smolVlmFrames({ seconds, durationSeconds }: ShownClip): string {
  const duration = Math.trunc(durationSeconds)
  const clock = `${Math.floor(duration / 3600)}:${twoDigits(Math.floor(duration / 60) % 60)}:${twoDigits(duration % 60)}`
  const frames = seconds.map(second => {
    const time = `${twoDigits(Math.floor(second / 60))}:${twoDigits(Math.floor(second % 60))}`
    return `\nFrame from ${time}:<fake_token_around_image><global-img><image><fake_token_around_image>`
  })
  const intro = `You are provided the following series of ${inWords(seconds.length)} frames from a ${clock} [H:MM:SS] video.\n`
  return `${intro}${frames.join('')}\n\n`
}

const twoDigits = (value: number): string => String(value).padStart(2, '0')

/** A whole number below a million in English words, as num2words writes it: `one hundred and twenty-eight`. */
export function inWords(value: number): string {
  if (value < 20) return at(small, value)
  if (value < 100) return at(tens, Math.floor(value / 10)) + (value % 10 ? `-${small[value % 10]}` : '')
  if (value < 1000) {
    const rest = value % 100
    return `${small[Math.floor(value / 100)]} hundred${rest ? ` and ${inWords(rest)}` : ''}`
  }
  const rest = value % 1000
  const joint = rest < 100 ? ' and ' : ', '
  return `${inWords(Math.floor(value / 1000))} thousand${rest ? joint + inWords(rest) : ''}`
}

const small = (
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen ' +
  'eighteen nineteen'
).split(' ')
const tens = '- - twenty thirty forty fifty sixty seventy eighty ninety'.split(' ')
