import grpoAdvantage from './grpo/advantage.ts'
import grpoUpdate from './grpo/update.ts'
import adamw from './model/adamw.ts'
import modelEncode from './model/encode.ts'
import modelGenerate from './model/generate.ts'
import model from './model/model.ts'
import modelRandom from './model/random.ts'
import readJsonl from './read/jsonl.ts'
import readQuestions from './read/questions.ts'
import rewardAccuracyFormat from './reward/accuracy-format.ts'
import shapesClips from './shapes/clips.ts'
import streamBatch from './stream/batch.ts'
import streamTake from './stream/take.ts'
import videoDecode from './video/decode.ts'
import videoEncode from './video/encode.ts'
import videoSample from './video/sample.ts'
import writeJsonl from './write/jsonl.ts'

/** The operators by their names in graphs. */
export const operators = {
  'grpo.advantage': grpoAdvantage,
  'grpo.update': grpoUpdate,
  'model.encode': modelEncode,
  'model.generate': modelGenerate,
  'model.random': modelRandom,
  'read.jsonl': readJsonl,
  'read.questions': readQuestions,
  'reward.accuracy-format': rewardAccuracyFormat,
  'shapes.clips': shapesClips,
  'stream.batch': streamBatch,
  'stream.take': streamTake,
  'video.decode': videoDecode,
  'video.encode': videoEncode,
  'video.sample': videoSample,
  'write.jsonl': writeJsonl,
}

/** The resource types by their names in graphs. */
export const resources = {
  adamw,
  model,
}
