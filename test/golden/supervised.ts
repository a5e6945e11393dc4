import type { Tensor } from '../../kernels/device/tensor.ts'
import { adamWOptimizer } from '../../kernels/networks/training/optimizer.ts'
import { forward } from '../../kernels/networks/video-model.ts'
import type { Checkpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import type { LoadedModel } from '../../operators/model/checkpoint/load-model.ts'
import { sftLoss } from '../../operators/sft/loss.ts'
import { updated } from './bounds.ts'
import { type Checked, gradientRows, lossScale, near, normRow, parameterOf } from './checked.ts'
import { largestError, type Row, relativeError, row } from './row.ts'

/** Three supervised updates with AdamW: losses, gradients, and the weights after the last one. */
export async function sftRows(
  model: LoadedModel,
  checkpoint: Checkpoint,
  checked: Checked,
  features: Tensor,
): Promise<Row[]> {
  const { json, expected, bounds, largestLogit } = checked
  const { ids, labels, loss, grad_norm, adamw } = json.sft
  const [beta1, beta2] = adamw.betas
  const optimizer = await adamWOptimizer(model, {
    beta1,
    beta2,
    epsilon: adamw.eps,
    weightDecay: adamw.weight_decay,
    maxGradientNorm: adamw.clip,
    lossScale,
  })
  const tokens = labels.filter(label => label >= 0).length
  const learn = async () => {
    const pass = await forward(model, [{ ids, labels, features }], true)
    const result = sftLoss([pass.logProbs])
    pass.backward(Float32Array.from(result.dLogProbs[0]))
    pass.free()
    return result.loss
  }
  const lossBound = (wanted: number) => bounds.updatedLoss(largestLogit, tokens, Math.abs(loss / wanted - 1))
  const rows: Row[] = []
  optimizer.clearGradients()
  for (const [i, wanted] of adamw.losses.entries()) {
    const found = await learn()
    if (i === 0) {
      rows.push(row('sft.loss', largestError([found], [loss]), bounds.loss(largestLogit, tokens)))
      rows.push(...(await gradientRows(model, checked, 'sft.grad.', bounds)))
    }
    rows.push(row(`sft.adamw.losses[${i}]`, relativeError([found], [wanted]), lossBound(wanted)))
    const { gradientNorm, scaling } = await optimizer.step(adamw.lr)
    if (scaling) rows.push(row(`sft.adamw numbers cut to float16's range [${i}]`, scaling.cuts, 0))
    if (i === 0) rows.push(row('sft.grad_norm', relativeError([gradientNorm], [grad_norm]), bounds.norms))
    optimizer.clearGradients()
  }
  rows.push(
    row(
      'sft.adamw.loss_after',
      relativeError([await learn()], [adamw.loss_after]),
      lossBound(adamw.loss_after),
    ),
  )
  optimizer.clearGradients()
  optimizer.free()
  for (const name of expected.names('sft.step3.')) {
    const value = await model.device.read(parameterOf(model, name, 'sft.step3.').value)
    const share = bounds.updatedDistance?.(
      largestLogit,
      name.endsWith('k_proj.bias') ? ids.length : undefined,
    )
    if (share === undefined) {
      rows.push(await near(expected, name, value, updated), normRow(json, name, value, updated))
      continue
    }
    const wanted = await expected.read(name)
    const before = await started(checkpoint, name.slice('sft.step3.'.length))
    rows.push(row(name, distance(value, wanted) / distance(before, wanted) || 0, share))
    const way = adamw.losses.length * adamw.lr * Math.sqrt(value.length)
    rows.push(normRow(json, name, value, (share * way) / json.norms[name]))
  }
  return rows
}

async function started(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const values: number[] = []
  for await (const chunk of checkpoint.read(name)) for (const value of chunk) values.push(value)
  return Float32Array.from(values)
}

/** Between what both hold. */
const distance = (a: Float32Array, b: Float32Array): number =>
  Math.hypot(...a.subarray(0, b.length).map((value, i) => value - b[i]))
