/** The parts of a new checkpoint's `config.json`. */
export interface NewConfig {
  /** Names of the models that the halves come from, for readers of the file. */
  languageName: string
  visionName: string
  /** `text_config` and `vision_config`, as Hugging Face writes them. */
  text: Readonly<Record<string, unknown>>
  vision: Readonly<Record<string, unknown>>
  /** The end token, also used for padding; left out of the file if there is none. */
  eosId: number | undefined
}

/** The sizes of the connector and other values that an operator's config decides. */
export interface ConnectorConfig {
  group: number
  queries: number
  connectorLayers: number
  maxLength: number
  dtype: string
}

/** `config.json` of a new checkpoint with the published architecture (TinyLLaVA-Video). */
export const newConfigJson = (
  { languageName, visionName, text, vision, eosId }: NewConfig,
  { group, queries, connectorLayers, maxLength, dtype }: ConnectorConfig,
): Record<string, unknown> => ({
  architectures: ['TinyLlavaForConditionalGeneration'],
  model_type: 'tinyllava',
  connector_type: 'groupresampler',
  llm_model_name_or_path: languageName,
  vision_model_name_or_path: visionName,
  group,
  num_queries: queries,
  num_resampler_layers: connectorLayers,
  hidden_size: text.hidden_size,
  vocab_size: text.vocab_size,
  vision_hidden_size: vision.hidden_size,
  vision_feature_layer: -2,
  vision_feature_select_strategy: 'patch',
  image_aspect_ratio: 'square',
  image_token_index: -200,
  ignore_index: -100,
  tokenizer_model_max_length: maxLength,
  tokenizer_padding_side: 'right',
  pad_token_id: eosId,
  torch_dtype: dtype,
  text_config: text,
  vision_config: vision,
})
