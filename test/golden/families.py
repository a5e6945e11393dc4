"""Numbers of small models of other families, by transformers in float64 on the CPU.

python3 test/golden/families.py TOKENIZER OUT FAMILY... writes for each family of FAMILIES the folder OUT/FAMILY: a checkpoint with
random weights of awkward sizes as save_pretrained writes it, the files of the folder TOKENIZER with the family's special tokens, and
  expected.json          ids of a prompt (-200 where visual tokens of the clip go), labels, greedy ids, loss
  expected.safetensors   frames, features of the tower, visual tokens, logits of the prompt, gradients of the loss, and what else
                         a family has between them
  processor.json         text and ids of a question about a clip by the family's processor, with IMAGE for each visual token
  processor.safetensors  frames of that clip (numbers of 0 to 255), and their pixel values
OUT/FAMILY.log says what was written and holds the traceback of what failed; the other families, and the other files, go on.

Norms and rotations of language models are in float32 there, as in every version of transformers.
"""
import json
import os
import sys
import traceback

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
import torch
from safetensors.torch import save_file

PLACEHOLDER = -200
QUESTION = "Which way does it move?"
SECONDS = [0.0, 61.5]
DURATION = 75.25
INTERNVL_CHAT = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
    "{% for content in message['content'] %}{% if content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{{'<|im_end|>\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{'<|im_start|>assistant\n' }}{% endif %}"
)

QWEN3_CHAT = INTERNVL_CHAT.replace("<video>\n", "<|vision_start|><|video_pad|><|vision_end|>")
QWEN25_CHAT = "{{'<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n'}}" + QWEN3_CHAT


class SmolVlm:
    special = {
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "image_token": "<image>",
        "end_of_utterance_token": "<end_of_utterance>",
        "video_token": "<video>",
    }
    eos, image = "<end_of_utterance>", "<image>"
    frames, tokens_of_frame, pixels = (2, 3, 25, 25), 4, (2, 3, 25, 25)
    seconds = SECONDS

    def stored(self, name):
        return name

    def model(self, eos, ids_of):
        from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

        vision = dict(hidden_size=18, intermediate_size=29, num_hidden_layers=2, num_attention_heads=3)
        vision.update(image_size=25, patch_size=6, hidden_act="gelu_pytorch_tanh")
        text = dict(model_type="llama", hidden_size=30, intermediate_size=37, num_hidden_layers=2, num_attention_heads=3)
        text.update(num_key_value_heads=1, head_dim=10, vocab_size=449, rms_norm_eps=1e-5, max_position_embeddings=4096)
        text.update(eos_token_id=eos, bos_token_id=398, pad_token_id=2)
        text.update(rope_parameters=dict(rope_type="default", rope_theta=1e5))
        whole = dict(image_token_id=self.image_id, scale_factor=2, tie_word_embeddings=False)
        return SmolVLMForConditionalGeneration, SmolVLMConfig(**whole, vision_config=vision, text_config=text)

    def stages(self, model, frames):
        features = model.model.vision_model(pixel_values=frames).last_hidden_state
        return features, model.model.connector(features)

    def inputs(self, frames, tokens):
        return dict(input_ids=tokens, pixel_values=frames[None])

    def videos(self, clip, metadata):
        return [[clip]], [[metadata]]

    def processor(self, tokenizer):
        from transformers import SmolVLMImageProcessor, SmolVLMProcessor, SmolVLMVideoProcessor
        from transformers.models.smolvlm import processing_smolvlm

        if getattr(processing_smolvlm, "num2words", None) is None:
            processing_smolvlm.num2words = {len(SECONDS): "two"}.get  # of a library that may be missing
        sizes = dict(size={"longest_edge": 40}, max_image_size={"longest_edge": 25})
        return SmolVLMProcessor(
            SmolVLMImageProcessor(**sizes),
            tokenizer,
            SmolVLMVideoProcessor(**sizes, fps=1, num_frames=len(SECONDS)),
            image_seq_len=self.tokens_of_frame,
            chat_template=processing_smolvlm.DEFAULT_CHAT_TEMPLATE,
        )


