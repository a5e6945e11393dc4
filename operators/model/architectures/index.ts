import type { Architecture } from './architecture.ts'
import { internVl, internVlChat } from './internvl.ts'
import { qwen3Vl } from './qwen3-vl.ts'
import { qwen25Vl } from './qwen25-vl.ts'
import { smolVlm } from './smolvlm.ts'
import { tinyLlava } from './tinyllava.ts'

/** What a checkpoint without the key `architectures` is. */
export const published = { name: 'TinyLlavaForConditionalGeneration', architecture: tinyLlava }

/** The known architectures, by their name in the key `architectures`. */
export const architectures = new Map<string, Architecture>([
  [published.name, published.architecture],
  ['SmolVLMForConditionalGeneration', smolVlm],
  ['InternVLForConditionalGeneration', internVl],
  ['InternVLChatModel', internVlChat],
  ['Qwen2_5_VLForConditionalGeneration', qwen25Vl],
  ['Qwen3VLForConditionalGeneration', qwen3Vl],
])
