import evalPending from './eval/pending.ts'
import evalRecipe from './eval/recipe.ts'
import evalRecord from './eval/record.ts'
import evalWatch from './eval/watch.ts'
import judgeModel from './judge/model.ts'
import featureCache from './model/feature-files.ts'
import readEgoSchema from './read/egoschema.ts'
import readLongVideoBench from './read/longvideobench.ts'
import readLvbench from './read/lvbench.ts'
import readMlvu from './read/mlvu.ts'
import readMmvu from './read/mmvu.ts'
import readMultipleChoice from './read/multiple-choice.ts'
import readMvbench from './read/mvbench.ts'
import readNextQa from './read/nextqa.ts'
import readPerceptionTest from './read/perceptiontest.ts'
import readTempCompass from './read/tempcompass.ts'
import readVideoMme from './read/video-mme.ts'
import readVsiBench from './read/vsi-bench.ts'
import rewardCommand from './reward/command.ts'
import videoEncode from './video/encode.ts'
import videoWriteFrames from './video/write-frames.ts'

/**
 * The operators that a browser tab does not have, by their names in graphs: they start processes (ffmpeg, scorers), read
 * benchmarks and their archives, or keep results of evaluations.
 */
export const operators = {
  'eval.pending': evalPending,
  'eval.recipe': evalRecipe,
  'eval.record': evalRecord,
  'eval.watch': evalWatch,
  'judge.model': judgeModel,
  'read.egoschema': readEgoSchema,
  'read.longvideobench': readLongVideoBench,
  'read.lvbench': readLvbench,
  'read.mlvu': readMlvu,
  'read.mmvu': readMmvu,
  'read.multiple-choice': readMultipleChoice,
  'read.mvbench': readMvbench,
  'read.nextqa': readNextQa,
  'read.perceptiontest': readPerceptionTest,
  'read.tempcompass': readTempCompass,
  'read.video-mme': readVideoMme,
  'read.vsi-bench': readVsiBench,
  'reward.command': rewardCommand,
  'video.encode': videoEncode,
  'video.write-frames': videoWriteFrames,
}

/** The resource types of the same, by their names in graphs. */
export const resources = {
  'feature-cache': featureCache,
}
