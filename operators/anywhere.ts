import dpoPairs from './dpo/pairs.ts'
import dpoUpdate from './dpo/update.ts'
import evalAnswer from './eval/answer.ts'
import evalByClip from './eval/by-clip.ts'
import evalConstant from './eval/constant.ts'
import evalEncode from './eval/encode.ts'
import evalEvery from './eval/every.ts'
import evalHeldOut from './eval/held-out.ts'
import evalOracle from './eval/oracle.ts'
import readResults from './eval/read-results.ts'
import evalScore from './eval/score.ts'
import groupBest from './group/best.ts'
import groupConversations from './group/conversations.ts'
import groupKeep from './group/keep.ts'
import groupQuestion from './group/question.ts'
import groupRecord from './group/record.ts'
import groupTexts from './group/texts.ts'
import groupVote from './group/vote.ts'
import grpoAdvantage from './grpo/advantage.ts'
import grpoFilter from './grpo/filter.ts'
import klReward from './grpo/kl-reward.ts'
import grpoUpdate from './grpo/update.ts'
import judgeChat from './judge/chat.ts'
import judgeHttp from './judge/http.ts'
import judgeNone from './judge/none.ts'
import adamw from './model/adamw.ts'
import modelAnswer from './model/answer.ts'
import modelAssemble from './model/assemble.ts'
import baseModel from './model/base-model.ts'
import modelBlind from './model/blind.ts'
import modelEncode from './model/encode.ts'
import modelGenerate from './model/generate.ts'
import modelMerge from './model/merge.ts'
import model from './model/model.ts'
import modelQuantise from './model/quantise.ts'
import modelRandom from './model/random.ts'
import readClips from './read/clips.ts'
import readConversations from './read/conversations.ts'
import readCsv from './read/csv-rows.ts'
import { inspectMade } from './read/inspect-samples.ts'
import readJsonl from './read/jsonl.ts'
import readParquetRows from './read/parquet-rows.ts'
import readQuestion from './read/question.ts'
import readQuestions from './read/questions.ts'
import rewardAccuracy from './reward/accuracy.ts'
import rewardAccuracyFormat from './reward/accuracy-format.ts'
import rewardCombine from './reward/combine.ts'
import rewardFormat from './reward/format.ts'
import rewardHttp from './reward/http.ts'
import rewardJudgeChat from './reward/judge-chat.ts'
import rewardJudgeModel from './reward/judge-model.ts'
import rewardMean from './reward/mean.ts'
import rewardOverlong from './reward/overlong.ts'
import rewardRandom from './reward/random.ts'
import rewardRepetition from './reward/repetition.ts'
import rewardSum from './reward/sum.ts'
import sftEncode from './sft/encode.ts'
import sftUpdate from './sft/update.ts'
import shapesClips from './shapes/clips.ts'
import streamBatch from './stream/batch.ts'
import streamFilter from './stream/filter.ts'
import streamJoin from './stream/join.ts'
import streamMap from './stream/map.ts'
import streamReplay from './stream/replay.ts'
import streamSelect from './stream/select.ts'
import streamSort from './stream/sort.ts'
import streamTake from './stream/take.ts'
import videoContactSheet from './video/contact-sheet.ts'
import videoDecode from './video/decode.ts'
import videoDescribe from './video/describe.ts'
import videoSample from './video/sample.ts'
import videoThin from './video/thin.ts'
import writeJsonl from './write/jsonl.ts'

/** The operators that run in Node and in a browser tab, by their names in graphs. */
export const operators = {
  'dpo.pairs': dpoPairs,
  'dpo.update': dpoUpdate,
  'eval.answer': evalAnswer,
  'eval.by-clip': evalByClip,
  'eval.constant': evalConstant,
  'eval.encode': evalEncode,
  'eval.every': evalEvery,
  'eval.held-out': evalHeldOut,
  'eval.oracle': evalOracle,
  'eval.score': evalScore,
  'group.best': groupBest,
  'group.conversations': groupConversations,
  'group.keep': groupKeep,
  'group.question': groupQuestion,
  'group.record': groupRecord,
  'group.texts': groupTexts,
  'group.vote': groupVote,
  'grpo.advantage': grpoAdvantage,
  'grpo.filter': grpoFilter,
  'grpo.kl-reward': klReward,
  'grpo.update': grpoUpdate,
  'judge.chat': judgeChat,
  'judge.http': judgeHttp,
  'judge.none': judgeNone,
  'model.answer': modelAnswer,
  'model.blind': modelBlind,
  'model.encode': modelEncode,
  'model.generate': modelGenerate,
  'model.merge': modelMerge,
  'model.quantise': modelQuantise,
  'model.assemble': modelAssemble,
  'model.random': modelRandom,
  'read.clips': readClips,
  'read.conversations': readConversations,
  'read.csv': readCsv,
  'read.jsonl': readJsonl,
  'read.parquet': readParquetRows,
  'read.question': readQuestion,
  'read.questions': readQuestions,
  'read.results': readResults,
  'reward.accuracy': rewardAccuracy,
  'reward.accuracy-format': rewardAccuracyFormat,
  'reward.combine': rewardCombine,
  'reward.format': rewardFormat,
  'reward.http': rewardHttp,
  'reward.judge-chat': rewardJudgeChat,
  'reward.judge-model': rewardJudgeModel,
  'reward.mean': rewardMean,
  'reward.overlong': rewardOverlong,
  'reward.random': rewardRandom,
  'reward.repetition': rewardRepetition,
  'reward.sum': rewardSum,
  'sft.encode': sftEncode,
  'sft.update': sftUpdate,
  'shapes.clips': shapesClips,
  'stream.batch': streamBatch,
  'stream.replay': streamReplay,
  'stream.filter': streamFilter,
  'stream.join': streamJoin,
  'stream.map': streamMap,
  'stream.select': streamSelect,
  'stream.sort': streamSort,
  'stream.take': streamTake,
  'video.contact-sheet': videoContactSheet,
  // readers look at clips already: what they find is said of questions that a graph makes itself, too
  'video.decode': { ...videoDecode, inspectItems: inspectMade },
  'video.describe': videoDescribe,
  'video.sample': videoSample,
  'video.thin': videoThin,
  'write.jsonl': writeJsonl,
}

/** The resource types of the same, by their names in graphs. */
export const resources = {
  adamw,
  'base-model': baseModel,
  model,
}
