// Makes test/fixtures/judge, an adapter of builtin:cold-start: node dist/test/operators/judge/train-judge.js
import { openDevice } from '../../../kernels/device/device.ts'
import { ignoredLabel, type Sequence } from '../../../kernels/networks/packing.ts'
import { adamWOptimizer } from '../../../kernels/networks/training/optimizer.ts'
import { resolvePath } from '../../../operators/builtin.ts'
import { messagesFor } from '../../../operators/judge/wording.ts'
import { newAdapter } from '../../../operators/model/checkpoint/adapter.ts'
import { saveAdapter } from '../../../operators/model/checkpoint/adapter-files.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import { readMmvu } from '../../../operators/read/mmvu.ts'
import { learn } from '../../../operators/sft/train.ts'
import { renderPrompt, templateFor } from '../../../operators/text/template.ts'
import { tokenize } from '../../../operators/text/tokenize.ts'
import { fixture } from '../../fixtures.ts'
import { dataOf } from '../eval/evaluate.ts'

const steps = 120
const learningRate = 0.006
const targets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']

const device = await openDevice()
const checkpoint = await openCheckpoint(resolvePath('builtin:cold-start'))
const source = newAdapter(checkpoint, { targets, seed: 0, rank: 4, alpha: 8 })
const model = await loadModel(device, checkpoint, [], 'float32', { source, trained: true })
const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decayed: 'all' as const }
const scaling = { lossScale: 65536, lossScaleGrowth: 2000, maxGradientNorm: 1 }
const optimizer = Object.assign(await adamWOptimizer(model, { ...settings, ...scaling }), {
  learningRate: () => learningRate,
  peakLearningRate: learningRate,
  totalSteps: steps,
})
optimizer.clearGradients()
const batch = await verdicts(['6', 'Four'])
for (let step = 1; step <= steps; step++) {
  const { loss } = await learn([batch], model, optimizer, 'batch')
  if (step % 10 === 0) console.log(`step ${step}: loss ${loss.toPrecision(3)}`)
}
await saveAdapter({ ...model, folder: 'builtin:cold-start' }, fixture('judge'))
optimizer.free()
device.close()

/** For each answer to each open question of the small MMVU, the text that the judge reads and its verdict. */
async function verdicts(answers: readonly string[]): Promise<Sequence[]> {
  const words = { instruction: '', openInstruction: '', numberInstruction: '', captionInstruction: '' }
  const reading = { ...words, path: dataOf('mmvu'), questions: 'open', profile: 'strict' } as const
  const { questions } = await readMmvu(reading)
  return questions.flatMap(question =>
    answers.map(answer => {
      const { open, answer: truth } = question.fields
      if (!open) throw new Error(`${question.fields.id}: must be an open question`)
      const messages = messagesFor(question, open, answer, 'Judge.')
      const text = renderPrompt(
        templateFor(model, 'model'),
        messages.map(({ content }) => content).join('\n\n'),
      )
      const prompt = tokenize(model.tokenizer, text)
      const said = [...tokenize(model.tokenizer, `{"correct": ${answer === truth}}`), ...model.config.eosIds]
      return { ids: [...prompt, ...said], labels: [...prompt.map(() => ignoredLabel), ...said] }
    }),
  )
}
