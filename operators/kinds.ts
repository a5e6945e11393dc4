// The value types of the port kinds.
import type { Tensor } from '../kernels/device/tensor.ts'

/** Kind `sample`: one question about one clip, as a data set states it. */
export interface Sample {
  /** Path of the clip. */
  video: string
  /** The question with its lettered options, without `<image>`. */
  question: string
  /** The true answer: a letter or `<answer> C </answer>`. */
  solution?: string
  /** A conversation to learn from, for supervised training. */
  conversations?: readonly Message[]
  /** The other columns of the row, unchanged: those that were not read as the clip, the question, its options or the answer. */
  fields: Readonly<Record<string, unknown>>
}

export interface Message {
  from: string
  value: string
}

/** Kind `pictures`: the frames of a clip before it is a file, and the data rows about it. */
export interface Pictures {
  /** Path of the file to write, relative to the data set's folder; its ending chooses the container. */
  path: string
  width: number
  height: number
  framesPerSecond: number
  /** Packed 8-bit RGB, one array a frame. */
  frames: readonly Uint8Array[]
  rows: readonly Readonly<Record<string, unknown>>[]
}

/** Kind `clip`: an opened video file; pixels are decoded only when asked for. */
export interface Clip {
  sample: Sample
  path: string
  /** Frames that really decode. */
  frameCount: number
  /** Average frames a second. */
  framesPerSecond: number
  durationSeconds: number
  /** Size of a decoded frame in pixels, as stored: rotation metadata is not applied. */
  width: number
  height: number
  /** Number of frame 0 in names and in rule M: 0 in files, that of the first picture (usually 1) in folders. */
  firstFrame: number
  /** What is wrong with data that is cut or corrupt: found when it was opened, or since then in frames that were read. */
  damage?: string
  /** How `video.decode` opened it, so that another process can open it too. */
  opened?: ClipOptions
  /** Decodes these frames (0-based) one by one, in increasing order, a repeated one repeatedly, to packed 8-bit RGB. */
  frames(indices: readonly number[], signal?: AbortSignal): AsyncIterable<Uint8Array>
  /** Decodes these frames (0-based, in any order, repeats allowed) to packed 8-bit RGB, one array a frame, all in memory. */
  read(indices: readonly number[], signal?: AbortSignal): Promise<Uint8Array[]>
  /** Removes what was unpacked for the clip; after it no frame can be read. */
  close?(): void
}

export interface ClipOptions {
  deadlineSeconds: number
  folderFramesPerSecond: number
}

/** Kind `frames`: the frames the model sees. */
export interface Frames {
  sample: Sample
  /** Frame numbers in the clip. */
  indices: readonly number[]
  /** When they are shown, seconds after the clip's beginning. */
  seconds: readonly number[]
  durationSeconds: number
  /** (frames, 3, size, size) f32, normalised, on the GPU; freed with the item. Absent where features were kept. */
  pixels?: Tensor
  /** The vision tower's features where a cache had them, and the model that they are of. The frames were not decoded. */
  kept?: { features: Tensor; model: string }
  /** Keeps the features, which have this number of bytes, for the next run or pass. Calls `read` only if they have room. */
  keep?: (bytes: number, read: () => Promise<Float32Array>) => Promise<void>
  /** How `video.sample` made them of the clip. */
  made?: { opened: ClipOptions; aspect: 'square' | 'pad' }
}

/** Kind `prompt`: a question ready for the language model. */
export interface Prompt {
  sample: Sample
  /** The rendered template. */
  text: string
  /** Token ids; -200 marks the place of the visual tokens. */
  ids: readonly number[]
  /** f32, of the shape that the model's tower gives them: the frozen tower's features on the GPU; freed with the item. */
  features: Tensor
  /** How the features were made, so that another process can make them again. */
  made?: PromptMade
  /** Seconds from one moment of the clip to the next, where the model's positions depend on it. */
  momentSeconds?: number
}

export interface PromptMade {
  /** Name of the model's resource. */
  model: string
  visual: 'frames' | 'zero'
  /** Frame numbers in the clip. */
  indices: readonly number[]
  /** Shape of the features. */
  shape: readonly number[]
  aspect: 'square' | 'pad'
  opened: ClipOptions
  /** Name of a file with the features, in the folder that processes of one machine share. */
  file?: string
  /** The file belongs to the process that the prompt came from, which removes it. */
  lent?: boolean
}

/** Kind `example`: a conversation ready for supervised training. */
export interface Example {
  sample: Sample
  /** The rendered template. */
  text: string
  /** Token ids; -200 marks the place of the visual tokens. */
  ids: readonly number[]
  /** One for each id: the id itself where it is learned, -100 elsewhere. */
  labels: readonly number[]
  /** f32, of the shape that the model's tower gives them: the frozen tower's features on the GPU; freed with the item. */
  features?: Tensor
  /** (frames, 3, height, width) f32, normalised, instead of the features when the tower is trained too. */
  pixels?: Tensor
  /** Seconds from one moment of the clip to the next, where the model's positions depend on it. */
  momentSeconds?: number
}

/** Kind `group`: the completions of one prompt. */
export interface Group {
  /** From another process its features come in a file, and have no memory on the GPU before `loadFeatures` reads them. */
  prompt: Prompt
  completions: readonly Completion[]
  /** The policy's version (number of updates) that wrote the completions. */
  policyVersion: number
  /** Seconds of generation; if several prompts are generated for at the same time, this group's share. */
  generateSeconds: number
  /** Groups that grpo.filter has dropped since the last one that it kept. */
  droppedBefore?: number
}

export interface Completion {
  /** Ids up to and including the end-of-text token, if the completion has one. */
  ids: readonly number[]
  /** Log-probability of each id under the distribution that it was drawn from, when the generator records it. */
  logProbs?: readonly number[]
  /** Decoded without special tokens, stripped as Python's str.strip does. */
  text: string
  /** False if the completion was cut at the token limit. */
  finished: boolean
  /** By reward name; filled by reward operators. Null where a reward does not apply to the completion. */
  rewards?: Readonly<Record<string, number | null>>
  /** The combined reward. */
  reward?: number
  advantage?: number
}
