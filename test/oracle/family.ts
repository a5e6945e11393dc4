import type { Connector, LanguageModel, Tower } from '../../kernels/networks/shape.ts'
import type { ModelConfig } from '../../operators/model/checkpoint/model-config.ts'
import type { DecoderPart, DecoderSizes } from '../../operators/model/parts/decoder.ts'
import type { ResamplerPart, ResamplerSizes } from '../../operators/model/parts/group-resampler.ts'
import type { Part } from '../../operators/model/parts/part.ts'
import type { SiglipPart, SiglipSizes } from '../../operators/model/parts/siglip.ts'

/** The configuration of a model with the parts of TinyLLaVA-Video, which the oracle computes. */
export interface FamilyConfig extends Omit<ModelConfig, 'vision' | 'connector' | 'language'> {
  vision: SiglipSizes
  connector: ResamplerSizes
  language: DecoderSizes
}

/** Throws if the oracle has no arithmetic for a part. */
export function familyConfig(config: ModelConfig): FamilyConfig {
  const { vision, connector, language } = config
  if (!isSiglip(vision) || !isResampler(connector) || !isDecoder(language))
    throw new Error(`the oracle does not know ${vision.kind}, ${connector.kind} and ${language.kind}`)
  return { ...config, vision: vision.sizes, connector: connector.sizes, language: language.sizes }
}

const isSiglip = (part: Part<Tower>): part is SiglipPart => part.kind === 'siglip'
const isResampler = (part: Part<Connector>): part is ResamplerPart => part.kind.endsWith('-resampler')
const isDecoder = (part: Part<LanguageModel>): part is DecoderPart => 'sizes' in part
