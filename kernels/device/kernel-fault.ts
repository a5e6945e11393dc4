import { webGpu } from '#web-gpu'
import { shortened } from './compiler-text.ts'
import { DeviceError } from './device-error.ts'
import { sourcePlace } from './source-place.ts'

/** Where Dawn or a browser found something wrong in the text of a kernel: lines and columns start at 1. */
type Message = Pick<GPUCompilationMessage, 'type' | 'message' | 'lineNum' | 'linePos'>

/** The text of a kernel in its two parts. */
export interface KernelText {
  name: string
  /** Written by `declare`: enables, params and buffers. */
  declarations: string
  /** Written by the kernel's author. */
  code: string
  /** Where it was declared, `FILE:LINE`. */
  place?: string | undefined
}

/**
 * The error of a kernel that cannot be compiled. It gives the line and column in its author's file, or else in the kernel's
 * own code, the text of that line and the compiler's message. Without such messages it gives the error of the pipeline, e.g.
 * of too large a workgroup.
 */
export function kernelFault(
  { name, declarations, code, place: declared }: KernelText,
  messages: readonly Message[],
  error: string,
): DeviceError {
  const errors = messages.filter(({ type }) => type === 'error')
  const title = `kernel "${name}"${declared === undefined ? '' : ` (${declared})`}`
  if (errors.length === 0) return new DeviceError('bad-kernel', `${title}: ${whyNot(error)}`)
  const before = declarations.split('\n').length - 1
  const lines = (declarations + code).split('\n')
  const shown = errors.slice(0, mostShown).map(({ lineNum, linePos, message }) => {
    const [line, column] = [lineNum - before, columnOf(linePos, lineNum - before, declarations)]
    const source = line < 1 ? undefined : sourcePlace(code, { line, column }, declared ?? '', webGpu.source)
    const inText =
      line < 1
        ? `line ${lineNum}, column ${linePos} of what flow writes before its code from "enables", "params" and "buffers"`
        : `line ${line}, column ${column} of its code`
    const mark = excerpt(lines[lineNum - 1] ?? '', linePos)
    const text = `${source ?? inText}:\n${mark}\n  ${shortened(message).replaceAll('\n', '\n  ')}`
    return { text, inSource: source !== undefined }
  })
  const more = errors.length - shown.length
  const rest = more > 0 ? `\n  and ${more} more error${more > 1 ? 's' : ''}` : ''
  const saysPlace = shown.every(({ inSource }) => inSource)
  const start = saysPlace ? `kernel "${name}"` : title
  const texts = shown.map(({ text }) => text).join('\nand ')
  return new DeviceError('bad-kernel', `${start}, ${texts}${rest}`, { saysPlace })
}

/** Errors that are shown: the first one is mostly the cause of the others. */
const mostShown = 3

/** A column of the whole text, in the first line of the code without the end of the declarations before it. */
const columnOf = (column: number, line: number, declarations: string): number =>
  line === 1 ? column - (declarations.length - declarations.lastIndexOf('\n') - 1) : column

/** The line, cut to what lies around the column, with a mark under it. */
function excerpt(line: string, column: number): string {
  const start = Math.max(0, Math.min(column - 80, line.length - 110))
  const shown = line.slice(start, start + 110)
  // a tab before the mark keeps it below its place
  const padding = line.slice(start, Math.max(start, column - 1)).replaceAll(/[^\t]/g, ' ')
  return `  ${shown}\n  ${padding}^`
}

/** Dawn's sentences about the pipeline. */
const whyNot = (error: string): string =>
  `this GPU cannot compile it: ${error.replaceAll('""', '"').trim().replaceAll('\n', '\n  ')}`

/** An error that the GPU reports later, with the kernel's name where it is about the bindings of one. */
export function gpuFault(message: string): DeviceError {
  const [, name] = /\[BindGroup(?:Descriptor)? "+([^"]+)"+\]/.exec(message) ?? []
  return new DeviceError('gpu-error', name === undefined ? message : `kernel "${name}": ${message}`)
}
