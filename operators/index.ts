import dpoPairs from './dpo/pairs.ts'
import dpoUpdate from './dpo/update.ts'
import evalAnswer from './eval/answer.ts'
import evalByClip from './eval/by-clip.ts'
import evalConstant from './eval/constant.ts'
import evalEncode from './eval/encode.ts'
import evalEvery from './eval/every.ts'
import featureCache from './eval/feature-cache.ts'
import evalHeldOut from './eval/held-out.ts'
import evalOracle from './eval/oracle.ts'
import evalPending from './eval/pending.ts'
import readResults from './eval/read-results.ts'
import evalRecipe from './eval/recipe.ts'
import evalRecord from './eval/record.ts'
import evalScore from './eval/score.ts'
import evalWatch from './eval/watch.ts'
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
import judgeModel from './judge/model.ts'
import judgeNone from './judge/none.ts'
import adamw from './model/adamw.ts'
import modelAnswer from './model/answer.ts'
import { architectures } from './model/architectures/index.ts'
import modelAssemble from './model/assemble.ts'
import baseModel from './model/base-model.ts'
import modelBlind from './model/blind.ts'
import modelEncode from './model/encode.ts'
import modelGenerate from './model/generate.ts'
import modelMerge from './model/merge.ts'
import model from './model/model.ts'
import { connectors, languages, towers } from './model/parts/index.ts'
import modelRandom from './model/random.ts'
import readClips from './read/clips.ts'
import readConversations from './read/conversations.ts'
import readCsv from './read/csv-rows.ts'
import readEgoSchema from './read/egoschema.ts'
import readJsonl from './read/jsonl.ts'
import readLongVideoBench from './read/longvideobench.ts'
import readLvbench from './read/lvbench.ts'
import readMlvu from './read/mlvu.ts'
import readMmvu from './read/mmvu.ts'
import readMultipleChoice from './read/multiple-choice.ts'
import readMvbench from './read/mvbench.ts'
import readNextQa from './read/nextqa.ts'
import readParquetRows from './read/parquet-rows.ts'
import readPerceptionTest from './read/perceptiontest.ts'
import readQuestion from './read/question.ts'
import readQuestions from './read/questions.ts'
import readTempCompass from './read/tempcompass.ts'
import readVideoMme from './read/video-mme.ts'
import readVsiBench from './read/vsi-bench.ts'
import rewardAccuracy from './reward/accuracy.ts'
import rewardAccuracyFormat from './reward/accuracy-format.ts'
import rewardCombine from './reward/combine.ts'
import rewardCommand from './reward/command.ts'
import rewardFormat from './reward/format.ts'
import rewardHttp from './reward/http.ts'
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
import videoEncode from './video/encode.ts'
import videoSample from './video/sample.ts'
import videoThin from './video/thin.ts'
import videoWriteFrames from './video/write-frames.ts'
import writeJsonl from './write/jsonl.ts'

/** What a checkpoint's configuration may name, by title. */
export const parts = { towers, connectors, languages, architectures }

/** The operators by their names in graphs. */
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
  'eval.pending': evalPending,
  'eval.recipe': evalRecipe,
  'eval.record': evalRecord,
  'eval.score': evalScore,
  'eval.watch': evalWatch,
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
  'judge.model': judgeModel,
  'judge.none': judgeNone,
  'model.answer': modelAnswer,
  'model.blind': modelBlind,
  'model.encode': modelEncode,
  'model.generate': modelGenerate,
  'model.merge': modelMerge,
  'model.assemble': modelAssemble,
  'model.random': modelRandom,
  'read.clips': readClips,
  'read.conversations': readConversations,
  'read.egoschema': readEgoSchema,
  'read.csv': readCsv,
  'read.jsonl': readJsonl,
  'read.parquet': readParquetRows,
  'read.longvideobench': readLongVideoBench,
  'read.lvbench': readLvbench,
  'read.mlvu': readMlvu,
  'read.mmvu': readMmvu,
  'read.multiple-choice': readMultipleChoice,
  'read.mvbench': readMvbench,
  'read.nextqa': readNextQa,
  'read.perceptiontest': readPerceptionTest,
  'read.question': readQuestion,
  'read.questions': readQuestions,
  'read.results': readResults,
  'read.tempcompass': readTempCompass,
  'read.video-mme': readVideoMme,
  'read.vsi-bench': readVsiBench,
  'reward.accuracy': rewardAccuracy,
  'reward.accuracy-format': rewardAccuracyFormat,
  'reward.combine': rewardCombine,
  'reward.command': rewardCommand,
  'reward.format': rewardFormat,
  'reward.http': rewardHttp,
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
  'video.decode': videoDecode,
  'video.describe': videoDescribe,
  'video.encode': videoEncode,
  'video.sample': videoSample,
  'video.thin': videoThin,
  'video.write-frames': videoWriteFrames,
  'write.jsonl': writeJsonl,
}

/** The resource types by their names in graphs. */
export const resources = {
  adamw,
  'base-model': baseModel,
  'feature-cache': featureCache,
  model,
}