class Qwen3Vl:
    """Visual tokens of a pair of frames stand between two tokens; 4 frames are 2 pairs of 2 x 3 visual tokens."""

    special = {
        "vision_start_token": "<|vision_start|>",
        "vision_end_token": "<|vision_end|>",
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
    }
    eos, image = "<|im_end|>", "<|video_pad|>"
    frames, tokens_of_frame, pixels = (4, 3, 24, 36), 6, (48, 216)
    seconds = [0.0, 1.5, 61.5]

    def stored(self, name):
        return name

    def model(self, eos, ids_of):
        from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

        vision = dict(hidden_size=24, intermediate_size=43, depth=4, num_heads=2, hidden_act="gelu_pytorch_tanh")
        vision.update(patch_size=6, temporal_patch_size=2, spatial_merge_size=2, in_channels=3, out_hidden_size=30)
        vision.update(num_position_embeddings=25, deepstack_visual_indexes=[0, 2])
        text = dict(hidden_size=30, intermediate_size=37, num_hidden_layers=3, num_attention_heads=3, head_dim=16)
        text.update(num_key_value_heads=1, vocab_size=409, rms_norm_eps=1e-6, max_position_embeddings=4096)
        text.update(eos_token_id=eos, bos_token_id=397, tie_word_embeddings=True)
        rope = dict(rope_type="default", rope_theta=5e6, mrope_section=[4, 2, 2], mrope_interleaved=True)
        text.update(rope_parameters=rope)
        whole = {name + "_id": ids_of[token] for name, token in self.special.items()}
        whole.update(tie_word_embeddings=True, vision_config=vision, text_config=text)
        self.start, self.end = whole["vision_start_token_id"], whole["vision_end_token_id"]
        return Qwen3VLForConditionalGeneration, Qwen3VLConfig(**whole)

    def placeholders(self, placeholder):
        return [self.start, placeholder, self.end]

    def patched(self, frames):
        """Patches of 2 x 6 x 6 pixels of each channel, square by square of 2 x 2 patches; and the grid."""
        pairs, rows, columns = frames.shape[0] // 2, frames.shape[2] // 6, frames.shape[3] // 6
        split = frames.reshape(pairs, 2, 3, rows // 2, 2, 6, columns // 2, 2, 6)
        order = split.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
        return order.reshape(pairs * rows * columns, -1), torch.tensor([[pairs, rows, columns]])

    def inputs(self, frames, tokens):
        patches, grid = self.patched(frames)
        kinds = 2 * (tokens == self.image_id).long()
        return dict(input_ids=tokens, pixel_values_videos=patches, video_grid_thw=grid, mm_token_type_ids=kinds)

    def stages(self, model, frames):
        """Features are the last block's and those of the blocks that DeepStack reads, side by side; so are visual tokens."""
        visual, kept = model.model.visual, {}
        watched = {"last": visual.blocks[-1], "merger": visual.merger}
        for i, block in enumerate([0, 2]):
            watched[i] = visual.blocks[block]
            watched["merger %d" % i] = visual.deepstack_merger_list[i]

        def keep(key):
            return lambda module, given, found: kept.update({key: found.detach().clone()})

        handles = [module.register_forward_hook(keep(key)) for key, module in watched.items()]
        patches, grid = self.patched(frames)
        visual(patches, grid_thw=grid)
        for handle in handles:
            handle.remove()
        features = torch.cat([kept["last"], kept[0], kept[1]], dim=-1)
        return features, torch.cat([kept["merger"], kept["merger 0"], kept["merger 1"]], dim=-1)

    def more(self, model, run, given):
        """States between the layers of the language model, the positions that it rotates by, and a clip of another grid."""
        language, kept = model.model.language_model, {}

        def keep_state(i):
            def hook(module, args, kwargs):
                state = args[0] if args else kwargs["hidden_states"]
                kept["language.%d.in" % i] = state.detach().clone()[0]

            return hook

        def keep_positions(module, args, kwargs):
            positions = kwargs["position_ids"] if "position_ids" in kwargs else args[1]
            kept["positions"] = positions.detach().clone().reshape(3, -1)

        handles = [language.rotary_emb.register_forward_pre_hook(keep_positions, with_kwargs=True)]
        for i, layer in enumerate(language.layers):
            handles.append(layer.register_forward_pre_hook(keep_state(i), with_kwargs=True))
        run(given)
        for handle in handles:
            handle.remove()
        generator = torch.Generator().manual_seed(13)
        other = torch.randn(2, 3, 48, 12, generator=generator).clamp(-1, 1).float().double()
        kept["other.frames"] = other
        kept["other.vision.features"], kept["other.connector.out"] = self.stages(model, other)
        return kept

    def videos(self, clip, metadata):
        return [clip], [metadata]

    def clip(self, generator):
        """The last of three frames is shown twice."""
        return torch.randint(0, 256, (3, 3, 37, 52), generator=generator, dtype=torch.uint8)

    def processor(self, tokenizer):
        from transformers import Qwen3VLProcessor, Qwen3VLVideoProcessor

        try:
            from transformers import Qwen2VLImageProcessor as ImageProcessor
        except ImportError:
            from transformers import Qwen2VLImageProcessorFast as ImageProcessor
        given = dict(patch_size=6, temporal_patch_size=2, merge_size=2, image_mean=[0.5] * 3, image_std=[0.5] * 3)
        given.update(size={"shortest_edge": 1000, "longest_edge": 4000})
        image, video = ImageProcessor(**given), Qwen3VLVideoProcessor(**given)
        return Qwen3VLProcessor(image, tokenizer, video, chat_template=QWEN3_CHAT)


class Qwen25Vl(Qwen3Vl):
    """All visual tokens stand in one place; 4 frames are 2 pairs of 3 x 5, of which a window has 2 x 2, 2 x 1, 1 x 2 or 1."""

    frames, tokens_of_frame, pixels = (4, 3, 36, 60), 30, (48, 216)
    places = 1
    # seconds from one pair to the next, and positions that a second takes
    interval, rate = 0.75, 3

    def model(self, eos, ids_of):
        from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

        vision = dict(hidden_size=24, intermediate_size=43, depth=3, num_heads=2, hidden_act="silu", in_channels=3)
        vision.update(patch_size=6, temporal_patch_size=2, spatial_merge_size=2, out_hidden_size=30, window_size=24)
        vision.update(fullatt_block_indexes=[1], tokens_per_second=self.rate)
        text = dict(hidden_size=30, intermediate_size=37, num_hidden_layers=2, num_attention_heads=3)
        text.update(num_key_value_heads=1, vocab_size=409, rms_norm_eps=1e-6, max_position_embeddings=4096)
        text.update(eos_token_id=eos, bos_token_id=397, tie_word_embeddings=True)
        text.update(rope_parameters=dict(rope_type="default", rope_theta=1e6, mrope_section=[2, 1, 2]))
        whole = {name + "_id": ids_of[token] for name, token in self.special.items()}
        whole.update(tie_word_embeddings=True, vision_config=vision, text_config=text)
        self.start, self.end = whole["vision_start_token_id"], whole["vision_end_token_id"]
        return Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLConfig(**whole)

    def stored(self, name):
        """Files keep the names that parameters had before version 4.52."""
        return name.replace("model.language_model.", "model.", 1).replace("model.visual.", "visual.", 1)

    def inputs(self, frames, tokens):
        return dict(super().inputs(frames, tokens), second_per_grid_ts=torch.tensor([self.interval]))

    def stages(self, model, frames):
        """Blocks and merger see squares window by window; visual tokens are square by square again, and so are features here."""
        patches, grid = self.patched(frames)
        found = model.model.visual(patches, grid_thw=grid)
        features = found.last_hidden_state
        from transformers.vision_utils import get_vision_window_index

        order, _ = get_vision_window_index(grid, spatial_merge_size=2, window_size=24, patch_size=6)
        features = features.reshape(len(order), 4, -1)[torch.argsort(order)].reshape(len(features), -1)
        return features, found.pooler_output

    def processor(self, tokenizer):
        from transformers import Qwen2_5_VLProcessor, Qwen2VLVideoProcessor

        try:
            from transformers import Qwen2VLImageProcessor as ImageProcessor
        except ImportError:
            from transformers import Qwen2VLImageProcessorFast as ImageProcessor
        given = dict(patch_size=6, temporal_patch_size=2, merge_size=2, size={"shortest_edge": 500, "longest_edge": 1000})
        image, video = ImageProcessor(**given), Qwen2VLVideoProcessor(**given)
        return Qwen2_5_VLProcessor(image, tokenizer, video, chat_template=QWEN25_CHAT)


class InternVl:
    special = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    eos, image = "<|im_end|>", "<IMG_CONTEXT>"
    frames, tokens_of_frame, pixels = (2, 3, 25, 25), 4, (2, 3, 25, 25)
    seconds = SECONDS

    def stored(self, name):
        """Files keep the names that parameters had before version 4.52."""
        if name.startswith("model.language_model."):
            return name.replace("model.language_model.", "language_model.model.", 1)
        return "language_model." + name if name.startswith("lm_head.") else name.removeprefix("model.")

    def model(self, eos, ids_of):
        from transformers import InternVLConfig, InternVLForConditionalGeneration

        vision = dict(hidden_size=18, intermediate_size=29, num_hidden_layers=2, num_attention_heads=3)
        vision.update(image_size=[25, 25], patch_size=[6, 6], attention_bias=True, layer_norm_eps=1e-6)
        text = dict(model_type="qwen2", hidden_size=30, intermediate_size=37, num_hidden_layers=2, num_attention_heads=3)
        text.update(num_key_value_heads=1, vocab_size=405, rms_norm_eps=1e-6, max_position_embeddings=4096)
        text.update(eos_token_id=eos, bos_token_id=397, pad_token_id=397, tie_word_embeddings=False)
        text.update(rope_parameters=dict(rope_type="dynamic", rope_theta=1e6, factor=2.0))
        whole = dict(image_token_id=self.image_id, image_seq_length=4, downsample_ratio=0.5, tie_word_embeddings=False)
        return InternVLForConditionalGeneration, InternVLConfig(**whole, vision_config=vision, text_config=text)

    def stages(self, model, frames):
        features = model.model.vision_tower(pixel_values=frames).last_hidden_state[:, 1:]
        across = int(features.shape[1] ** 0.5)
        squares = model.model.pixel_shuffle(features.reshape(len(frames), across, across, -1), scale_factor=0.5)
        return features, model.model.multi_modal_projector(squares.reshape(len(frames), -1, squares.shape[-1]))

    def inputs(self, frames, tokens):
        return dict(input_ids=tokens, pixel_values=frames)

    def videos(self, clip, metadata):
        return [clip], [metadata]

    def processor(self, tokenizer):
        from transformers import InternVLProcessor, InternVLVideoProcessor

        try:
            from transformers import GotOcr2ImageProcessor as ImageProcessor
        except ImportError:
            from transformers import GotOcr2ImageProcessorFast as ImageProcessor
        given = dict(size={"height": 25, "width": 25}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
        return InternVLProcessor(
            ImageProcessor(**given),
            tokenizer,
            InternVLVideoProcessor(**given),
            image_seq_length=self.tokens_of_frame,
            chat_template=INTERNVL_CHAT,
        )


FAMILIES = {"smolvlm": SmolVlm(), "internvl": InternVl(), "qwen25vl": Qwen25Vl(), "qwen3vl": Qwen3Vl()}


def write_tokenizer(family, source, out):
    """Copies the tokenizer's files with the special tokens of the family; returns the id of each."""
    with open(os.path.join(source, "tokenizer.json")) as file:
        definition = json.load(file)
    with open(os.path.join(source, "tokenizer_config.json")) as file:
        config = json.load(file)
    added = definition["added_tokens"]
    for token in family.special.values():
        added.append({**added[-1], "id": added[-1]["id"] + 1, "content": token})
    config["added_tokens_decoder"] = {str(one["id"]): {k: v for k, v in one.items() if k != "id"} for one in added}
    config["eos_token"] = family.eos
    for name, value in (("tokenizer.json", definition), ("tokenizer_config.json", config)):
        with open(os.path.join(out, name), "w") as file:
            json.dump(value, file, ensure_ascii=False)
    return {one["content"]: one["id"] for one in added}


def write_model(family, ids_of, out):
    torch.manual_seed(7)
    family.image_id = ids_of[family.image]
    eos = ids_of[family.eos]
    kind, config = family.model(eos, ids_of)
    config._attn_implementation = "eager"
    model = kind(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape)
            if "lambda" in name:
                weight.copy_(0.7 + 0.2 * noise)
            elif weight.ndim > 1:
                scale = 0.5 if "embed" in name and "patch" not in name else (weight.numel() / weight.shape[0]) ** -0.5
                weight.copy_(scale * noise)
            elif name.endswith("weight"):
                weight.copy_(1 + 0.1 * noise)
            else:
                weight.copy_(0.05 * noise)
    model.save_pretrained(out)
    return model.double(), eos


def write_numbers(family, model, eos, out):
    each = family.tokens_of_frame
    frames = torch.randn(*family.frames).clamp(-1, 1).float().double()
    words = torch.randint(0, 397, (40,)).tolist()
    shown = family.placeholders(PLACEHOLDER) if hasattr(family, "placeholders") else [PLACEHOLDER]
    again = shown if getattr(family, "places", 2) == 2 else []
    prompt = [*words[:5], *shown, *words[5:8], *again, *words[8:14]]
    answer = [*words[14:24], eos]
    ids = [*prompt, *answer]
    labels = [-100] * len(prompt) + answer

    def expanded(of, fill):
        return [x for i, x in zip(ids, of) for x in ([fill] * each if i == PLACEHOLDER else [x])]

    def run(tokens):
        return model(**family.inputs(frames, torch.tensor([tokens])), use_cache=False).logits[0]

    tower, visual = family.stages(model, frames)
    given = expanded(ids, family.image_id)
    wanted = torch.tensor(expanded(labels, -100))
    start = sum(each if i == PLACEHOLDER else 1 for i in prompt)
    logits = run(given)
    loss = torch.nn.functional.cross_entropy(logits[:-1], wanted[1:], ignore_index=-100)
    loss.backward()
    greedy = given[:start]
    with torch.no_grad():
        for _ in range(12):
            greedy.append(int(run(greedy)[-1].argmax()))
            if greedy[-1] == eos:
                break
    tensors = {
        "frames": frames,
        "vision.features": tower.reshape(-1, tower.shape[-1]),
        "connector.out": visual.reshape(-1, visual.shape[-1]),
        "prompt.logits": logits[:start],
    }
    if hasattr(family, "more"):
        with torch.no_grad():
            tensors.update(family.more(model, run, given))
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            tensors["sft.grad." + family.stored(name)] = weight.grad
    tensors = {name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}
    save_file(tensors, os.path.join(out, "expected.safetensors"))
    expected = {"prompt": prompt, "ids": ids, "labels": labels, "loss": loss.item(), "greedy": greedy[start:]}
    if hasattr(family, "interval"):
        expected["momentSeconds"] = family.interval
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(expected, file)
    return loss.item()


def two_frames(generator):
    return torch.randint(0, 256, (2, 3, 37, 52), generator=generator, dtype=torch.uint8)


def write_processor(family, ids_of, out, note):
    from transformers import PreTrainedTokenizerFast

    known = {**family.special, **{name + "_id": ids_of[token] for name, token in family.special.items()}}
    kind = type("Tokenizer", (PreTrainedTokenizerFast,), known)
    tokenizer = kind(tokenizer_file=os.path.join(out, "tokenizer.json"), eos_token=family.eos, pad_token="<|endoftext|>")
    processor = family.processor(tokenizer)
    for name, part in (("preprocessor_config", "image_processor"), ("video_preprocessor_config", "video_processor")):
        try:
            with open(os.path.join(out, name + ".json"), "w") as file:
                file.write(getattr(processor, part).to_json_string())
        except Exception:
            note(traceback.format_exc())
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": QUESTION}]}]
    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    note("chat " + repr(text))
    generator = torch.Generator().manual_seed(11)
    given = family.clip if hasattr(family, "clip") else two_frames
    clip = given(generator)
    tensors = {"frames": clip.permute(0, 2, 3, 1).float().contiguous()}

    # the pixels first: they do not depend on how the prompt is written
    def pixels(**more):
        found = processor.video_processor(videos=[clip], do_sample_frames=False, return_tensors="pt", **more)
        for key in ("pixel_values_videos", "pixel_values"):
            if key in found:
                return found[key]

    tensors["pixels"] = pixels().reshape(*family.pixels).float().contiguous()
    save_file(tensors, os.path.join(out, "processor.safetensors"))
    rate = 4.0
    indices = [int(second * rate) for second in family.seconds]
    metadata = dict(fps=rate, total_num_frames=int(DURATION * rate), duration=DURATION, frames_indices=indices)
    videos, about = family.videos(clip, metadata)
    found = processor(text=[text], videos=videos, video_metadata=about, do_sample_frames=False, return_tensors="pt")
    ids = found["input_ids"][0].tolist()
    written = tokenizer.decode(ids, skip_special_tokens=False)
    said = dict(question=QUESTION, chat=text, text=written, ids=ids, image=family.image, seconds=family.seconds, duration=DURATION)
    if "second_per_grid_ts" in found:
        said["momentSeconds"] = float(found["second_per_grid_ts"][0])
    with open(os.path.join(out, "processor.json"), "w") as file:
        json.dump(said, file)


def main(tokenizer, out, *families):
    import transformers

    os.makedirs(out, exist_ok=True)
    for name in families:
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(out, name + ".log"), "w") as log:

            def note(line):
                print(name, line, file=log, flush=True)

            note("transformers " + transformers.__version__)
            try:
                family = FAMILIES[name]
                ids_of = write_tokenizer(family, tokenizer, folder)
                model, eos = write_model(family, ids_of, folder)
                note("loss %r" % write_numbers(family, model, eos, folder))
            except Exception:
                note(traceback.format_exc())
                continue
            try:
                write_processor(family, ids_of, folder, note)
            except Exception:
                note(traceback.format_exc())
            note(" ".join(sorted(os.listdir(folder))))


main(*sys.argv[1:])
