// Prints the median GFLOPS of products on the adapter at hand: node --import tsx test/bench/matmul.ts [shapes as MxNxK]
import { openDevice } from '../../kernels/device.ts'
import { type Matmul, matmul } from '../../kernels/matmul.ts'
import { compile, Plan } from '../../kernels/plan.ts'
import { noise } from '../kernels/support.ts'

const shapes = process.argv.slice(2).map(shape => shape.split('x').map(Number))
if (shapes.length === 0) shapes.push([128, 128, 128], [512, 512, 512], [8, 512, 512], [1, 512, 512])
const device = await openDevice()
console.log(`${device.info.description || device.info.device}, ${device.family} kernels`)
for (const [rows, columns, inner] of shapes)
  for (const form of ['nt', 'nn', 'tn'] as const) console.log(await measure(form, rows, columns, inner))
device.close()

async function measure(form: Matmul['form'], rows: number, columns: number, inner: number): Promise<string> {
  const a = device.tensor('a', form === 'tn' ? [inner, rows] : [rows, inner], 'f32', noise(rows * inner))
  const b = device.tensor(
    'b',
    form === 'nt' ? [columns, inner] : [inner, columns],
    'f32',
    noise(columns * inner),
  )
  const out = device.tensor('out', [rows, columns])
  const flops = 2 * rows * columns * inner
  const repetitions = Math.max(1, Math.round((device.family === 'cpu' ? 1e9 : 1e12) / flops / 4))
  const plan = new Plan(device)
  for (let i = 0; i < repetitions; i++) matmul(plan, { form, rows, columns, inner, a, b, out })
  const begun = performance.now()
  const compiled = await compile(device, plan, 'bench')
  compiled.run()
  await device.finish()
  const first = performance.now() - begun
  const gflops: number[] = []
  for (let round = 0; round < 9; round++) {
    const start = performance.now()
    compiled.run()
    await device.finish()
    gflops.push((flops * repetitions) / (performance.now() - start) / 1e6)
  }
  for (const tensor of [a, b, out]) device.freeTensor(tensor)
  compiled.free()
  const median = gflops.sort((x, y) => x - y)[4]
  return `${form} ${rows}x${columns}x${inner}: ${median.toFixed(2)} GFLOPS (compile and first run ${first.toFixed(0)} ms)`
}
