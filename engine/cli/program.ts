import { placeInCode, shownPlace } from '../graph/code-place.ts'
import { messageOf } from '../shared/errors.ts'
import { downloadNamed } from './downloads.ts'
import { makeEmbedded } from './embedded.ts'
import { complaintStream, lastingScreen, lineWriter } from './output.ts'
import { registry } from './registry.ts'
import type { World } from './verb.ts'

/** Node's exit code when the top-level await of a program never ends. */
const unsettledCode = 13

/** Runs what a program does in the world of this process, and leaves with the exit code that it returns. */
export async function program(work: (world: World) => Promise<number>): Promise<void> {
  const screen = lastingScreen(process.stdout)
  const errors = complaintStream()
  const complain = lineWriter(lastingScreen(errors))
  /** A fault of flow itself: one line, and with FLOW_STACK=1 its place in the code. */
  const fault = (error: unknown): number => {
    complain(`flow: ${messageOf(error)}`)
    const place = placeInCode(error)
    if (place) {
      complain(shownPlace(place))
      return 1
    }
    if (process.env.FLOW_STACK && error instanceof Error) complain(error.stack ?? '')
    else complain('    this is a fault of flow: FLOW_STACK=1 before the command says where')
    return 1
  }
  // A terminal that closes takes its output with it, not the work.
  process.on('SIGHUP', () => {})
  // A verb handles its faults itself; these are faults of code that it called and that went on by itself.
  process.on('uncaughtException', error => {
    if (process.listenerCount('uncaughtException') === 1) process.exit(fault(error))
  })
  process.on('exit', () => {
    if (process.exitCode !== unsettledCode) return
    complain('flow: the command never ended: a promise, e.g. in a plugin, never settles')
    process.exitCode = 1
  })
  const code = await work({
    registry,
    environment: process.env,
    screen,
    print: lineWriter(screen),
    complain,
    prepare: async (plan, facts) => {
      await makeEmbedded(plan, registry, complain)
      return downloadNamed(plan, facts, { screen, say: complain })
    },
  }).catch(fault)
  // The threads of an open GPU device keep Node alive: leave as soon as all is written.
  process.stdout.write('', () => {
    const { lost } = screen
    if (lost !== undefined) complain(`flow: what the command printed was lost: ${lost}`)
    process.stderr.write('', () => process.exit(lost === undefined ? code : code || 1))
  })
}
